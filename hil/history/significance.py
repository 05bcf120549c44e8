"""Whether two samples differ by more than chance, exactly where they are small; no assumption on their noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb, exp, lgamma, sqrt
from statistics import NormalDist, fmean

from hil.history.ranks import ties

ALPHA = 0.01
"""Chance at which a difference is told where there is none: of a hundred figures that did not move, one."""
_EXACT_RUNS = 12
"""In both samples together; above, the normal law is within a few thousandths."""


def can_tell(first: int, second: int, alpha: float = ALPHA) -> bool:
    """Whether samples of these sizes could show a difference at all, however large."""
    return first > 0 and second > 0 and 2 / comb(first + second, first) <= alpha


def ranks_differ(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p-value of Mann and Whitney's rank sum test (H. B. Mann, D. R. Whitney, 1947); 1.0 for no value."""
    if not first or not second:
        return 1.0
    places = _ranks([*first, *second])
    runs, few = len(places), len(first)
    expected = few * (runs + 1) / 2
    off = abs(sum(places[:few]) - expected)
    if runs <= _EXACT_RUNS:
        as_far = sum(abs(sum(chosen) - expected) >= off - 1e-9 for chosen in combinations(places, few))
        return as_far / comb(runs, few)
    mean = fmean(places)
    variance = few * (runs - few) / (runs - 1) * fmean((rank - mean) ** 2 for rank in places)
    if variance == 0:
        return 1.0
    return 2 * (1 - NormalDist().cdf(max(0.0, off - 0.5) / sqrt(variance)))


def rates_differ(failures: int, runs: int, other_failures: int, other_runs: int) -> float:
    """Two-sided p-value of Fisher's exact test (R. A. Fisher, 1934) of two failure rates."""
    bad = failures + other_failures
    ways = {
        count: exp(_log_comb(runs, count) + _log_comb(other_runs, bad - count) - _log_comb(runs + other_runs, bad))
        for count in range(max(0, bad - other_runs), min(runs, bad) + 1)
    }
    return min(1.0, sum(way for way in ways.values() if way <= ways[failures] * (1 + 1e-9)))


def _log_comb(runs: int, chosen: int) -> float:
    return lgamma(runs + 1) - lgamma(chosen + 1) - lgamma(runs - chosen + 1)


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of theirs."""
    ranks = [0.0] * len(values)
    for less, places in ties(values):
        for place in places:
            ranks[place] = less + (1 + len(places)) / 2
    return ranks
