"""Defects that strike only after three operations in a certain order, whatever harmless ones stand in between.

Each operation alone, and each two of them, work; ``hil storm`` finds such orders, and ``suites/test_sequences.py``
keeps those that it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Crash, Fault
from hil.virtual.faults.driver import DRIVER_IRQL_NOT_LESS_OR_EQUAL

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

_OLD_RING = (0xFFFF_9A81_0000_0100, 2, 0, 0xFFFF_F804_1234_7C20)


class OfASequence(Fault):
    """Remembers what was done to the adapter under test."""

    @property
    def adapter(self) -> Adapter | None:
        return self._bench.windows.devices.under_test()


class HalfRateAfterSleepWhileDisabled(OfASequence):
    """Disabled, asleep, enabled: D3 is skipped for a stopped adapter, and the PHY it left wakes with half its lanes."""

    caught_by: ClassVar = ("sequences",)

    def __init__(self) -> None:
        self._slept = False

    def sleep_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        self._slept = self.adapter is not None and self.adapter.node.disabled
        return crash

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        crippled, self._slept = self._slept and reason == "enable", False
        return mbps / 2 if crippled else mbps


class CrashWhenRemovedAfterChange(OfASequence):
    """A setting changed, the device restarted, then pulled: each start after a change frees the ring's old memory, and
    the removal reads the second one: bugcheck 0xD1."""

    caught_by: ClassVar = ("sequences",)

    def __init__(self) -> None:
        self._changed, self._starts = False, 0

    def stored_settings(
        self, settings: Mapping[str, str], *, keyword: str, before: Mapping[str, str]
    ) -> Mapping[str, str]:
        if settings != before:
            self._changed, self._starts = True, 0
        return settings

    def starts(self, started: bool, *, reason: str) -> bool:
        self._changed = self._changed and reason == "restart"
        self._starts += 1  # Windows itself restarts the device once for the change
        return started

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        return (DRIVER_IRQL_NOT_LESS_OR_EQUAL, _OLD_RING) if self._changed and self._starts > 1 else crash


class NoLinkAfterSleepWithoutCable(OfASequence):
    """The cable out, asleep, the cable back: the resume finds no link and turns its interrupt off, and nobody sees the
    link return."""

    caught_by: ClassVar = ("sequences",)

    def __init__(self) -> None:
        self._deaf = False

    def starts(self, started: bool, *, reason: str) -> bool:
        self._deaf = reason == "resume" and self.adapter is not None and not self.adapter.port.cable
        return started

    def sees_cable(self, seen: bool, *, connected: bool) -> bool:
        return seen and not (connected and self._deaf)
