"""What is usual for a figure on its own bench, and whether a new one is too low to be noise.

A limit says what any bench must reach; a driver that was far above it can lose much before it meets it. The usual is
the median of the newest passing runs on this bench. Below it a new figure may lie by the greater of

- ``margin``, a share of the median that is not worth a person's time, and
- ``k`` times the noise, which is the median distance from the median, times 1.4826: for Gaussian noise that is its
  standard deviation, and runs that were out of line hardly move it.

``k`` takes account of how little a few runs say of their noise: of ten thousand good figures one is called too low.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection, select

from hil.clock import utc_now
from hil.errors import UsageError
from hil.history.model import Scope
from hil.history.queries import meant
from hil.history.schema import acceptances, benches, measurements, quantities, results, runs, tests

LEAST, MOST = 8, 40
"""Runs that make a baseline: of fewer nothing is usual yet; older ones are another season."""
MARGIN = 0.05
_GAUSSIAN = 1.4826
_K = ((8, 18.0), (10, 13.0), (12, 10.6), (16, 8.0), (20, 6.6), (30, 5.5), (40, 4.9))
"""Runs, and the k that one figure in ten thousand exceeds when all are of the same Gaussian noise: by simulation."""


@dataclass(frozen=True)
class Baseline:
    """The figures of earlier runs, the newest first; at least ``LEAST`` of them."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def noise(self) -> float:
        """As a standard deviation."""
        median = self.median
        return _GAUSSIAN * statistics.median(abs(value - median) for value in self.values)

    @property
    def k(self) -> float:
        return _K[bisect_right(_K, (len(self.values), float("inf"))) - 1][1]

    def least(self, margin: float = MARGIN) -> float:
        """What a new figure must reach."""
        return self.median - max(margin * self.median, self.k * self.noise)

    def explained(self, margin: float = MARGIN) -> str:
        """The sum behind :meth:`least`, and the newest figures that it was made of."""
        newest = ", ".join(f"{value:.4g}" for value in self.values[:LEAST])
        return (
            f"median {self.median:.4g} of the newest {len(self.values)} passes here, less the greater of "
            f"{margin:.0%} of it ({margin * self.median:.3g}) and {self.k:g} times their noise of {self.noise:.3g} "
            f"({self.k * self.noise:.3g}); the newest were {newest}"
        )


def earlier(
    connection: Connection, bench: str, test: str, measurement: str, unit: str, *, verified: bool = False
) -> Baseline | None:
    """The baseline of a figure on ``bench`` (as in :class:`Scope`), None while too few runs are known.

    A figure counts when its test passed, without deliberate defects, and with Driver Verifier as now.
    """
    key = _key(connection, test, measurement, unit)
    if key is None:
        return None
    accepted = (
        select(sa.func.max(acceptances.c.since))
        .join_from(acceptances, benches)
        .where(acceptances.c.test_id == key[0], acceptances.c.quantity_id == key[1])
        .where(*meant(Scope(bench=bench, faults=True)))
    )
    since: datetime | None = connection.execute(accepted).scalar()
    figures = (
        select(runs.c.started, results.c.run_id, measurements.c.value)
        .join_from(measurements, results)
        .join(runs, results.c.run_id == runs.c.id)
        .join(benches)
        .where(measurements.c.test_id == key[0], measurements.c.quantity_id == key[1])
        .where(*meant(Scope(bench=bench, since=since)), results.c.verdict == "passed")
        .where(results.c.verifier != "" if verified else results.c.verifier == "")
        .order_by(runs.c.started.desc(), results.c.run_id)
    )
    values = []
    with connection.execute(figures) as rows:
        # a run that repeated a test is one run: the scatter within it says nothing of the nights
        for _, of_run in groupby(rows, key=lambda row: row.run_id):
            values.append(statistics.median(row.value for row in of_run))
            if len(values) == MOST:
                break
    return Baseline(tuple(values)) if len(values) >= LEAST else None


def _key(connection: Connection, test: str, measurement: str, unit: str) -> tuple[int, int] | None:
    """Numbers of test and quantity, looked up first: a database that has no statistics yet would join all of both."""
    test_id = connection.execute(select(tests.c.id).where(tests.c.name == test)).scalar()
    named = (quantities.c.name == measurement, quantities.c.unit == unit)
    quantity_id = connection.execute(select(quantities.c.id).where(*named)).scalar()
    return None if test_id is None or quantity_id is None else (test_id, quantity_id)


def accept(
    connection: Connection, bench: str, test: str, measurement: str, *, since: datetime, who: str, why: str
) -> None:
    """From ``since`` on a new baseline is made of a figure: older runs are not compared with any more.

    Raises UsageError where the history knows no such figure.
    """
    found = connection.execute(
        select(benches.c.id, tests.c.id, quantities.c.id)
        .distinct()
        .join_from(measurements, quantities)
        .join(tests, measurements.c.test_id == tests.c.id)
        .join(runs, measurements.c.run_id == runs.c.id)
        .join(benches)
        .where(tests.c.name == test, quantities.c.name == measurement, *meant(Scope(bench=bench, faults=True)))
    ).all()
    if not found:
        raise UsageError(
            "a measurement that this test took on this bench", seen=f"no {measurement!r} of {test}", where=bench,
            next_step="hil history trend MEASUREMENT shows benches and tests",
        )  # fmt: skip
    rows = [
        {"bench_id": bench_id, "test_id": test_id, "quantity_id": quantity_id, "since": since, "accepted": utc_now(),
         "who": who, "why": why}
        for bench_id, test_id, quantity_id in found
    ]  # fmt: skip
    connection.execute(acceptances.insert(), rows)
