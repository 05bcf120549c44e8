"""Where a figure really moved: runs in groups that differ from their neighbours by more than noise can.

Grouping runs is the idea of jumpavg (FD.io CSIT, "Trend Analysis"); the test is another one, since jumpavg takes
outliers for groups of their own (``benchmarks/history_pages.py`` shows how often). Here only the order of the values
counts: a stretch of runs is compared with the rest by its normal scores (B. L. van der Waerden, 1952), so that false
alarms are as rare for any noise as for Gaussian noise, as long as its runs do not depend on each other. A stretch is
compared with both its sides at once (circular binary segmentation; Olshen and others, Biostatistics 5, 2004), else a
fault that was mended would hide between its neighbours.

Order alone says little of few runs. A stretch that is farther away from the rest than the rest is wide is a step too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import fsum, log, sqrt
from statistics import NormalDist, fmean, median

from hil.history.ranks import ties

LEAST_GROUP = 3
"""Runs in a row that make a group."""
LEAST_RUNS = 12
"""Of fewer, chance alone would part some as clearly."""
_BOUNDS = (
    (14, 2.98), (16, 3.14), (20, 3.32), (25, 3.45), (32, 3.61), (50, 3.87), (100, 4.08), (200, 4.38), (400, 4.55),
    (1000, 5.0), (10_000, 5.7),
)  # fmt: skip
"""Runs, and what the score of the best stretch in so many exceeds by chance once in 200 times: found by shuffling."""
_PAIR = 3.5
"""Score from which two neighbours differ; short ones that cannot reach it must nearly part high from low."""
_NEARLY = 0.85
_CORRELATED = 1.75
"""Of its deviation by chance: a correlation of neighbours that is seen."""
_PASSES = 3
"""Fewer groups show more of the correlation."""
_GROWTH = 1.3
"""Of the lengths of stretches that are tried before the best one's ends are found exactly."""


@dataclass(frozen=True)
class Group:
    """Runs from ``start`` up to but not including ``end`` that are alike; ``stdev`` is 0 for a single run."""

    start: int
    end: int
    mean: float
    stdev: float

    @property
    def runs(self) -> int:
        return self.end - self.start


def groups(values: Sequence[float]) -> list[Group]:
    """All runs, oldest first, in groups; a single group when nothing moved. ``values`` has one figure for each run."""
    found = _groups(values, 1.0)
    for _ in range(_PASSES):
        if len(found) > 1 and (spread := _spread(values, found)) > 1:
            found = _groups(values, spread)
    return found


def change(before: Group, after: Group) -> float:
    """By how much the mean moved, as a share of what it was; infinite from 0."""
    moved = after.mean - before.mean
    return moved / abs(before.mean) if before.mean else moved * float("inf")


def judged(before: Group, after: Group, more_is_better: bool | None) -> str:
    """regression or progression; change where nobody said what is better."""
    if more_is_better is None:
        return "change"
    return "progression" if (after.mean > before.mean) == more_is_better else "regression"


def _groups(values: Sequence[float], spread: float) -> list[Group]:
    ends = sorted({0, *_steps(values, 0, len(values), spread), len(values)})
    return [_group(values, start, end) for start, end in pairwise(_settled(values, ends))]


def _spread(values: Sequence[float], found: Sequence[Group]) -> float:
    """By how much chance parts means of runs that each resemble the run before, against runs that do not.

    That of a first-order autoregression, from the correlation of neighbours within groups; 1 where none is seen.
    """
    off = [_scores(values[group.start : group.end]) for group in found]
    squares = sum(score * score for scores in off for score in scores)
    alike = sum(one * other for scores in off for one, other in pairwise(scores)) / squares if squares else 0.0
    return sqrt((1 + alike) / (1 - alike)) if alike > _CORRELATED / sqrt(len(values)) else 1.0


def _group(values: Sequence[float], start: int, end: int) -> Group:
    inside = values[start:end]
    if min(inside) == max(inside):
        return Group(start, end, inside[0], 0.0)
    mean = fmean(inside)
    # statistics.stdev is exact to the last bit, and ten times slower
    squares = fsum((value - mean) ** 2 for value in inside)
    return Group(start, end, mean, sqrt(squares / (end - start - 1)))


def _steps(values: Sequence[float], start: int, end: int, spread: float) -> list[int]:
    """First runs of the groups between, in no order; empty when the runs from start to end are alike."""
    found = _stretch(values[start:end], spread)
    if found is None:
        return []
    ends = [start, start + found[0], start + found[1], end]
    parts = [(one, other) for one, other in pairwise(ends) if one < other]
    return [one for one, _ in parts[1:]] + [step for part in parts for step in _steps(values, *part, spread)]


def _stretch(values: Sequence[float], spread: float) -> tuple[int, int] | None:
    """First run of the stretch that is least like the others, and the run after it; None when all are alike."""
    return (_apart(values) or _standing_out(values, spread)) if len(values) >= LEAST_RUNS else None


