"""What the history answers, the same from both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from a_run import a_run, a_test, bench, device
from sqlalchemy import Connection

from hil.errors import UsageError
from hil.history import queries
from hil.history.importing import import_run
from hil.history.model import Scope
from hil.history.store import History
from hil.results.model import Measurement, TestResult

BEGIN = datetime(2026, 11, 1, 20, tzinfo=UTC)
OLD, NEW = "AA" * 32, "BB" * 32
GOOD, FLAKY, LOST = (f"suites/test_pnp.py::{name}" for name in ("test_good", "test_flaky", "test_lost"))


def night(number: int) -> list[TestResult]:
    return [
        a_test("test_good", "passed", measurements=(Measurement("tcp", 940.0 + number, "Mbit/s", at_least=913.0),)),
        a_test("test_flaky", *(("failed", device("700")) if number % 2 else ("passed",))),
        a_test("test_lost", "error", bench(f"relay stuck for {number} s")),
    ]


@pytest.fixture(scope="module")
def filled(databases, tmp_path_factory) -> Iterator[History]:
    """Six nights on two benches, the last two with a new driver."""
    folder: Path = tmp_path_factory.mktemp("nights")
    with History(databases.ready()) as history:
        for number in range(6):
            facts = {"driver SHA-256": NEW if number > 3 else OLD, "driver version": "2.1" if number > 3 else "2.0"}
            started = (BEGIN + timedelta(days=number)).isoformat()
            place = folder / f"night-{number}"
            a_run(place, night(number), started=started, controller="east" if number % 2 else "west", facts=facts)
            import_run(history, place)
        yield history


@pytest.fixture
def connection(filled) -> Iterator[Connection]:
    with filled.reading() as connection:
        yield connection


def names(connection: Connection, scope: Scope) -> str:
    return "".join(run.name[-1] for run in queries.all_runs(connection, scope))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), "543210"),
        (Scope(bench="desk"), "543210"),
        (Scope(bench="desk@east"), "531"),
        (Scope(bench="des"), ""),
        (Scope(driver="2.1"), "54"),
        (Scope(driver="aaaa"), "3210"),
        (Scope(driver="%"), ""),
        (Scope(since=BEGIN + timedelta(days=2)), "5432"),
        (Scope(until=BEGIN + timedelta(days=2)), "10"),
        (Scope(newest=2), "54"),
        (Scope(bench="desk@west", driver="2.0", newest=1), "2"),
    ],
)
def test_which_runs_are_meant(connection, scope, expected):
    """A scope means the same runs in every query; times are what they were, wherever the server stands."""
    assert names(connection, scope) == expected


def test_benches_drivers_and_measurements(connection):
    """What a person can choose from."""
    assert [(one.bench, one.runs, one.results) for one in queries.all_benches(connection)] == [
        ("desk@east", 3, 9), ("desk@west", 3, 9)
    ]  # fmt: skip
    assert [(one.driver_version, one.driver_sha256, one.runs) for one in queries.all_drivers(connection)] == [
        ("2.1", NEW, 2), ("2.0", OLD, 4)
    ]  # fmt: skip
    assert [(one.name, one.unit, one.tests, one.points) for one in queries.all_quantities(connection)] == [
        ("tcp", "Mbit/s", 1, 6)
    ]  # fmt: skip
    assert queries.all_quantities(connection, Scope(newest=2))[0].points == 2


def test_a_trend_is_told_by_bench(connection):
    """One line of figures for each bench, the oldest first; a limit on points leaves out the oldest."""
    east, west = queries.trend(connection, "tcp")
    assert (east.bench, west.bench, east.test, east.unit) == ("desk@east", "desk@west", GOOD, "Mbit/s")
    assert [point.value for point in east.points] == [941.0, 943.0, 945.0]
    assert [(point.run, point.driver_version) for point in west.points][-1] == ("night-4", "2.1")
    assert west.points[0].started == BEGIN
    assert [point.value for one in queries.trend(connection, "tcp", most=2) for point in one.points] == [945.0, 944.0]
    assert queries.trend(connection, "tcp", test="suites/test_pnp.py::test_g") == [east, west]
    assert queries.trend(connection, "tcp", test="suites/test_pnp%") == queries.trend(connection, "udp") == []


def test_outcomes_of_a_test_and_of_a_run(connection):
    """Both ways through the same results."""
    assert [one.verdict for one in queries.outcomes(connection, FLAKY)] == ["passed", "failed"] * 3
    assert [one.verdict for one in queries.outcomes(connection, FLAKY, Scope(driver="2.1"))] == ["passed", "failed"]
    run = queries.the_run(connection, "night-3")
    assert [(one.test, one.number) for one in queries.results_of(connection, run.id)] == [
        (GOOD, 1), (FLAKY, 2), (LOST, 3)
    ]  # fmt: skip
    with pytest.raises(UsageError, match="a run that the history knows"):
        queries.the_run(connection, "night-9")


def test_tallies(connection):
    """How often each test ended how, on which bench, with which driver."""
    found = [(one.bench, one.driver_version, one.verdict, one.count) for one in queries.tallies(connection, test=FLAKY)]
    assert sorted(found) == [
        ("desk@east", "2.0", "failed", 2), ("desk@east", "2.1", "failed", 1),
        ("desk@west", "2.0", "passed", 2), ("desk@west", "2.1", "passed", 1),
    ]  # fmt: skip
    everything = queries.tallies(connection)
    assert (sum(one.count for one in everything), len({one.test for one in everything})) == (18, 3)
    assert sum(one.count for one in queries.tallies(connection, Scope(newest=1))) == 3


def test_time_lost(connection):
    """Only what says nothing of the device, and one cause is one however its figures differ."""
    found = [(one.bench, one.family, one.cause, one.count, one.duration_s) for one in queries.lost_time(connection)]
    cause = "BenchError: relay stuck for # s"
    assert sorted(found) == [("desk@east", "bench", cause, 3, 4.5), ("desk@west", "bench", cause, 3, 4.5)]


def test_expected_durations(connection):
    """The median of the newest runs of this bench, of passes where there are any."""
    assert queries.expected_durations(connection, "desk@east") == {GOOD: 1.5, FLAKY: 1.5, LOST: 1.5}
    assert queries.expected_durations(connection, "other") == {}
