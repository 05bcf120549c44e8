"""Hours that benches took and gave no answer for: tests that ended in errors, and times without any answer at all.

What brings a bench back after a test (``hil.run.recover``) is part of that test's time, so it counts here too. A test
that failed is no loss: the device answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hil.history.model import Lost, Run


@dataclass(frozen=True)
class Outage:
    """No run of this bench got any answer of a device from ``begin`` until ``end``; None while that lasts.

    ``reason`` is what the first of its runs said, empty where it said nothing.
    """

    bench: str
    begin: datetime
    end: datetime | None
    runs: int
    reason: str

    def hours(self, now: datetime) -> float:
        return ((self.end or now) - self.begin).total_seconds() / 3600


@dataclass(frozen=True)
class BenchLoss:
    """Of one bench: seconds in errors by cause, tests that never began, and outages."""

    bench: str
    tests_s: float
    """All the time that tests took, lost or not."""
    errors_s: float
    errors: int
    never_began: int
    """Collected, but the run ended before."""
    causes: tuple[Lost, ...]
    outages: tuple[Outage, ...]

    @property
    def share(self) -> float:
        return self.errors_s / self.tests_s if self.tests_s else 0.0


def time_lost(runs: Iterable[Run], lost: Iterable[Lost]) -> list[BenchLoss]:
    """By bench, the greatest loss first; of the same runs, in any order."""
    by_bench: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_bench[run.bench].append(run)
    causes: dict[str, list[Lost]] = defaultdict(list)
    for one in lost:
        causes[one.bench].append(one)
    losses = [_loss(bench, sorted(own, key=lambda run: run.started), causes[bench]) for bench, own in by_bench.items()]
    return sorted(losses, key=lambda loss: -loss.errors_s)


def _loss(bench: str, runs: Sequence[Run], causes: Sequence[Lost]) -> BenchLoss:
    return BenchLoss(
        bench=bench,
        tests_s=sum(run.tests_s for run in runs),
        errors_s=sum(one.duration_s for one in causes),
        errors=sum(one.count for one in causes),
        never_began=sum(max(0, run.collected - _ended(run)) for run in runs),
        causes=tuple(sorted(causes, key=lambda one: -one.duration_s)),
        outages=tuple(_outages(bench, runs)),
    )


def _ended(run: Run) -> int:
    return run.passed + run.failed + run.error + run.skipped + run.interrupted


def _outages(bench: str, runs: Sequence[Run]) -> Iterable[Outage]:
    """``runs`` oldest first. A run that only skipped asked nothing, and says nothing of the bench."""
    silent: list[Run] = []
    for run in runs:
        if run.passed + run.failed:
            if silent:
                yield _outage(bench, silent, run.started)
            silent = []
        elif run.error or run.collected > _ended(run):
            silent.append(run)
    if silent:
        yield _outage(bench, silent, None)


def _outage(bench: str, silent: Sequence[Run], end: datetime | None) -> Outage:
    return Outage(bench, silent[0].started, end, len(silent), silent[0].reason)
