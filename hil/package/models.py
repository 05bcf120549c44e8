"""Which models section Windows reads for a machine, and what it offers there.

Source: Microsoft, "INF Manufacturer section" (TargetOSVersion decorations and the rule that picks one).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hil.package.entries import Line
from hil.package.inf import Inf

DECORATION = re.compile(r"nt(x86|ia64|amd64|arm64|arm)?((?:\.[0-9a-fx]*)*)", re.IGNORECASE)
_WORKSTATION = 1


@dataclass(frozen=True)
class Target:
    """The Windows that an INF is read for; Windows 11 24H2 on x64 unless told otherwise."""

    architecture: str = "amd64"
    major: int = 10
    minor: int = 0
    build: int = 26100
    product_type: int = _WORKSTATION
    suite_mask: int = 0x100
    """VER_SUITE_SINGLEUSERTS, which every client has."""


@dataclass(frozen=True)
class Model:
    """One line of a models section: a device that the INF supports."""

    description: str
    manufacturer: str
    install_section: str
    """As written; see :func:`hil.package.install.read` for the decorated one that counts."""
    hardware_id: str
    compatible_ids: tuple[str, ...]
    section: str
    """The models section, with its decoration."""
    number: int

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.hardware_id, *self.compatible_ids)


def _applies(decoration: str, target: Target) -> tuple[int, ...] | None:
    """How specific a TargetOSVersion is (compares greater when nearer), None when it is not for this Windows."""
    found = DECORATION.fullmatch(decoration.strip()) if decoration.strip() else None
    if decoration.strip() and found is None:
        return None
    architecture = (found[1] or "").lower() if found else ""
    # x64 and ARM demand their architecture in the decoration since Server 2003 SP1
    if architecture != target.architecture and (architecture or target.architecture != "x86"):
        return None
    fields = found[2].split(".")[1:] if found else []
    try:
        major, minor, product, suite, build = [_number(field) for field in [*fields, "", "", "", "", ""][:5]]
    except ValueError:
        return None
    if (major, minor, build) > (target.major, target.minor, target.build):
        return None
    if (product and product != target.product_type) or (suite and not suite & target.suite_mask):
        return None
    return (major, minor, build, bool(product), bool(suite), bool(found))


def _number(text: str) -> int:
    return int(text or "0", 16 if text.lower().startswith("0x") else 10)


def pick_decoration(decorations: Iterable[str], target: Target) -> str | None:
    """The TargetOSVersion that Windows takes: newest not above its own, then the most specific; None for none."""
    ranked = [(rank, text) for text in decorations if (rank := _applies(text, target)) is not None]
    return max(ranked, key=lambda item: item[0])[1] if ranked else None


def read(inf: Inf, target: Target) -> tuple[Model, ...]:
    """Every model that the INF offers to ``target``; empty when no decoration applies."""
    return tuple(model for line in inf.lines("Manufacturer") for model in _of_manufacturer(inf, line, target))


def _of_manufacturer(inf: Inf, entry: Line, target: Target) -> Iterator[Model]:
    name = entry.key
    base, *decorations = entry.values or (name or "",)
    decoration = pick_decoration(decorations or [""], target)
    if decoration is None:
        return
    section = f"{base}.{decoration.strip()}" if decoration.strip() else base
    for line in inf.lines(section):
        if len(line.values) >= 2:
            install, hardware_id, *compatible = line.values
            others = tuple(text for text in compatible if text)
            yield Model(line.key or "", name or base, install, hardware_id, others, section, line.number)
