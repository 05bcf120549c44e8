"""Sleep and wake: driven, proven, and what the machine's own records say of it.

Record fields by position as in reference windows/events.json. Kernel-Power 107 proves the resume, not its time (it
carries the clock as it was before it was corrected); Power-Troubleshooter 1 has the times and the source of the wake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from hil.clock import Deadline, now_s
from hil.errors import BenchError, DutError, WakeFailed
from hil.remote import Command, ConnectionLost, SshUnreachable
from hil.wait import pause
from hil.windows.crash import IncidentKind, incidents
from hil.windows.event_log import KERNEL_POWER, POWER_TROUBLESHOOTER, SYSTEM, Bookmark, Event

if TYPE_CHECKING:
    from hil.windows.machine import Machine

SleepState = Literal["S3", "S4"]

# SYSTEM_POWER_STATE
_STATES = {2: "S1", 3: "S2", 4: "S3", 5: "S4"}
_ENTERS, _RESUMED, _ACCOUNT = 42, 107, 1
_VETOES = (9, 10, 40)
"""Kernel-Power: an application, a service, a driver stopped the transition."""
# positions in Power-Troubleshooter 1
_WAKE_TIME, _EFFECTIVE_STATE, _SOURCE_TYPE, _SOURCE_TEXT = 1, 11, 12, 14
_TIMER_SLACK = timedelta(seconds=1.0)
"""A timer wakes at its time or a little later; a wake this long before it has another cause."""

_DELAY_MS = 500
"""The machine sleeps this long after the call, so that the pipeline's end still reaches us."""
_SILENT_S = 0.5
"""No answer to an SSH request for this long: asleep, or hung (which the witness tells)."""
_POLL_S = 0.05
_ACCOUNT_S = 15.0
"""Power-Troubleshooter 1 follows the resume by about 1.5 s (events.json, sequences); a slow disk is given more."""


class WakeSource(StrEnum):
    """pots:mapWakeSource of Power-Troubleshooter, in groups."""

    DEVICE = "device"
    TIMER = "timer"
    BUTTON = "button"
    UNKNOWN = "unknown"


_SOURCES = {
    1: WakeSource.BUTTON, 2: WakeSource.BUTTON, 5: WakeSource.DEVICE, 6: WakeSource.TIMER, 7: WakeSource.TIMER,
}  # fmt: skip


@dataclass(frozen=True)
class Suspension:
    """A sleep that was asked for."""

    state: SleepState
    bookmark: Bookmark
    """Where the event log stood before."""
    guard: datetime
    """When the wake timer ends it at the latest: UTC by the machine's clock."""
    guard_at_s: float
    """The same on the controller's monotonic clock."""


@dataclass(frozen=True)
class Wake:
    """How a sleep ended, by two witnesses: the source that Windows names, and the time against the guard's."""

    state: str
    """The state that was really reached (EffectiveState): S3, S4 ..."""
    source: WakeSource
    """UNKNOWN when firmware told Windows nothing, or when the two witnesses contradict each other."""
    source_text: str
    """Windows' words for it; for a device its name"""
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


def suspend(machine: Machine, state: SleepState, wake_after_s: int) -> Suspension:
    """Ask for sleep; comes back before the machine sleeps."""
    bookmark = machine.events.mark()
    asked_s = now_s()
    sleep = Command("Suspend-HilMachine", State=state, WakeAfterSeconds=wake_after_s, DelayMs=_DELAY_MS)
    guard = machine.shell.run(sleep)[0]["WakeTimerUtc"].astimezone(UTC)
    return Suspension(state, bookmark, guard, guard_at_s=asked_s + wake_after_s)


def wait_asleep(
    machine: Machine, suspension: Suspension, timeout_s: float, witness: Callable[[], bool] | None = None
) -> None:
    """Until the machine is silent, and the witness agrees. Raises DutError when it stays on, with who objected."""
    deadline = Deadline(timeout_s)
    silences = 0
    while not deadline.expired:
        # twice in a row: a busy machine may miss one
        silences = 0 if machine.ssh.alive(_SILENT_S) else silences + 1
        if silences >= 2 and (witness is None or witness()):
            machine.journal.event("observation", "the machine sleeps", after_s=round(deadline.elapsed_s, 3))
            return
        pause(_POLL_S, why="the machine goes to sleep")
    seen = "it is silent on the network, but the witness says that it is not asleep"
    if silences == 0:
        vetoes = machine.events.since(suspension.bookmark, KERNEL_POWER, _VETOES, logs=[SYSTEM])
        seen = "it still answers" + "".join(f"; {event}" for event in vetoes)
    raise DutError(f"the machine in {suspension.state} within {timeout_s:g} s", seen=seen, where=machine.where)


