"""Tests that answer now so and now so, though neither driver nor bench changed; with how far that is known.

A test that changed its answer once and kept the new one is not flaky: something moved. So only the runs since the last
step count, and in them the answer has to change twice at least. What the device answered and whether the bench let it
answer are told apart: a test may be flaky on either side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

from hil.history import confidence
from hil.history.model import Outcome
from hil.history.steps import groups

Side = Literal["device", "bench"]
_LEAST_CHANGES = 2


@dataclass(frozen=True)
class Flaky:
    """A test on one bench with one driver; ``low`` and ``high`` hold its failure rate with 95 % confidence.

    ``side`` device: the device passed and failed; bench: it was asked or could not be asked. ``failures`` of ``runs``.
    """

    side: Side
    test: str
    bench: str
    driver_sha256: str
    driver_version: str
    failures: int
    runs: int
    low: float
    high: float
    since: datetime
    """The first run that counts."""
    last_failure: datetime
    causes: tuple[str, ...]
    """Of the failures, the most frequent first, each in the words of one of them."""


def flaky(outcomes: Iterable[Outcome]) -> list[Flaky]:
    """Those that surely fail most often first. Outcomes of many tests, in any order."""
    apart: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        apart[one.test, one.bench, one.driver_sha256].append(one)
    found = []
    for same in apart.values():
        same.sort(key=lambda one: (one.run_started, one.number))
        answers = [one for one in same if one.verdict in ("passed", "failed")]
        asked = [one for one in same if one.verdict in ("passed", "failed", "error")]
        found += [_flaky("device", answers, "failed"), _flaky("bench", asked, "error")]
    return sorted((one for one in found if one is not None), key=lambda one: (-one.low, -one.runs, one.test))


def _flaky(side: Side, outcomes: Sequence[Outcome], bad: str) -> Flaky | None:
    failed = [float(one.verdict == bad) for one in outcomes]
    if not 0 < sum(failed) < len(failed):
        return None
    since = groups(failed)[-1].start
    outcomes, failed = outcomes[since:], failed[since:]
    if sum(one != other for one, other in pairwise(failed)) < _LEAST_CHANGES:
        return None
    failures = [one for one in outcomes if one.verdict == bad]
    newest = failures[-1]
    low, high = confidence.interval(len(failures), len(outcomes))
    return Flaky(
        side, newest.test, newest.bench, newest.driver_sha256, newest.driver_version, len(failures), len(outcomes),
        low, high, outcomes[0].run_started, newest.run_started, _by_frequency(failures),
    )  # fmt: skip


def _by_frequency(failures: Iterable[Outcome]) -> tuple[str, ...]:
    """The first error of each cause."""
    same: dict[str, list[str]] = defaultdict(list)
    for one in failures:
        same[one.cause].append(one.first_error)
    return tuple(errors[0] for errors in sorted(same.values(), key=len, reverse=True))
