"""A series over runs: one figure a run, moves judged by what is better."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hil.history.model import Point, Series
from hil.history.trends import by_weight, trend_of

START = datetime(2026, 11, 1, tzinfo=UTC)


def series(values: list[list[float]], *, unit: str = "Mbit/s", at_most: float | None = None) -> Series:
    """A list for each run."""
    points = tuple(
        Point(run, f"run-{run}", START + timedelta(days=run), "AA", "1.0", "passed", value, None, at_most)
        for run, taken in enumerate(values)
        for value in taken
    )
    return Series("tcp", unit, "desk", "a::test", points)


def test_one_figure_for_each_run() -> None:
    """Eight repetitions of one night count as one night: the median, told with how many it is of."""
    trend = trend_of(series([[1.0, 9.0, 2.0], [5.0]]), 300)
    assert (trend.values, trend.taken) == ((2.0, 5.0), (3, 1))
    assert [point.run for point in trend.points] == ["run-0", "run-1"]


def test_the_newest_runs() -> None:
    """Only so many as a chart can show, and those are the newest."""
    trend = trend_of(series([[float(n)] for n in range(50)]), 10)
    assert trend.values == tuple(map(float, range(40, 50)))


def test_a_move_has_its_run_and_its_word() -> None:
    """The run where it began, by how much, and whether that is bad: less of a rate is, less of a time is not."""
    slower = [[940.0]] * 20 + [[846.0]] * 6
    (move,) = trend_of(series(slower), 300).moves
    assert (move.point.run, move.kind, round(move.share, 3), move.lasts) == ("run-20", "regression", -0.1, True)
    assert trend_of(series(slower, unit="s"), 300).moves[0].kind == "progression"
    assert trend_of(series(slower, unit=""), 300).moves[0].kind == "change"
    assert trend_of(series(slower, unit="", at_most=1000.0), 300).moves[0].kind == "progression"


def test_what_lasts_comes_first() -> None:
    """A regression that is there today stands before one that was mended, however new that is."""
    mended = trend_of(series([[940.0]] * 30 + [[846.0]] * 10 + [[940.0]] * 10), 300)
    lasting = trend_of(series([[940.0]] * 20 + [[846.0]] * 30), 300)
    ordered = by_weight([*mended.moves, *lasting.moves])
    assert [(move.point.run, move.kind) for move in ordered] == [
        ("run-20", "regression"), ("run-40", "progression"), ("run-30", "regression"),
    ]  # fmt: skip


def test_what_is_no_number() -> None:
    """A figure that is infinite or none is left out, and breaks no page."""
    trend = trend_of(series([[1.0], [math.inf], [2.0]]), 300)
    assert trend.values == (1.0, 2.0)