def _apart(values: Sequence[float]) -> tuple[int, int] | None:
    """The stretch of runs that is farther from all others than those are from each other."""
    order = sorted(range(len(values)), key=values.__getitem__)
    gaps = [values[after] - values[before] for before, after in pairwise(order)]
    cut = max(range(len(gaps)), key=gaps.__getitem__) + 1
    few, many = sorted((order[:cut], order[cut:]), key=len)
    start, end = min(few), max(few) + 1
    if end - start != len(few) or len(few) < LEAST_GROUP or gaps[cut - 1] <= values[many[-1]] - values[many[0]]:
        return None
    return start, end


def _standing_out(values: Sequence[float], spread: float) -> tuple[int, int] | None:
    """The stretch whose order differs most from that of all others, if by more than chance would."""
    runs = len(values)
    if runs < _BOUNDS[0][0]:
        return None
    sums = [0.0, *accumulate(_scores(values))]
    weights = _weights(runs)
    best = (0.0, 0, 0)
    for length in range(LEAST_GROUP, runs - LEAST_GROUP + 1):
        best = max(best, (abs(sums[length]) * weights[length], 0, length))
    for length in _lengths(runs):
        totals = [abs(after - before) for before, after in zip(sums, sums[length:], strict=False)]
        most = max(totals)
        if most * weights[length] > best[0]:
            start = totals.index(most)
            best = (most * weights[length], start, start + length)
    return best[1:] if best[0] > spread * _bound(runs) else None


def _settled(values: Sequence[float], ends: list[int]) -> list[int]:
    """The same steps, each at the run that parts its two neighbours best, without those that then part nothing."""
    place = 1
    while place < len(ends) - 1:
        start, end = ends[place - 1], ends[place + 1]
        if end - start >= 2 * LEAST_GROUP:
            ends[place] = start + _best_split(values[start:end], ends[place] - start)
        if _differ(values[start:end], ends[place] - start):
            place += 1
        else:
            del ends[place]
            place = max(1, place - 1)
    return ends


def _differ(values: Sequence[float], split: int) -> bool:
    """Whether two neighbours differ from each other, which were found to differ from all others together."""
    highest = sum(_normal_scores(len(values))[-split:])
    score = abs(sum(_scores(values)[:split]))
    return score * _weights(len(values))[split] >= _PAIR or score >= _NEARLY * highest


def _best_split(values: Sequence[float], split: int) -> int:
    """Where most of the runs before lie nearer to the first level, and most of those after nearer to the second."""
    first, second = median(values[:split]), median(values[split:])
    middle, half = (first + second) / 2, (first - second) / 2
    if half == 0:
        return split
    # 1 at the first level and -1 at the second; an outlier counts no more than they do
    sums = [*accumulate(max(-1.0, min(1.0, (value - middle) / half)) for value in values)]
    return max(range(LEAST_GROUP, len(values) - LEAST_GROUP + 1), key=lambda count: sums[count - 1])


def _scores(values: Sequence[float]) -> list[float]:
    """The normal score of each value's rank; equal values share the mean of theirs."""
    by_rank = _normal_scores(len(values))
    scores = [0.0] * len(values)
    for less, places in ties(values):
        score = by_rank[less] if len(places) == 1 else fmean(by_rank[less : less + len(places)])
        for place in places:
            scores[place] = score
    return scores


@lru_cache(maxsize=1024)
def _normal_scores(runs: int) -> tuple[float, ...]:
    normal = NormalDist()
    return tuple(normal.inv_cdf((rank + 1) / (runs + 1)) for rank in range(runs))


@lru_cache(maxsize=1024)
def _weights(runs: int) -> tuple[float, ...]:
    """By the length of a stretch: 1 / the deviation that the sum of its scores has by chance."""
    variance = sum(score * score for score in _normal_scores(runs)) / (runs - 1)
    return (0.0, *(1 / sqrt(variance * length * (runs - length) / runs) for length in range(1, runs)))


def _lengths(runs: int) -> list[int]:
    """From the least group to half of the runs; a longer stretch is the rest of a shorter one or reaches an end."""
    lengths = [LEAST_GROUP]
    while lengths[-1] * _GROWTH < runs // 2:
        lengths.append(max(lengths[-1] + 1, int(lengths[-1] * _GROWTH)))
    return lengths


def _bound(runs: int) -> float:
    """Between the nearest two of ``_BOUNDS``, straight in the logarithm of the runs."""
    place = min(bisect_right(_BOUNDS, (runs, float("inf"))), len(_BOUNDS) - 1)
    (fewer, low), (more, high) = _BOUNDS[place - 1 : place + 1]
    return low + (high - low) * log(runs / fewer) / log(more / fewer)
