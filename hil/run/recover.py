"""After a test that did not pass: the bench back to rest, and the machine back on the network, rung by rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hil.bench import Bench
from hil.clock import Deadline, utc_now
from hil.errors import BenchError, DutError, HilError, UsageError
from hil.run.rest import rest
from hil.testbed.lease import LeaseLost
from hil.testbed.out_of_service import Reason, take_out
from hil.wait import pause, wait_until

# ACPI firmware cuts the power of a button held for four seconds (power-pnp.md)
HOLD_S = 6.0
MAINS_OFF_S = 10.0
NO_DRIVER = 28  # CM_PROB_FAILED_INSTALL
_SILENT_S = 0.5


@dataclass(frozen=True)
class Rung:
    """One means to bring the machine back; ``budget_s`` is for all of it, waiting for the machine included."""

    name: str
    climb: Callable[[Deadline], None]
    budget_s: float
    takes_down: bool = True
    """Whether Windows starts anew by it."""


def recover(bench: Bench, *, blind: bool = False) -> datetime | None:
    """Make the bench fit again by the mildest means that works, each with a budget of time.

    Comes back with when hil first took the machine down, if it did. ``blind``: a run died here, so that nobody knows
    what state anything is in; else the machine counts only if it was asked for. Raises BenchError when the instruments
    do not come to rest, or when nothing brings the machine back.
    """
    with bench.journal.span("step", "bring the bench back"):
        unrest = _failure(partial(rest, bench) if blind else bench.instruments_to_rest)
        wanted = bench.connected or (blind and unrest is not None)
        taken_down = _climb(bench) if wanted and bench.testbed.machine is not None else None
        if unrest is not None:
            bench.to_rest()
        mended = _mend_adapter(bench) if bench.connected else None
    return taken_down or mended


def recover_or_quarantine(bench: Bench, *, blind: bool = False) -> datetime | None:
    """As :func:`recover`; a bench that cannot be made fit is out of service from now on."""
    try:
        return recover(bench, blind=blind)
    except LeaseLost:
        raise
    except BenchError as error:
        take_out(bench.testbed, Reason.QUARANTINED, str(error))
        raise


def _climb(bench: Bench) -> datetime | None:
    """From mild to harsh until the machine answers; what each rung did is on the journal."""
    tried, taken_down = list[str](), None
    cause = _failure(partial(_must_answer, bench))
    rungs = _rungs(bench)
    while cause is not None:
        rung = next(rungs, None)
        if rung is None:
            raise BenchError(
                f"the machine of bench {bench.testbed.name} back on the network", seen=str(cause),
                tried=", ".join(tried), next_step="look at its console, then hil bench recover TESTBED",
            ) from cause  # fmt: skip
        tried.append(f"{rung.name} (up to {rung.budget_s:g} s)")
        taken_down = taken_down or (utc_now() if rung.takes_down else None)
        with bench.journal.span("step", f"recovery: {rung.name}", timeout_s=rung.budget_s) as outcome:
            cause = _failure(partial(rung.climb, Deadline(rung.budget_s))) or _failure(partial(_must_answer, bench))
            outcome["helped"], outcome["seen"] = cause is None, str(cause or "")
    return taken_down


def _rungs(bench: Bench) -> Iterator[Rung]:
    """What this bench can do, decided when it is its turn."""
    machine, settings, boot_s = bench.machine_as_it_is, bench.testbed.machine, bench.boot_timeout_s
    assert settings is not None

    def back(deadline: Deadline) -> None:
        bench.reconnect(deadline.remaining_s)

    def restart(deadline: Deadline) -> None:
        machine.tool("shutdown", "/r", "/f", "/t", "0", "/d", "p:4:1", "/c", "hil")
        wait_until(
            lambda: not machine.ssh.alive(_SILENT_S), what="Windows to shut down",
            timeout_s=settings.shutdown_timeout_s, where=machine.where,
        )  # fmt: skip
        back(deadline)

    def press(deadline: Deadline) -> None:
        bench.button.press()
        back(deadline)

    def hold(deadline: Deadline) -> None:
        bench.button.press(HOLD_S)
        bench.button.press()
        back(deadline)

    def switch(deadline: Deadline) -> None:
        with suppress(UsageError):  # Wake-on-LAN can only start a machine
            bench.out_of_band.off()
        bench.out_of_band.on()
        back(deadline)

    def cut(deadline: Deadline) -> None:
        bench.outlet.off()
        pause(MAINS_OFF_S, why="the machine without mains", journal=bench.journal)
        bench.outlet.on()
        back(deadline)

    # a machine that crashed boots by itself: this waits as long as that takes
    yield Rung("reconnect", back, boot_s, takes_down=False)
    if machine.ssh.alive():
        yield Rung("restart Windows", restart, settings.shutdown_timeout_s + boot_s)
    if bench.has("button"):
        if not bench.has("meter"):
            # with one, reconnecting has started a machine that is off or asleep
            yield Rung("power button", press, boot_s)
        yield Rung("power button held, then pressed", hold, HOLD_S + boot_s)
    if bench.has("out_of_band"):
        yield Rung("off and on out of band", switch, settings.shutdown_timeout_s + boot_s)
    if bench.has("outlet"):
        yield Rung("mains off and on", cut, MAINS_OFF_S + boot_s)
        if bench.has("button") and not bench.has("meter"):
            yield Rung("power button after the mains", press, boot_s)


def _must_answer(bench: Bench) -> None:
    """Over SSH and in PowerShell. Raises HilError."""
    machine = bench.machine_as_it_is
    if not machine.ssh.alive():
        raise BenchError("an answer of the machine", seen="it is silent", where=machine.where)
    machine.boot()


def _failure(act: Callable[[], object]) -> HilError | None:
    """What went wrong, if it did. LeaseLost passes through."""
    try:
        act()
    except LeaseLost:
        raise
    except HilError as error:
        return error
    return None


def _mend_adapter(bench: Bench) -> datetime | None:
    """One restart of Windows for an adapter that does not work; what is wrong beyond that, the next tests say."""
    try:
        # without a driver a restart helps nothing, and the fixture ``driver`` brings it
        if bench.adapter.problem() != NO_DRIVER:
            bench.adapter.wait_up()
    except DutError as error:
        bench.journal.event("error", f"the adapter does not work, Windows is restarted: {error}")
        taken_down = utc_now()
        bench.machine.reboot()
        return taken_down
    return None
