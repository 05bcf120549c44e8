"""Faults that tests of the bench itself load from outside the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.faults import Crash, Fault

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class BreaksAtStart(Fault):
    """Not a defect of a driver, but of the bench."""

    def attach(self, bench: VirtualBench) -> None:
        raise RuntimeError("a defect of this very fault")


class CrashAtRemoval(Fault):
    """Every surprise removal ends in a bugcheck."""

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        return (0xD1, (0xFFFFFFFF, 2, 0, 0xFFFFF80412345678))
