"""After a test that did not pass: the bench back to rest, and the machine back on the network, rung by rung."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hil.bench import Bench
from hil.errors import BenchError, DutError, HilError

# ACPI firmware cuts the power of a button held for four seconds (power-pnp.md)
HOLD_S = 6.0
MAINS_OFF_S = 10.0
NO_DRIVER = 28  # CM_PROB_FAILED_INSTALL


def recover(bench: Bench) -> None:
    """Make the bench fit again by the mildest means that works, each bounded by the machine's own boot timeout.

    Raises BenchError when the instruments do not come to rest, or when nothing brings the machine back.
    """
    with bench.journal.span("step", "bring the bench back"):
        try:
            # a machine that crashed boots by itself: this waits as long as that takes
            bench.to_rest()
        except BenchError as error:
            if bench.connected and not bench.machine.ssh.alive():
                _climb(bench, error)
            bench.to_rest()
        if bench.connected:
            _mend_adapter(bench)


def _climb(bench: Bench, cause: HilError) -> None:
    """From mild to harsh until the machine answers."""
    tried = ["reconnect"]
    for name, rung in _rungs(bench):
        tried.append(name)
        try:
            with bench.journal.span("step", name):
                rung()
                bench.machine.reconnect(bench.boot_timeout_s)
        except HilError as error:
            cause = error
        else:
            return
    raise BenchError(
        f"the machine of bench {bench.testbed.name} back on the network",
        seen=str(cause),
        tried=", ".join(tried),
        next_step="look at its console; hil check TESTBED --live tells when it is back",
    ) from cause


def _rungs(bench: Bench) -> Iterator[tuple[str, Callable[[], None]]]:
    def restart_by_button() -> None:
        bench.button.press(HOLD_S)
        bench.button.press()

    if bench.has("button"):
        # the short press wakes a sleeping machine and starts one that is off, the long one is for one that hangs
        yield "power button", lambda: bench.button.press()
        yield "power button held, then pressed", restart_by_button
    if bench.has("outlet"):
        yield "mains off and on", lambda: bench.outlet.cycle(MAINS_OFF_S)
    if bench.has("outlet") and bench.has("button"):
        yield "power button after the mains", lambda: bench.button.press()


def _mend_adapter(bench: Bench) -> None:
    """One restart of Windows for an adapter that does not work; what is wrong beyond that, the next tests say."""
    try:
        # without a driver a restart helps nothing, and the fixture ``driver`` brings it
        if bench.adapter.problem() != NO_DRIVER:
            bench.adapter.wait_up()
    except DutError as error:
        bench.journal.event("error", f"the adapter does not work, Windows is restarted: {error}")
        bench.machine.reboot()