def wait_awake(machine: Machine, suspension: Suspension, timeout_s: float | None = None) -> Wake:
    """Until it is back in fresh sessions and its records tell of the whole sleep.

    Raises WakeFailed when it does not answer although the guard is over, Bugcheck or DutError when it booted anew,
    BenchError when its clock jumped.
    """
    called_s, offset_s = now_s(), machine.clock_offset_s
    if timeout_s is None:
        timeout_s = max(0.0, suspension.guard_at_s - called_s) + machine.settings.resume_timeout_s
    try:
        machine.reconnect(timeout_s)
    except (SshUnreachable, ConnectionLost) as error:
        raise WakeFailed(
            f"the machine awake from {suspension.state} within {timeout_s:g} s",
            seen=str(error),
            where=machine.where,
            next_step="press the power button, or cut the mains; then read the event log",
        ) from error
    latency_s = now_s() - called_s
    _clock_must_have_run_on(machine, offset_s)
    wake = _read_records(machine, suspension, latency_s)
    if wake.source is WakeSource.DEVICE:
        named = machine.shell.run(Command("Get-PnpDevice", FriendlyName=wake.source_text), check=False)
        wake = replace(wake, device_ids=tuple(str(row["InstanceId"]) for row in named))
    machine.journal.event("observation", f"the machine woke from {wake.state}", source=wake.source, by=wake.source_text)
    return wake


def _clock_must_have_run_on(machine: Machine, offset_s: float) -> None:
    """Wall time that jumped in the sleep would make nonsense of every time in the records."""
    jump_s, limit_s = machine.clock_offset_s - offset_s, machine.settings.max_clock_offset_s
    if abs(jump_s) > limit_s:
        raise BenchError(
            f"a clock that is right within {limit_s:g} s after the sleep",
            seen=f"it jumped by {jump_s:+.1f} s",
            where=machine.where,
            next_step="set the firmware's clock to what Windows takes it for (local time or UTC); look at its battery",
        )


def _read_records(machine: Machine, suspension: Suspension, latency_s: float) -> Wake:
    deadline = Deadline(_ACCOUNT_S)
    while True:
        events = machine.events.since(suspension.bookmark, logs=[SYSTEM])
        for incident in incidents(events):
            if incident.kind in (IncidentKind.BUGCHECK, IncidentKind.POWER_LOSS, IncidentKind.REBOOT):
                raise incident.error(machine.where)
        if wake := verdict(events, guard=suspension.guard, latency_s=latency_s):
            return wake
        if deadline.expired:
            break
        pause(_POLL_S, why="Windows writes its account of the sleep")
    told = [str(event) for event in events if event.provider in (KERNEL_POWER, POWER_TROUBLESHOOTER)]
    raise WakeFailed(
        "records of a sleep and a resume: Kernel-Power 42 and 107, Power-Troubleshooter 1",
        seen="; ".join(told) or "none of them",
        where=machine.where,
    )


def ensure_awake(machine: Machine, pending: Suspension | None) -> None:
    """Come back to a machine that may sleep, boot or be well; for undo. Raises BenchError when it does not return."""
    if pending is None and machine.ssh.alive(_SILENT_S):
        return
    guard_s = max(0.0, pending.guard_at_s - now_s()) if pending else 0.0
    timeout_s = guard_s + machine.settings.resume_timeout_s + machine.settings.boot_timeout_s
    try:
        machine.reconnect(timeout_s)
    except (SshUnreachable, ConnectionLost) as error:
        raise BenchError(
            "the machine awake again",
            seen=str(error),
            where=machine.where,
            tried=f"for {timeout_s:g} s, past the wake timer",
            next_step="press its power button, or cut its mains",
        ) from error


def verdict(events: Sequence[Event], *, guard: datetime, latency_s: float) -> Wake | None:
    """Read the records of one sleep; None when they do not tell of a whole one: 42, 107 and the account."""
    told = next((event for event in reversed(events) if _is(event, POWER_TROUBLESHOOTER, _ACCOUNT)), None)
    slept = any(_is(event, KERNEL_POWER, _ENTERS) for event in events)
    resumed = any(_is(event, KERNEL_POWER, _RESUMED) for event in events)
    if told is None or not (slept and resumed) or len(told.fields) <= _SOURCE_TEXT:
        return None
    woke = told.fields[_WAKE_TIME]
    woke = woke if isinstance(woke, datetime) else told.time
    early = woke < guard - _TIMER_SLACK
    source = _SOURCES.get(told.fields[_SOURCE_TYPE], WakeSource.UNKNOWN)
    if early is (source is WakeSource.TIMER):  # a timer cannot have been early, anything else must have been
        source = WakeSource.UNKNOWN
    return Wake(
        state=_STATES.get(told.fields[_EFFECTIVE_STATE], str(told.fields[_EFFECTIVE_STATE])),
        source=source,
        source_text=str(told.fields[_SOURCE_TEXT]).strip(),
        before_guard=early,
        latency_s=latency_s,
        woke=woke.astimezone(UTC),
        events=tuple(events),
    )


def _is(event: Event, provider: str, event_id: int) -> bool:
    return event.provider == provider and event.id == event_id
