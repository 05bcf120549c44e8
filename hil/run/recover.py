"""After a test that did not pass: the bench back to rest, and the machine back on the network, rung by rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hil.bench import Bench
from hil.errors import BenchError, DutError, HilError

# ACPI firmware cuts the power of a button held for four seconds (power-pnp.md)
HOLD_S = 6.0
MAINS_OFF_S = 10.0


def recover(bench: Bench) -> None:
    """Make the bench fit again by the mildest means that works, each bounded by the machine's own boot timeout.

    Raises BenchError that lists what was tried when nothing helps.
    """
    tried: list[str] = []
    with bench.journal.span("step", "bring the bench back") as outcome:
        for name, rung in _rungs(bench):
            tried.append(name)
            try:
                with bench.journal.span("step", name):
                    rung()
                outcome["by"] = name
                break
            except HilError as error:
                last: HilError = error
        else:
            raise BenchError(
                f"bench {bench.testbed.name} fit for the next test",
                seen=str(last),
                tried=", ".join(tried),
                next_step="look at the machine's console; hil check TESTBED --live tells when it is back",
            ) from last
        _mend_adapter(bench)


def _rungs(bench: Bench) -> Iterator[tuple[str, Callable[[], None]]]:
    """From mild to harsh. A machine that crashed boots by itself, so the first rung waits as long as a boot takes."""

    def pressed(*seconds: float) -> None:
        for duration_s in seconds:
            bench.button.press(duration_s)
        bench.machine.reconnect(bench.boot_timeout_s)

    def mains() -> None:
        bench.outlet.cycle(MAINS_OFF_S)
        bench.machine.reconnect(bench.boot_timeout_s)

    yield "rest position and reconnect", bench.to_rest
    if bench.has("button"):
        # wakes a sleeping machine and starts one that is off; the long press is for one that hangs
        yield "power button", lambda: pressed(0.3)
        yield "power button held, then pressed", lambda: pressed(HOLD_S, 0.3)
    if bench.has("outlet"):
        yield "mains off and on", mains
    if bench.has("outlet") and bench.has("button"):
        yield "power button after the mains", lambda: pressed(0.3)


def _mend_adapter(bench: Bench) -> None:
    """One restart of Windows for an adapter that does not work; what is wrong beyond that, the next tests say."""
    try:
        bench.adapter.wait_up()
    except DutError as error:
        bench.journal.event("error", f"the adapter does not work, Windows is restarted: {error}")
        bench.machine.reboot()
