"""Cmdlets of the virtual Windows, one module per PowerShell module."""

from __future__ import annotations

import importlib

from hil.virtual.powershell import Module

_NAMES = (
    "core", "netadapter", "adapter_power", "adapter_features", "adapter_binding", "nettcpip", "netroute",
    "pnpdevice", "winevent", "cim", "service", "process", "items", "item_properties", "driver", "certificate",
    "signature", "secure_boot", "hil_module",
)  # fmt: skip


def modules() -> tuple[Module, ...]:
    """Every module that the machine has installed."""
    return tuple(importlib.import_module(f"{__name__}.{name}").cmdlets for name in _NAMES)
