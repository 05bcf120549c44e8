"""Devnodes: arrival, start, stop, surprise removal, problem codes, and the events and registry keys that go with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.state import BoundDriver, Devnode
    from hil.virtual.windows.system import Windows


class Devices:
    """Start reasons: boot, arrival, resume, restart, enable, install (as in :mod:`hil.virtual.faults`)."""

    windows: Windows

    def all(self) -> list[Devnode]:
        """Every known devnode, phantoms too."""

    def find(self, instance_id: str) -> Devnode | None:
        """By instance id, any case."""

    def matching(self, hardware_ids: Iterable[str]) -> list[Devnode]:
        """Present devnodes that have one of these hardware or compatible ids."""

    def bind(self, node: Devnode, driver: BoundDriver) -> None:
        """Choose ``driver`` for ``node``: driver key, service, Kernel-PnP 400; starts nothing."""

    def unbind(self, node: Devnode) -> None:
        """Take the driver away (problem 28); the node must be stopped."""

    async def start(self, node: Devnode, *, reason: str) -> bool:
        """Load the image and start the device; False leaves a problem code (10, 22, 28, 31, 39, 52 ...)."""

    async def stop(self, node: Devnode) -> None:
        """Orderly query-remove and halt; returns when MiniportHaltEx did."""

    async def restart(self, node: Devnode, *, reason: str = "restart") -> bool: ...

    async def disable(self, node: Devnode) -> None: ...

    async def enable(self, node: Devnode) -> bool: ...

    async def remove(self, node: Devnode) -> None:
        """As pnputil /remove-device: stop and delete the devnode (Kernel-PnP 420); it returns on the next scan."""

    async def scan(self) -> None:
        """Enumerate again: hardware that has no devnode gets one, and the best driver of the store."""
