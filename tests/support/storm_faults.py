"""Defects for the tests of storms and bisects."""

from __future__ import annotations

from hil.virtual.bench import VirtualBench
from hil.virtual.faults import Crash, Fault


class CrashOnAnyRemoval(Fault):
    """Whatever the driver was doing, it does not survive its device."""

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        return 0xD1, (1, 2, 0, 3)


class OftenWrongMac(Fault):
    """In 2 restarts of 3 the MAC is read from the wrong place."""

    def attach(self, bench: VirtualBench) -> None:
        self._chance = bench.chance("OftenWrongMac")

    def mac(self, mac: str, *, reason: str) -> str:
        return "02-1D-0F-DE-AD-01" if reason == "restart" and self._chance.random() < 2 / 3 else mac


class CrashesInstalls(Fault):
    """Windows crashes in the second to fourth install; the first is that of the run's own package."""

    def __init__(self) -> None:
        self._installs = 0

    def starts(self, started: bool, *, reason: str) -> bool:
        self._installs += reason == "install"
        if reason == "install" and 2 <= self._installs <= 4:
            self._bench.machine.bugcheck(0xD1, (1, 2, 0, 3))
        return started
