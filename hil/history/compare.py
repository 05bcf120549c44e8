"""Two drivers, two runs or two benches side by side: what differs, and whether chance could have done it.

A test's answers are counted and compared by Fisher's exact test, figures by their ranks; what differs surely is told
apart from one with too few runs to tell. Where runs are too few, a figure is compared with the noise it had before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Literal

from hil.history.direction import more_is_better
from hil.history.model import Figure, Tally
from hil.history.significance import ALPHA, can_tell, ranks_differ, rates_differ
from hil.history.steps import groups

OutcomeKind = Literal[
    "newly failing", "fails more often", "no answer any more", "gone", "newly passing", "fails less often", "new",
]  # fmt: skip
OUTCOME_KINDS: tuple[OutcomeKind, ...] = OutcomeKind.__args__  # type: ignore[attr-defined]
"""What matters most first."""
FigureKind = Literal["regression", "change", "progression", "too few runs", "no difference"]
FIGURE_KINDS: tuple[FigureKind, ...] = FigureKind.__args__  # type: ignore[attr-defined]
LEAST_NOISE_RUNS = 8
"""Earlier runs that noise is told from."""
_DEVIATIONS = 4.0
"""Of noise: so far off, one run alone is told to differ. Noise of few runs is itself known to a third only."""

Key = tuple[str, str, str, str]
"""Test, measurement, unit, bench; no bench where two benches are compared."""


@dataclass(frozen=True)
class Side:
    """What is compared; a ``name`` for people."""

    name: str
    tallies: Sequence[Tally]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Counts:
    """How often a test ended how."""

    passed: int = 0
    failed: int = 0
    error: int = 0
    other: int = 0

    @property
    def answers(self) -> int:
        return self.passed + self.failed

    def __bool__(self) -> bool:
        return bool(self.answers + self.error + self.other)


@dataclass(frozen=True)
class OutcomeChange:
    """A test that ends differently; ``chance`` is how often chance alone would part the two sides so far."""

    test: str
    kind: OutcomeKind
    first: Counts
    second: Counts
    chance: float

    @property
    def sure(self) -> bool:
        return self.chance <= ALPHA


@dataclass(frozen=True)
class FigureChange:
    """A figure on both sides: medians, runs, and by what share the second differs from the first.

    ``by_noise``: there were too few runs for their ranks to tell, but noise of earlier runs is known.
    """

    test: str
    measurement: str
    unit: str
    bench: str
    kind: FigureKind
    first: float
    second: float
    first_runs: int
    second_runs: int
    share: float
    chance: float
    by_noise: bool


@dataclass(frozen=True)
class Comparison:
    """``outcomes`` are those that differ, ``figures`` all that both sides have; what matters most first."""

    first: str
    second: str
    outcomes: tuple[OutcomeChange, ...]
    figures: tuple[FigureChange, ...]
    tests: int
    """That either side knows."""


def compare(
    first: Side, second: Side, *, benches: bool = False, noise: Mapping[Key, float] | None = None
) -> Comparison:
    """``benches``: two benches are compared, so that figures of the one stand beside those of the other.

    ``noise``: standard deviations from :func:`noise_of`.
    """
    before, after = _counts(first.tallies), _counts(second.tallies)
    tests = before.keys() | after.keys()
    changes = [_outcome_change(test, before.get(test, Counts()), after.get(test, Counts())) for test in tests]
    outcomes = sorted(
        (one for one in changes if one is not None),
        key=lambda one: (OUTCOME_KINDS.index(one.kind), one.chance, one.test),
    )
    values, others = (_by_key(side.figures, benches) for side in (first, second))
    figures = [
        _figure_change(key, values[key], others[key], (noise or {}).get(key)) for key in values.keys() & others.keys()
    ]
    figures.sort(key=lambda one: (FIGURE_KINDS.index(one.kind), -abs(one.share), one.measurement, one.test, one.bench))
    return Comparison(first.name, second.name, tuple(outcomes), tuple(figures), len(tests))


def noise_of(figures: Iterable[Figure]) -> dict[Key, float]:
    """The standard deviation of each figure since its last step; ``figures`` oldest first, those with enough runs."""
    series = {key: [one.value for one in found] for key, found in _by_key(figures, benches=False).items()}
    last = {key: groups(values)[-1] for key, values in series.items()}
    return {key: group.stdev for key, group in last.items() if group.runs >= LEAST_NOISE_RUNS}


def _counts(tallies: Iterable[Tally]) -> dict[str, Counts]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in tallies:
        found[one.test][one.verdict if one.verdict in ("passed", "failed", "error") else "other"] += one.count
    return {test: Counts(**counted) for test, counted in found.items()}


def _outcome_change(test: str, first: Counts, second: Counts) -> OutcomeChange | None:
    chance = rates_differ(first.failed, first.answers, second.failed, second.answers)
    more = second.failed * max(1, first.answers) > first.failed * max(1, second.answers)
    # the first that holds is the one that is told
    kinds: tuple[tuple[OutcomeKind, Callable[[], bool]], ...] = (
        ("new", lambda: not first),
        ("gone", lambda: not second),
        ("no answer any more", lambda: first.answers > 0 and not second.answers),
        ("newly failing", lambda: not first.failed and second.failed > 0),
        ("newly passing", lambda: first.failed > 0 and not second.failed and second.passed > 0),
        ("fails more often", lambda: more and chance <= ALPHA),
        ("fails less often", lambda: not more and chance <= ALPHA),
    )
    kind = next((kind for kind, holds in kinds if holds()), None)
    return OutcomeChange(test, kind, first, second, chance) if kind is not None else None


def _by_key(figures: Iterable[Figure], benches: bool) -> dict[Key, list[Figure]]:
    found: dict[Key, list[Figure]] = defaultdict(list)
    for one in figures:
        found[one.test, one.measurement, one.unit, "" if benches else one.bench].append(one)
    return found


def _figure_change(key: Key, first: Sequence[Figure], second: Sequence[Figure], noise: float | None) -> FigureChange:
    before, after = [one.value for one in first], [one.value for one in second]
    middle, moved = median(before), median(after) - median(before)
    share = moved / abs(middle) if middle else moved and moved * float("inf")
    chance = ranks_differ(before, after)
    enough = can_tell(len(before), len(after))
    by_noise = not enough and noise is not None
    if by_noise and noise is not None:
        differ = abs(moved) > _DEVIATIONS * noise * sqrt(1 / len(before) + 1 / len(after))
    else:
        differ = chance <= ALPHA
    kind: FigureKind = "no difference" if enough or by_noise else "too few runs"
    if differ:
        better = more_is_better(key[2], second[-1].at_least, second[-1].at_most)
        kind = "change" if better is None else "progression" if (moved > 0) == better else "regression"
    return FigureChange(
        *key, kind, middle, median(after), len(before), len(after), share, chance, by_noise
    )  # fmt: skip
