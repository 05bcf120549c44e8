"""After a test that did not pass: the bench back to rest, and the machine back on the network, rung by rung."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hil.bench import Bench
from hil.clock import Deadline
from hil.errors import BenchError, DutError, HilError
from hil.run.rest import rest
from hil.testbed import model
from hil.testbed.lease import LeaseLost
from hil.wait import pause, wait_until

# ACPI firmware cuts the power of a button held for four seconds (power-pnp.md)
HOLD_S = 6.0
MAINS_OFF_S = 10.0
NO_DRIVER = 28  # CM_PROB_FAILED_INSTALL
_SILENT_S = 0.5
_ANSWER_S = 10.0


@dataclass(frozen=True)
class Rung:
    """One means to bring the machine back; ``budget_s`` is for all that it does, waiting for the machine included."""

    name: str
    climb: Callable[[Bench, Deadline], None]
    budget_s: Callable[[model.Machine], float]
    possible: Callable[[Bench], bool] = lambda bench: True  # noqa: ARG005


def recover(bench: Bench, *, blind: bool = False) -> None:
    """Make the bench fit again by the mildest means that works, each with its own budget of time.

    ``blind``: the bench may be in any state, since a run died on it; otherwise only what this run asked is looked at.
    Raises BenchError when the instruments do not come to rest, or when nothing brings the machine back.
    """
    with bench.journal.span("step", "bring the bench back"):
        cause = _failure(rest if blind else Bench.instruments_to_rest, bench)
        if bench.connected or (blind and cause is not None):
            _climb(bench)
        if cause is not None:
            bench.to_rest()
        if bench.connected:
            _mend_adapter(bench)


def _climb(bench: Bench) -> None:
    """From mild to harsh until the machine answers."""
    settings = bench.testbed.machine
    assert settings is not None
    cause, tried = _failure(_must_answer, bench), list[str]()
    for rung in RUNGS:
        if cause is None:
            return
        if not rung.possible(bench):
            continue
        budget_s = rung.budget_s(settings)
        tried.append(f"{rung.name} ({budget_s:g} s)")
        with bench.journal.span("step", f"recovery: {rung.name}", timeout_s=budget_s) as outcome:
            deadline = Deadline(budget_s)
            cause = _failure(lambda rung=rung, deadline=deadline: rung.climb(bench, deadline))  # type: ignore[misc]
            cause = cause or _failure(_must_answer, bench)
            outcome["helped"] = cause is None
