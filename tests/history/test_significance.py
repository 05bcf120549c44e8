"""Two samples differ by more than chance, or not, or nobody can tell: against exact counts and published values."""

from __future__ import annotations

import random
from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.history.significance import ALPHA, can_tell, ranks_differ, rates_differ

small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5)


@given(small, small)
def test_small_samples_are_exact(first: list[float], second: list[float]) -> None:
    """The p-value is the share of all ways to deal the values that are as far apart, ties included: nothing assumed."""
    values = [*first, *second]
    less = [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]
    middle = len(first) * sum(less) / len(less)
    off = abs(sum(less[: len(first)]) - middle)
    dealt = [abs(sum(chosen) - middle) >= off - 1e-9 for chosen in combinations(less, len(first))]
    assert ranks_differ(first, second) == pytest.approx(sum(dealt) / len(dealt))


def test_no_overlap() -> None:
    """Five against five without overlap have p = 2/252, and three against three can never tell."""
    assert ranks_differ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)
    assert can_tell(5, 5)
    assert not can_tell(3, 3)
    assert not can_tell(1, 150)
    assert not can_tell(0, 5)


@pytest.mark.parametrize(("first", "second"), [(6, 7), (5, 40), (30, 30)])
def test_large_samples_alarm_as_seldom_as_promised(first: int, second: int) -> None:
    """Of equal samples one in a hundred is told to differ, and not two: a page with 200 figures is quiet."""
    seed = random.Random(first)
    equal = [([seed.random() for _ in range(first)], [seed.random() for _ in range(second)]) for _ in range(2000)]
    assert sum(ranks_differ(*samples) <= ALPHA for samples in equal) <= 30


def test_a_difference_is_seen() -> None:
    """Two and a half deviations between ten and ten runs are seen in nearly all cases."""
    seed = random.Random(1)
    pairs = [([seed.gauss(0, 1) for _ in range(10)], [seed.gauss(2.5, 1) for _ in range(10)]) for _ in range(200)]
    assert sum(ranks_differ(*pair) <= ALPHA for pair in pairs) >= 180


def test_all_equal_or_none() -> None:
    """Constant figures do not differ, and an empty side says nothing."""
    assert ranks_differ([5.0] * 20, [5.0] * 20) == 1.0
    assert ranks_differ([], [1.0]) == 1.0


def test_the_lady_tasting_tea() -> None:
    """Fisher's own example: three of four against one of four has p = 34/70."""
    assert rates_differ(3, 4, 1, 4) == pytest.approx(34 / 70)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_rates_are_exact(failures: int, passes: int, other_failures: int, other_passes: int) -> None:
    """The p-value sums all tables that are as unlikely as this one."""
    runs, others = failures + passes, other_failures + other_passes
    bad = failures + other_failures
    ways = [comb(runs, k) * comb(others, bad - k) for k in range(bad + 1)]
    wanted = sum(way for way in ways if way <= ways[failures]) / comb(runs + others, bad)
    assert rates_differ(failures, runs, other_failures, others) == pytest.approx(wanted)
