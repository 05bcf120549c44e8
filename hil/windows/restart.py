"""Restarts and shutdowns, proven: another boot by two clocks, and two good sessions in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hil.clock import Deadline
from hil.errors import BenchError
from hil.remote import HostKeyMismatch
from hil.wait import pause, wait_until

if TYPE_CHECKING:
    from hil.windows.clock import Boot
    from hil.windows.machine import Machine

_DELAY_S = 1
"""Given to shutdown.exe, so that its exit code still reaches us; a restart in-line races with the channel's end."""
_ALREADY_SCHEDULED = 1190
_SILENT_S = 0.5
_RETRY_S = 0.05


def reboot(machine: Machine, timeout_s: float | None = None) -> Boot:
    """Restart Windows and come back with the new boot. Raises BenchError when it does not return in time."""
    before = machine.boot()
    with machine.journal.span("step", "reboot the machine", timeout_s=timeout_s):
        _end(machine, "/r", lambda: not machine.ssh.alive(_SILENT_S))
        return wait_booted(machine, after=before, timeout_s=timeout_s)


def shut_down(machine: Machine, witness: Callable[[], bool]) -> Boot:
    """Soft off (S5), by a full shutdown; the boot that ended. Raises BenchError when ``witness`` sees it go on."""
    before = machine.boot()
    with machine.journal.span("step", "shut the machine down"):
        _end(machine, "/s", lambda: not machine.ssh.alive(_SILENT_S) and witness())
    return before


def _end(machine: Machine, how: str, ended: Callable[[], bool]) -> None:
    # p:4:1 is "Application: Maintenance (Planned)", which User32 1074 then carries
    machine.tool("shutdown", how, "/t", str(_DELAY_S), "/d", "p:4:1", "/c", "hil", ok=(0, _ALREADY_SCHEDULED))
    wait_until(
        ended,
        what="Windows to shut down",
        timeout_s=_DELAY_S + machine.settings.shutdown_timeout_s,
        where=machine.where,
        next_step="look at its screen: a program or a driver may hold the shutdown up",
    )


def wait_booted(machine: Machine, *, after: Boot, timeout_s: float | None = None) -> Boot:
    """Until the machine answers from another boot than ``after``."""
    deadline = Deadline(timeout_s if timeout_s is not None else machine.settings.boot_timeout_s)
    seen = "the machine did not answer"
    while not deadline.expired:
        try:
            machine.reconnect(deadline.remaining_s)
            boot = machine.boot()
            if boot.differs_from(after):
                machine.journal.event("observation", "the machine booted", started=boot.started)
                return boot
            seen = f"it answers, but from the boot of {after.started.isoformat()}"
        except HostKeyMismatch:
            raise
        except BenchError as error:  # half booted, it may answer and refuse
            seen = str(error)
        pause(_RETRY_S, why="the machine goes down or boots")
    raise BenchError(
        "the machine back from a restart",
        seen=seen,
        where=machine.where,
        tried=f"for {deadline.timeout_s:g} s",
        next_step="look at its screen; press its power button or cut its mains",
    )
