"""How a sleep ended, read from the machine's own records.

Record fields by position as in reference windows/events.json. Kernel-Power 107 proves the resume, not its time (it
carries the clock as it was before it was corrected); Power-Troubleshooter 1 has the times and the source of the wake.
Modern Standby (S0ix) writes Kernel-Power 506 and 507 instead: they tell a button and our own timer, never a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hil.windows.event_log import KERNEL_POWER, POWER_TROUBLESHOOTER, Event

STANDBY = "S0ix"
# SYSTEM_POWER_STATE
_STATES = {2: "S1", 3: "S2", 4: "S3", 5: "S4"}
_ENTERS, _RESUMED, _ACCOUNT = 42, 107, 1
_ENTERS_STANDBY, _LEAVES_STANDBY = 506, 507
# positions in Power-Troubleshooter 1, and in Kernel-Power 507
_WAKE_TIME, _EFFECTIVE_STATE, _SOURCE_TYPE, _SOURCE_TEXT = 1, 11, 12, 14
_EXIT_REASON = 9
_TIMER_SLACK = timedelta(seconds=1.0)
"""A timer wakes at its time or a little later; a wake this long before it has another cause."""


class WakeSource(StrEnum):
    """pots:mapWakeSource of Power-Troubleshooter, or Pop:MapCsEnterExitReason of Kernel-Power 507, in groups."""

    DEVICE = "device"
    TIMER = "timer"
    BUTTON = "button"
    UNNAMED = "unnamed"
    """Out of Modern Standby by neither button nor timer, and before the timer: Windows names no device there."""
    UNKNOWN = "unknown"


_SOURCES = {
    1: WakeSource.BUTTON, 2: WakeSource.BUTTON, 5: WakeSource.DEVICE, 6: WakeSource.TIMER, 7: WakeSource.TIMER,
}  # fmt: skip
_EXITS = {1: WakeSource.BUTTON, 14: WakeSource.BUTTON, 8: WakeSource.TIMER}
"""8 is SetThreadExecutionState: how the guard of Suspend-HilMachine turns the screen on."""


@dataclass(frozen=True)
class Wake:
    """How a sleep ended, by two witnesses: the source that Windows names, and the time against the guard's."""

    state: str
    """The state that was really reached: S3, S4, S0ix ..."""
    source: WakeSource
    """UNKNOWN when firmware told Windows nothing, or when the two witnesses contradict each other."""
    source_text: str
    """Windows' words for it; for a device its name."""
    before_guard: bool
    """It woke clearly before the wake timer's time."""
    latency_s: float
    """From the call of ``wait_awake`` to the first answer of the machine, controller's clock."""
    woke: datetime
    """UTC by the machine's clock."""
    device_ids: tuple[str, ...] = ()
    """Instance ids of the devices whose name Windows gave as the source."""
    events: tuple[Event, ...] = field(default=(), repr=False)

    def by_device(self, instance_id: str) -> bool:
        """A device woke it, before the timer could, and it is this one."""
        named = {known.lower() for known in self.device_ids}
        return self.source is WakeSource.DEVICE and instance_id.lower() in named

    @property
    def by_timer(self) -> bool:
        return self.source is WakeSource.TIMER


def verdict(events: Sequence[Event], *, guard: datetime, latency_s: float) -> Wake | None:
    """Read the records of one sleep; None when they do not tell of a whole one."""
    return _from_sleep(events, guard, latency_s) or _from_standby(events, guard, latency_s)


def _from_sleep(events: Sequence[Event], guard: datetime, latency_s: float) -> Wake | None:
    """S1 to S4: 42, 107 and the account."""
    told = _last(events, POWER_TROUBLESHOOTER, _ACCOUNT)
    whole = _last(events, KERNEL_POWER, _ENTERS) and _last(events, KERNEL_POWER, _RESUMED)
    if told is None or not whole or len(told.fields) <= _SOURCE_TEXT:
        return None
    woke = told.fields[_WAKE_TIME]
    woke = woke if isinstance(woke, datetime) else told.time
    source = _SOURCES.get(told.fields[_SOURCE_TYPE], WakeSource.UNKNOWN)
    state = _STATES.get(told.fields[_EFFECTIVE_STATE], str(told.fields[_EFFECTIVE_STATE]))
    return _wake(events, state, source, str(told.fields[_SOURCE_TEXT]).strip(), woke, guard, latency_s)


def _from_standby(events: Sequence[Event], guard: datetime, latency_s: float) -> Wake | None:
    """S0ix: 506 and 507; the clock runs on, so the record's own time is that of the wake."""
    told = _last(events, KERNEL_POWER, _LEAVES_STANDBY)
    if told is None or len(told.fields) <= _EXIT_REASON or _last(events, KERNEL_POWER, _ENTERS_STANDBY) is None:
        return None
    reason = told.fields[_EXIT_REASON]
    source = _EXITS.get(reason, WakeSource.UNNAMED)
    return _wake(events, STANDBY, source, f"exit reason {reason}", told.time, guard, latency_s)


def _wake(
    events: Sequence[Event],
    state: str,
    source: WakeSource,
    text: str,
    woke: datetime,
    guard: datetime,
    latency_s: float,
) -> Wake:
    early = woke < guard - _TIMER_SLACK
    if early is (source is WakeSource.TIMER):  # a timer cannot have been early, anything else must have been
        source = WakeSource.UNKNOWN
    return Wake(state, source, text, early, latency_s, woke.astimezone(UTC), events=tuple(events))


def _last(events: Sequence[Event], provider: str, event_id: int) -> Event | None:
    found = (event for event in reversed(events) if (event.provider, event.id) == (provider, event_id))
    return next(found, None)
