"""A measurement over the runs of a bench: one figure a run, in groups, and the moves between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import isfinite
from statistics import median

from hil.history.direction import more_is_better
from hil.history.model import Point, Series
from hil.history.steps import Group, change, groups, judged


@dataclass(frozen=True)
class Move:
    """A figure moved between two groups of runs; ``share`` of what it was, ``kind`` as in :mod:`hil.history.steps`.

    ``lasts`` until now, or has moved on since.
    """

    series: Series
    point: Point
    """The first one after."""
    before: Group
    after: Group
    share: float
    kind: str
    lasts: bool


@dataclass(frozen=True)
class Trend:
    """``values``: one for each run, the median of so many as ``taken``; ``points``: the last one of each run."""

    series: Series
    points: tuple[Point, ...]
    values: tuple[float, ...]
    taken: tuple[int, ...]
    groups: tuple[Group, ...]
    moves: tuple[Move, ...]

    @property
    def now(self) -> Group:
        return self.groups[-1]

    @property
    def last_move(self) -> Move | None:
        return self.moves[-1] if self.moves else None


def trend_of(series: Series, newest: int) -> Trend:
    """Of the newest runs. A series has a finite figure at least; others say nothing of a trend."""
    finite = [point for point in series.points if isfinite(point.value)]
    by_run = [tuple(points) for _, points in groupby(finite, key=lambda point: point.run_id)][-newest:]
    points = tuple(own[-1] for own in by_run)
    values = tuple(median(point.value for point in own) for own in by_run)
    found = tuple(groups(values))
    better = more_is_better(series.unit, points[-1].at_least, points[-1].at_most)
    moves = tuple(
        Move(series, points[after.start], before, after, change(before, after), judged(before, after, better),
             lasts=after is found[-1])
        for before, after in pairwise(found)
    )  # fmt: skip
    return Trend(series, points, values, tuple(map(len, by_run)), found, moves)


def by_weight(moves: Iterable[Move]) -> list[Move]:
    """Regressions that last first, then all others; the newest of each first."""
    return sorted(moves, key=lambda move: (move.kind == "regression" and move.lasts, move.point.started), reverse=True)
