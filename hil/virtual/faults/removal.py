"""Defects that show when the NIC is pulled or plugged at a bad moment."""

from __future__ import annotations

from typing import ClassVar

from hil.clock import now_s
from hil.virtual.faults import Crash, Fault
from hil.virtual.faults.driver import DRIVER_IRQL_NOT_LESS_OR_EQUAL
from hil.virtual.faults.sleep import DRIVER_POWER_STATE_FAILURE

_ALL_ONES = (0xFFFFFFFF, 2, 0, 0xFFFF_F804_1234_5A10)
_MOMENTS_S = 3.0
_NO_POWER_UP = (3, 0xFFFF_C201_5E2A_1060, 0xFFFF_8000_1234_5870, 0xFFFF_C201_61B4_3010)


class CrashWhenRemovedAsleep(Fault):
    """The resume path waits for a reset bit of a device that is gone: bugcheck 0x9F at the first key press."""

    caught_by: ClassVar = ("removal",)

    def removed_in_sleep(self, crash: Crash | None, *, waking: bool) -> Crash | None:
        return crash if waking else (DRIVER_POWER_STATE_FAILURE, _NO_POWER_UP)


class CrashWhenRemovedInResume(Fault):
    """Registers read as all ones in the middle of the way to D0 are taken for a ring index: bugcheck 0xD1."""

    caught_by: ClassVar = ("removal",)

    def removed_in_sleep(self, crash: Crash | None, *, waking: bool) -> Crash | None:
        return (DRIVER_IRQL_NOT_LESS_OR_EQUAL, _ALL_ONES) if waking else crash


class GhostAfterSleep(Fault):
    """Presence is read from a shadow register after a sleep: a NIC that was pulled stays in the device list."""

    caught_by: ClassVar = ("removal",)

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        return seen and (present or not asleep)


class NotSeenAfterSleep(Fault):
    """The hot-plug interrupt is lost in sleep and nobody looks again: a NIC that was plugged meanwhile is not there."""

    caught_by: ClassVar = ("removal",)

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        return seen and not (present and asleep)


class DeadAfterBounce(Fault):
    """A second removal within seconds cancels a timer of the first one: the next start fails, code 10."""

    caught_by: ClassVar = ("removal",)

    def __init__(self) -> None:
        self._pulled_s: list[float] = []

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        if not present:
            self._pulled_s.append(now_s())
        return seen

    def starts(self, started: bool, *, reason: str) -> bool:
        fresh = [at_s for at_s in self._pulled_s if now_s() - at_s < _MOMENTS_S]
        return started and not (reason == "arrival" and len(fresh) > 1)


class DeadAfterGlitch(Fault):
    """The device is back before its removal was worked off: the new start meets the old interrupt, and fails."""

    caught_by: ClassVar = ("removal",)
    _BACK_WITHIN_S: ClassVar = 0.1

    def __init__(self) -> None:
        self._pulled_s, self._too_early = 0.0, False

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        if present:
            self._too_early = now_s() - self._pulled_s < self._BACK_WITHIN_S
        else:
            self._pulled_s = now_s()
        return seen

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and not (reason == "arrival" and self._too_early)


class LostInABounce(Fault):
    """Three arrivals within a second are taken for a broken slot, and its power stays off until the next boot."""

    caught_by: ClassVar = ("removal",)
    _WITHIN_S: ClassVar = 1.0

    def __init__(self) -> None:
        self._plugged_s: list[float] = []

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        self._plugged_s = [at_s for at_s in self._plugged_s if now_s() - at_s < self._WITHIN_S]
        if present:
            self._plugged_s.append(now_s())
        return seen and len(self._plugged_s) < 3
