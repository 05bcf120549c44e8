"""The order of runs and the posterior behind it, on simulated packages: seeded, so that a figure is a figure."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bisect.posterior import Count, Posterior, floor_runs
from hil.bisect.search import Answer, Search
from hil.errors import UsageError

CANDIDATES = 8


def bisected(search: Search, fails: Callable[[int], bool]) -> Answer:
    """Runs until there is an answer."""
    while not isinstance(wanted := search.next(), Answer):
        search.tell(wanted, failed=fails(wanted))
    return wanted


@pytest.mark.parametrize(
    ("rate", "candidates", "most_of_floor"), [(1.0, CANDIDATES, 4), (0.5, CANDIDATES, 3), (0.2, 6, 3), (0.05, 3, 5)]
)
def test_the_confidence_is_kept(rate: float, candidates: int, most_of_floor: float) -> None:
    """Of 300 bisects at 95 %, at least 93 % name the right package, whether the defect shows always or 1 time in 20.

    A wrong name sends a developer through the wrong week of changes.
    """
    chance, right, runs = random.Random(7), 0, 0
    for _ in range(300):
        first = chance.randint(1, candidates)
        search = Search(candidates + 1, max_runs=5000)
        answer = bisected(search, lambda package, first=first: package >= first and chance.random() < rate)
        right += answer.first == first
        runs += search.runs
    assert right / 300 >= 0.93
    assert runs / 300 <= most_of_floor * floor_runs(candidates, rate) + 4


def test_a_flaky_good_package_does_not_mislead() -> None:
    """A test that fails once in fifty runs for another reason still leads to the right package 9 times in 10."""
    chance, right = random.Random(3), 0
    for _ in range(100):
        first, search = chance.randint(1, CANDIDATES), Search(CANDIDATES + 1, max_runs=1000)

        def fails(package: int, first: int = first) -> bool:
            # the good package passes: that is the person's word
            return chance.random() < (1.0 if package >= first else 0.02 if package else 0.0)

        right += bisected(search, fails).first == first
    assert right >= 90


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=12), st.data())
@settings(max_examples=50)
def test_posterior_is_a_distribution(seen: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whatever was seen, the chances add up to one, and a failure never makes a later first bad package likelier."""
    counts = [Count(runs + failures, failures) for runs, failures in seen]
    before = Posterior(counts)
    assert sum(before.probabilities) == pytest.approx(1)
    assert 0 <= before.next_probe(0) < len(counts)
    package = data.draw(st.integers(1, len(counts) - 1))
    counts[package] = counts[package].plus(True)
    after = Posterior(counts)
    share = [now / then for then, now in zip(before.probabilities, after.probabilities, strict=True) if then]
    if all(count.failures == 0 for count in counts[:package]):
        assert min(share[:package], default=1) >= max(share[package:], default=0) * 0.999


def test_certain_failures_bisect_like_git() -> None:
    """A defect that always shows costs a few runs beyond the logarithm: since a pass is made sure of."""
    search = Search(64)
    assert bisected(search, lambda package: package >= 41).first == 41
    assert search.runs <= 20


def test_what_cannot_be_tested_is_neither_good_nor_bad() -> None:
    """Packages that cannot be installed next to the first bad one are named with it, since nobody can tell."""
    search = Search(8)
    for package in (3, 4, 6):
        search.give_up(package)
    answer = bisected(search, lambda package: package >= 4)
    assert (answer.first, answer.untested) == (5, (3, 4))
    assert search.counts[3] == Count()
    assert [probability is None for probability in search.probabilities()] == [
        package in (0, 3, 4, 6) for package in range(8)
    ]
    with pytest.raises(UsageError, match="bad package that can be tested"):
        search.give_up(7)


def test_why_it_cannot_be_found() -> None:
    """A good package that fails, a bad one that does not, a budget that is too small: each is told as such."""
    with pytest.raises(UsageError, match="good package on which the test passes; seen: it failed in 1 of 1 runs"):
        bisected(Search(5), lambda _: True)
    with pytest.raises(UsageError, match="bad package on which the test fails; seen: it passed in all of 100 runs"):
        bisected(Search(5), lambda _: False)
    chance = random.Random(1)
    with pytest.raises(UsageError, match="likeliest one after 30 runs; do: allow more"):
        bisected(Search(20, max_runs=30), lambda package: package >= 9 and chance.random() < 0.2)


def test_installs_are_spared() -> None:
    """A rare defect needs many runs, but far fewer changes of package, each of which is an install."""
    chance, search = random.Random(5), Search(9, max_runs=2000)
    packages: list[int] = []

    def fails(package: int) -> bool:
        packages.append(package)
        return package >= 5 and chance.random() < 0.1

    assert bisected(search, fails).first == 5
    assert sum(this != after for this, after in pairwise(packages)) < len(packages) / 5
