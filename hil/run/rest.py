"""To the rest state from any other, when nobody knows any more what was going on: after a run that died."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from hil.bench import Bench
from hil.clock import Deadline
from hil.errors import BenchError, HilError
from hil.wait import pause

if TYPE_CHECKING:
    from hil.remote import SshSession

_STEADY_S = 0.8
"""A sleep that was asked for begins half a second later (Suspend-HilMachine, DelayMs)."""
_LOGON_S, _ALIVE_S, _POLL_S = 1.0, 0.3, 0.05
_FRESH_S = 0.3
"""By then the meter has measured anew."""


def rest(bench: Bench) -> None:
    """Outlets, slot, cable and button at rest, the machine on and staying on, no traffic.

    Driver Verifier, where a run had set it, is not there from the next boot on. Bounded by the machine's boot timeout.
    Raises BenchError with what did not come to rest.
    """
    mains_returned = _mains_are_off(bench)
    bench.to_rest()
    settings = bench.testbed.machine
    if settings is None:
        return
    from hil.remote import PowerShell, SshSession

    with closing(SshSession(settings.ssh, bench.journal)) as session:
        session.permit = bench.permit
        with bench.journal.span("step", "the machine on"):
            _wake(bench, session, patient=mains_returned)
        # what the partner ran ended with the connection of whoever started it, or does without its server
        with bench.journal.span("step", "traffic off") as outcome:
            from hil.windows.process import end_programs

            shell = PowerShell(session, settings.shell, bench.journal)
            outcome["ended"] = end_programs(shell)
            shell.close()
    _reset_verifier(bench)


def _mains_are_off(bench: Bench) -> bool:
    """False where the outlet does not say: that keeps nothing else from its rest, and :meth:`Bench.to_rest` tells."""
    try:
        return bench.has("outlet") and bench.outlet.state().value != "on"
    except HilError:
        return False


def _reset_verifier(bench: Bench) -> None:
    """A driver must not crash again and again, boot after boot, where nobody watches it any more."""
    from hil.testbed.state import machine_folder

    folder = machine_folder(bench.testbed)
    from hil.provision.verification import is_recorded, reset_verification

    if is_recorded(folder):
        with bench.journal.span("step", "Driver Verifier reset"):
            reset_verification(bench.machine, bench.testbed, folder)


def _wake(bench: Bench, session: SshSession, *, patient: bool) -> None:
    """Until the machine answers and goes on to; its button is pressed where the meter sees it off or asleep.

    ``patient``: its mains just came back, and its firmware may start it.
    """
    deadline = Deadline(bench.boot_timeout_s)
    while True:
        pressed = bench.start_by_button() if patient else bench.start_by_button(_FRESH_S)
        try:
            session.connect(_LOGON_S)
            if pressed or _is_steady(session):
                return
            seen = "it answered and fell silent"
        except BenchError as error:
            seen = str(error)
        session.close()
        if deadline.expired:
            raise BenchError(
                "the machine on", seen=seen, where=session.where, tried=f"for {deadline.timeout_s:g} s",
                next_step="hil bench recover",
            )  # fmt: skip


def _is_steady(session: SshSession) -> bool:
    deadline = Deadline(_STEADY_S)
    while not deadline.expired:
        if not session.alive(_ALIVE_S):
            return False
        pause(_POLL_S, why="to see whether the machine goes to sleep")
    return True
