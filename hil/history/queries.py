"""What can be asked of the history. Each function takes a connection of :meth:`hil.history.store.History.reading`.

Each answers within a second from a million results (``benchmarks/history.py``): databases count, Python does not.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, func, select

from hil.errors import UsageError
from hil.history.model import ALL, Bench, Driver, Figure, Lost, Outcome, Point, Quantity, Run, Scope, Series, Tally
from hil.history.schema import VERDICTS, benches, measurements, quantities, results, runs, tests

NEWEST_RUNS = 20
"""Of a bench: what its durations are estimated from."""
TALLIED_RUNS = 1000
_BENCH = benches.c.name + sa.case((benches.c.controller == "", ""), else_="@" + benches.c.controller)
_RUN = (
    runs.c.id, runs.c.name, _BENCH.label("bench"), *(runs.c[name] for name in (
        "started", "ended", "exit_code", "reason", "driver_sha256", "driver_version", "windows", "firmware", "verifier",
        "seed", "hil", "faults", "collected", *VERDICTS, "tests_s",
    )),
)  # fmt: skip
_OUTCOME = (
    runs.c.id.label("run_id"), runs.c.name.label("run"), _BENCH.label("bench"), runs.c.started.label("run_started"),
    runs.c.driver_sha256, runs.c.driver_version, results.c.number, tests.c.name.label("test"), results.c.verdict,
    results.c.started, results.c.duration_s, results.c.family, results.c.cause, results.c.first_error, results.c.bucket,
)  # fmt: skip


def all_benches(connection: Connection) -> list[Bench]:
    """Those that a run is known of, the one that ran last first."""
    counted = sum((runs.c[verdict] for verdict in VERDICTS), start=sa.literal(0))
    last = func.max(runs.c.started).label("last")
    query = (
        select(
            _BENCH.label("bench"), func.count().label("runs"), func.sum(counted).label("results"),
            func.min(runs.c.started).label("first"), last,
        )
        .join_from(runs, benches)
        .group_by(benches.c.id)
        .order_by(last.desc())
    )  # fmt: skip
    return [Bench(**row._mapping) for row in connection.execute(query)]


def all_drivers(connection: Connection, scope: Scope = ALL) -> list[Driver]:
    """Those that a run is known of, the newest first."""
    last = func.max(runs.c.started).label("last")
    version = func.max(runs.c.driver_version).label("driver_version")
    query = (
        select(
            runs.c.driver_sha256, version, func.count().label("runs"), func.min(runs.c.started).label("first"), last
        )
        .join_from(runs, benches)
        .where(*meant(scope), runs.c.driver_sha256 != "")
        .group_by(runs.c.driver_sha256)
        .order_by(last.desc())
    )
    return [Driver(**row._mapping) for row in connection.execute(query)]


def all_runs(connection: Connection, scope: Scope = ALL) -> list[Run]:
    """The newest first."""
    query = select(*_RUN).join_from(runs, benches).where(*meant(scope)).order_by(runs.c.started.desc(), runs.c.id)
    return [Run(**row._mapping) for row in connection.execute(query)]


def the_run(connection: Connection, name: str) -> Run:
    """The run of this name, the newest one where several controllers have one. Raises UsageError for none."""
    query = select(*_RUN).join_from(runs, benches).where(runs.c.name == name).order_by(runs.c.started.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        raise UsageError(
            "a run that the history knows", seen=repr(name), next_step="hil history, or hil history import FOLDER"
        )  # fmt: skip
    return Run(**row._mapping)


def results_of(connection: Connection, run_id: int) -> list[Outcome]:
    """All of one run, in their order."""
    query = _outcomes().where(results.c.run_id == run_id).order_by(results.c.number)
    return [Outcome(**row._mapping) for row in connection.execute(query)]


def outcomes(connection: Connection, test: str, scope: Scope = ALL) -> list[Outcome]:
    """All of one test, oldest first."""
    query = _outcomes().where(tests.c.name == test, *meant(scope)).order_by(runs.c.started, results.c.number)
    return [Outcome(**row._mapping) for row in connection.execute(query)]


def tallies(connection: Connection, scope: Scope = ALL, test: str = "") -> list[Tally]:
    """How often each test ended how, by bench and driver. A test is its node id, or the beginning of one.

    Without a test and a number of runs in the scope it is the newest ``TALLIED_RUNS`` of those that are meant.
    """
    scope = scope if test or scope.newest else replace(scope, newest=TALLIED_RUNS)
    counted = (
        select(
            results.c.test_id, results.c.verdict, runs.c.bench_id, runs.c.driver_sha256,
            func.max(runs.c.driver_version).label("driver_version"), func.count().label("count"),
            func.sum(results.c.duration_s).label("duration_s"), func.max(runs.c.started).label("last"),
        )
        .join_from(results, runs)
        .join(benches)
        .where(*meant(scope), *([results.c.test_id.in_(_tests_named(test))] if test else []))
        .group_by(results.c.test_id, results.c.verdict, runs.c.bench_id, runs.c.driver_sha256)
        .subquery()
    )  # fmt: skip
    names = ("driver_sha256", "driver_version", "verdict", "count", "duration_s", "last")
    query = (
        select(tests.c.name.label("test"), _BENCH.label("bench"), *(counted.c[name] for name in names))
        .join_from(counted, tests, counted.c.test_id == tests.c.id)
        .join(benches, counted.c.bench_id == benches.c.id)
        .order_by(tests.c.name, benches.c.id, counted.c.last, counted.c.verdict)
    )
    return [Tally(**row._mapping) for row in connection.execute(query)]


def lost_time(connection: Connection, scope: Scope = ALL) -> list[Lost]:
    """By bench and cause, the greatest loss first."""
    lost = func.sum(results.c.duration_s).label("duration_s")
    query = (
        select(
            _BENCH.label("bench"), results.c.family, results.c.cause,
            func.min(results.c.first_error).label("first_error"), func.count().label("count"), lost,
            func.max(runs.c.started).label("last"),
        )
        .join_from(results, runs)
        .join(benches)
        .where(*meant(scope), results.c.family != "", results.c.family != "device")
        .group_by(benches.c.id, results.c.family, results.c.cause)
        .order_by(lost.desc())
    )  # fmt: skip
    return [Lost(**row._mapping) for row in connection.execute(query)]


def all_quantities(connection: Connection, scope: Scope = ALL) -> list[Quantity]:
    """Every measurement that was ever taken in the runs that are meant, by name."""
    counted = select(
        measurements.c.quantity_id, func.count(measurements.c.test_id.distinct()).label("tests"),
        func.count().label("points"),
    ).group_by(measurements.c.quantity_id)  # fmt: skip
    if scope != Scope(faults=True):
        counted = counted.where(measurements.c.run_id.in_(_run_ids(scope)))
    each = counted.subquery()
    query = (
        select(quantities.c.name, quantities.c.unit, each.c.tests, each.c.points)
        .join_from(each, quantities, each.c.quantity_id == quantities.c.id)
        .order_by(quantities.c.name, quantities.c.unit)
    )
    return [Quantity(**row._mapping) for row in connection.execute(query)]


def trend(
    connection: Connection, measurement: str, scope: Scope = ALL, test: str = "", *, most: int = 20_000
) -> list[Series]:
    """A measurement by bench and test (its node id, or the beginning of one); at most the newest ``most`` points."""
    # looked up first: a database without statistics could not know that a name means few of the measurements
    ids = connection.execute(select(quantities.c.id).where(quantities.c.name == measurement)).scalars().all()
    query = (
        select(
            quantities.c.unit, _BENCH.label("bench"), tests.c.name.label("test"), runs.c.id.label("run_id"),
            runs.c.name.label("run"), runs.c.started, runs.c.driver_sha256, runs.c.driver_version,
            measurements.c.verdict, measurements.c.value, measurements.c.at_least, measurements.c.at_most,
        )
        .join_from(quantities, measurements)
        .join(runs, measurements.c.run_id == runs.c.id)
        .join(benches)
        .join(tests, measurements.c.test_id == tests.c.id)
        .where(measurements.c.quantity_id.in_(ids), *meant(scope))
        .where(*([measurements.c.test_id.in_(_tests_named(test))] if test else []))
        .order_by(runs.c.started.desc(), measurements.c.result.desc(), measurements.c.number.desc())
        .limit(most)
    )  # fmt: skip
    found: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
    for unit, bench, name, *point in connection.execute(query):
        found[bench, name, unit].append(Point(*point))
    return [
        Series(measurement, unit, bench, name, tuple(reversed(points)))
        for (bench, name, unit), points in sorted(found.items())
    ]


def figures(connection: Connection, scope: Scope) -> list[Figure]:
    """All measurements of all tests in the runs that are meant, one figure for each run: the median of several;
    oldest first.
    """
    query = (
        select(
            tests.c.name, quantities.c.name, quantities.c.unit, _BENCH, runs.c.id, measurements.c.value,
            measurements.c.at_least, measurements.c.at_most,
        )
        .join_from(measurements, runs, measurements.c.run_id == runs.c.id)
        .join(benches)
        .join(tests, measurements.c.test_id == tests.c.id)
        .join(quantities)
        .where(*meant(scope))
        .order_by(runs.c.started)
    )  # fmt: skip
    values: dict[tuple[str, str, str, str, int], list[float]] = defaultdict(list)
    limits: dict[tuple[str, str, str, str, int], tuple[float | None, float | None]] = {}
    for *key, value, at_least, at_most in connection.execute(query):
        test, name, unit, bench, run_id = key
        values[test, name, unit, bench, run_id].append(value)
        limits[test, name, unit, bench, run_id] = at_least, at_most
    return [Figure(*key, statistics.median(found), *limits[key]) for key, found in values.items()]


def mixed_outcomes(connection: Connection, scope: Scope = ALL) -> list[Outcome]:
    """Of tests that ended in more than one of passed, failed and error with one driver on one bench: those outcomes.

    Without those of runs that got no answer at all, in which the whole bench was out, and no test of it flaky.
    """
    asked = sa.and_(results.c.verdict.in_(("passed", "failed", "error")), runs.c.passed + runs.c.failed > 0)
    mixed = (
        select(results.c.test_id, runs.c.bench_id, runs.c.driver_sha256)
        .join_from(results, runs)
        .join(benches)
        .where(asked, *meant(scope))
        .group_by(results.c.test_id, runs.c.bench_id, runs.c.driver_sha256)
        .having(func.min(results.c.verdict) != func.max(results.c.verdict))
        .subquery()
    )
    query = _outcomes().where(asked, *meant(scope)).join(
        mixed,
        sa.and_(
            mixed.c.test_id == results.c.test_id, mixed.c.bench_id == runs.c.bench_id,
            mixed.c.driver_sha256 == runs.c.driver_sha256,
        ),
    )  # fmt: skip
    return [Outcome(*row) for row in connection.execute(query)]


def expected_durations(connection: Connection, bench: str) -> dict[str, float]:
    """Seconds that each test takes on this bench: the median of its passes in the newest runs, or else of its fails.

    ``bench`` as in :class:`Scope`. A test that never ran there is not in it.
    """
    query = (
        select(tests.c.name, results.c.verdict == "passed", results.c.duration_s)
        .join_from(results, tests)
        .where(results.c.run_id.in_(_run_ids(Scope(bench=bench, newest=NEWEST_RUNS))))
        .where(results.c.verdict.in_(("passed", "failed", "error")))
    )
    passes: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    for test, passed, duration_s in connection.execute(query):
        (passes if passed else others)[test].append(duration_s)
    return {test: statistics.median(passes.get(test) or others[test]) for test in passes.keys() | others.keys()}


def _outcomes() -> sa.Select[Any]:
    return (
        select(*_OUTCOME)
        .join_from(results, runs, results.c.run_id == runs.c.id)
        .join(benches)
        .join(tests, results.c.test_id == tests.c.id)
    )


def _tests_named(start: str) -> sa.Select[tuple[int]]:
    return select(tests.c.id).where(tests.c.name.startswith(start, autoescape=True))


def _run_ids(scope: Scope) -> sa.Select[tuple[int]]:
    return select(runs.c.id).join_from(runs, benches).where(*meant(scope))


def meant(scope: Scope) -> Iterable[ColumnElement[bool]]:
    """The scope as conditions on ``runs`` and ``benches``."""
    name, _, controller = scope.bench.partition("@")
    if name:
        yield benches.c.name == name
    if controller:
        yield benches.c.controller == controller
    if scope.driver:
        hashed = runs.c.driver_sha256.startswith(scope.driver.upper(), autoescape=True)
        yield sa.or_(runs.c.driver_version == scope.driver, hashed)
    if scope.since is not None:
        yield runs.c.started >= scope.since
    if scope.until is not None:
        yield runs.c.started < scope.until
    if not scope.faults:
        yield runs.c.faults == ""
    if scope.newest is not None:
        newest = _run_ids(replace(scope, newest=None)).order_by(runs.c.started.desc()).limit(scope.newest)
        # a subquery of its own: databases do not limit in a plain IN
        yield runs.c.id.in_(select(newest.subquery().c.id))
