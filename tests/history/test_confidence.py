"""The interval around a failure rate, against figures of the literature and against exact binomial coverage."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.history.confidence import interval

counts = st.integers(1, 60).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs)))


def probability(failures: int, runs: int, rate: float) -> float:
    return comb(runs, failures) * rate**failures * (1 - rate) ** (runs - failures)


@pytest.mark.parametrize(
    ("failures", "runs", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # the rule of three, exact
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (4, 20, 0.0573, 0.4366),
        (20, 20, 0.8316, 1.0),
    ],
)
def test_published_values(failures: int, runs: int, low: float, high: float) -> None:
    """The limits are those of printed tables: who checks our figure with another program finds the same."""
    assert interval(failures, runs) == pytest.approx((low, high), abs=5e-5)


def test_none_of_n_has_a_closed_form() -> None:
    """No failure in n runs leaves at most 1 - (a/2)^(1/n): what 'it did not fail again' is worth."""
    for runs in (1, 20, 300):
        assert interval(0, runs, 0.9) == pytest.approx((0, 1 - 0.05 ** (1 / runs)))


@given(st.integers(1, 40), st.floats(0.001, 0.999), st.sampled_from([0.8, 0.95, 0.99]))
def test_it_holds_the_true_rate_at_least_as_often_as_it_says(runs: int, rate: float, confidence: float) -> None:
    """Coverage, summed exactly over all outcomes, is never below what is claimed, so 95 % on a page means 95 %."""
    limits = [interval(failures, runs, confidence) for failures in range(runs + 1)]
    covered = sum(probability(k, runs, rate) for k, (low, high) in enumerate(limits) if low <= rate <= high)
    assert covered >= confidence - 1e-9


@given(counts)
def test_its_limits_leave_the_tails_that_were_asked_for(count: tuple[int, int]) -> None:
    """At the low limit so many failures or more have 2.5 %, at the high one so many or fewer: no approximation."""
    failures, runs = count
    low, high = interval(failures, runs)
    assert 0 <= low <= failures / runs <= high <= 1
    if failures:
        assert sum(probability(k, runs, low) for k in range(failures, runs + 1)) == pytest.approx(0.025, abs=1e-9)
    if failures < runs:
        assert sum(probability(k, runs, high) for k in range(failures + 1)) == pytest.approx(0.025, abs=1e-9)


@given(counts)
def test_failures_and_passes_mirror_each_other(count: tuple[int, int]) -> None:
    """The rate of passing has the mirrored interval: it matters not which of the two is counted."""
    failures, runs = count
    low, high = interval(failures, runs)
    assert interval(runs - failures, runs) == pytest.approx((1 - high, 1 - low))


def test_no_run_says_nothing() -> None:
    """Without a run every rate is possible, and no division by zero stands in a report."""
    assert interval(0, 0) == (0.0, 1.0)


def test_many_runs() -> None:
    """Ten thousand runs neither overflow nor lose digits: the interval is as narrow as the normal law says."""
    low, high = interval(5_000, 10_000)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.005, 0.5 + 1.96 * 0.005), abs=1e-4)


@pytest.mark.parametrize(("failures", "runs", "confidence"), [(2, 1, 0.95), (-1, 3, 0.95), (1, 3, 1.0), (1, 3, 0.0)])
def test_counts_that_cannot_be(failures: int, runs: int, confidence: float) -> None:
    """More failures than runs is a mistake of the caller, which no interval must hide."""
    with pytest.raises(ValueError, match=r"failures|confidence"):
        interval(failures, runs, confidence)
