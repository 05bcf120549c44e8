"""Sleep and wake: driven, and proven by silence, by a witness, and by the machine's own records (hil.windows.wake)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from hil.clock import Deadline, now_s
from hil.errors import BenchError, DutError, UsageError, WakeFailed
from hil.remote import Command, ConnectionLost, SshUnreachable
from hil.wait import pause
from hil.windows.crash import IncidentKind, incidents
from hil.windows.event_log import KERNEL_POWER, POWER_TROUBLESHOOTER, SYSTEM, Bookmark
from hil.windows.wake import STANDBY, Wake, WakeSource, verdict

if TYPE_CHECKING:
    from hil.windows.machine import Machine

SleepState = Literal["S3", "S4", "S0ix"]

_VETOES = (9, 10, 40)
"""Kernel-Power: an application, a service, a driver stopped the transition."""
_DELAY_MS = 500
"""The machine sleeps this long after the call, so that the pipeline's end still reaches us."""
_SILENT_S = 0.5
"""No answer to an SSH request for this long: asleep, or hung (which the witness tells)."""
_POLL_S = 0.05
_GUARD_LATE_S = 2.0
"""The machine counts the guard's time from when it got the call."""
_ACCOUNT_S = 15.0
"""Power-Troubleshooter 1 follows the resume by about 1.5 s (events.json, sequences); a slow disk is given more."""


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
    """Until the machine is silent, and the witness agrees. Raises DutError when it stays on, with who objected.

    Modern Standby needs the witness, and goes by it alone: such a machine may answer from its sleep, and a question
    may end it.
    """
    standby = suspension.state == STANDBY
    if standby and witness is None:
        raise UsageError("a witness for Modern Standby, such as the meter", seen="none", where=machine.where)
    deadline = Deadline(timeout_s)
    silences = 0
    with machine.journal.span("wait", f"the machine to sleep ({suspension.state})", timeout_s=timeout_s):
        while not deadline.expired:
            # twice in a row: a busy machine may miss one
            silences = silences + 1 if standby or not machine.ssh.alive(_SILENT_S) else 0
            if silences >= 2 and (witness is None or witness()):
                machine.journal.event("observation", "the machine sleeps", after_s=round(deadline.elapsed_s, 3))
                return
            pause(_POLL_S, why="the machine goes to sleep")
    seen = "it is silent on the network, but the witness says that it is not asleep"
    if silences == 0:
        vetoes = machine.events.since(suspension.bookmark, KERNEL_POWER, _VETOES, logs=[SYSTEM])
        seen = "it still answers" + "".join(f"; {event}" for event in vetoes)
    raise DutError(f"the machine in {suspension.state} within {timeout_s:g} s", seen=seen, where=machine.where)


def wait_awake(
    machine: Machine,
    suspension: Suspension,
    timeout_s: float | None = None,
    asleep: Callable[[], bool] | None = None,
) -> Wake:
    """Until it is back in fresh sessions and its records tell of the whole sleep.

    Out of Modern Standby nothing is asked of it until the witness ``asleep`` says otherwise, or the guard is over.
    Raises WakeFailed when it does not answer although the guard is over, Bugcheck or DutError when it booted anew,
    BenchError when its clock jumped.
    """
    called_s, offset_s = now_s(), machine.clock_offset_s
    if timeout_s is None:
        timeout_s = max(0.0, suspension.guard_at_s - called_s) + machine.settings.resume_timeout_s
    deadline = Deadline(timeout_s)
    if suspension.state == STANDBY:
        _wait_out_of_standby(machine, suspension, asleep, deadline)
    try:
        answered_s = machine.reconnect(deadline.remaining_s)
    except (SshUnreachable, ConnectionLost) as error:
        raise WakeFailed(
            f"the machine awake from {suspension.state} within {timeout_s:g} s",
            seen=str(error),
            where=machine.where,
            next_step="press the power button, or cut the mains; then read the event log",
        ) from error
    _clock_must_have_run_on(machine, offset_s)
    wake = _read_records(machine, suspension, latency_s=answered_s - called_s)
    if wake.source is WakeSource.DEVICE:
        named = machine.shell.run(Command("Get-PnpDevice", FriendlyName=wake.source_text), check=False)
        wake = replace(wake, device_ids=tuple(str(row["InstanceId"]) for row in named))
    machine.journal.event("observation", f"the machine woke from {wake.state}", source=wake.source, by=wake.source_text)
    return wake


def _wait_out_of_standby(
    machine: Machine, suspension: Suspension, asleep: Callable[[], bool] | None, deadline: Deadline
) -> None:
    """A question may end the standby, and with its session closed the guard's timer is gone."""
    over_s = suspension.guard_at_s + _GUARD_LATE_S
    with machine.journal.span("wait", "Modern Standby to end"):
        while (asleep is None or asleep()) and now_s() < over_s and not deadline.expired:
            pause(_POLL_S, why="Modern Standby ends")


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
        "records of a sleep and a resume: Kernel-Power 42 and 107, Power-Troubleshooter 1; or Kernel-Power 506 and 507",
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
