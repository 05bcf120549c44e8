"""What is to be compared, from the history: two runs, two drivers or two benches, by their names."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from hil.errors import UsageError
from hil.history import queries
from hil.history.compare import Comparison, Side, compare, noise_of
from hil.history.model import Run, Scope

NEWEST_RUNS = 30
"""Of a driver or a bench: as many as are compared, and as many as tell the noise of single runs."""
_SHORTEST = timedelta(microseconds=1)


def compare_named(connection: Connection, first: str, second: str) -> Comparison:
    """Both names of runs, or of drivers (version or beginning of the SHA-256), or of benches.

    Raises UsageError where they are not two of a kind.
    """
    runs = {run.name: run for run in queries.all_runs(connection, Scope(faults=True))}
    if first in runs and second in runs:
        return compare_runs(connection, runs[first], runs[second])
    if all(queries.all_runs(connection, Scope(driver=name, newest=1)) for name in (first, second)):
        return compare_drivers(connection, first, second)
    benches = {bench.bench for bench in queries.all_benches(connection)}
    known = {name for bench in benches for name in (bench, bench.partition("@")[0])}
    if first in known and second in known:
        return compare_benches(connection, first, second)
    raise UsageError(
        "two runs, two drivers (version or beginning of the SHA-256) or two benches that the history knows",
        seen=f"{first!r} and {second!r}", next_step="hil history lists its runs",
    )  # fmt: skip


def compare_runs(connection: Connection, first: Run, second: Run) -> Comparison:
    """Single runs, whose figures are judged by the noise of the runs of their bench before the later one."""
    later = max(first, second, key=lambda run: run.started)
    before = queries.figures(connection, Scope(bench=later.bench, until=later.started, newest=NEWEST_RUNS))
    sides = [_side(connection, run.name, _just(run)) for run in (first, second)]
    return compare(*sides, benches=first.bench != second.bench, noise=noise_of(before))


def compare_drivers(connection: Connection, first: str, second: str) -> Comparison:
    """The newest runs of each, bench by bench."""
    scopes = [Scope(driver=name, newest=NEWEST_RUNS) for name in (first, second)]
    return compare(*(_side(connection, _called(connection, scope), scope) for scope in scopes))


def compare_benches(connection: Connection, first: str, second: str) -> Comparison:
    """The newest runs of each, whatever driver they had."""
    sides = (_side(connection, f"bench {name}", Scope(bench=name, newest=NEWEST_RUNS)) for name in (first, second))
    return compare(*sides, benches=True)


def _called(connection: Connection, scope: Scope) -> str:
    """The version of a driver and the beginning of its hash, since two builds may have the same version."""
    hashed = {one.driver_sha256[:8]: one.driver_version for one in queries.all_drivers(connection, scope)}
    return "driver " + " ".join(f"{version} ({short})" for short, version in hashed.items())


def _side(connection: Connection, name: str, scope: Scope) -> Side:
    return Side(name, queries.tallies(connection, scope), queries.figures(connection, scope))


def _just(run: Run) -> Scope:
    return Scope(bench=run.bench, since=run.started, until=run.started + _SHORTEST, faults=True)
