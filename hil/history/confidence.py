"""How far a failure rate can be trusted: the exact binomial interval of Clopper and Pearson.

C. J. Clopper, E. S. Pearson: The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial,
Biometrika 26 (1934). Exact: it holds the true rate at least as often as it says, whatever the rate and however few the
runs. Wilson's interval is shorter, but holds the true rate less often than it says for rates near 0, and a test that
fails once in twenty runs is just such a case.
"""

from __future__ import annotations

from math import exp, fsum, lgamma, log, log1p

_HALVINGS = 50
"""Leaves 1e-15 of the unknown rate."""


def interval(failures: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """The lowest and the highest failure rate that so many failures in so many independent runs agree with.

    ``(0.0, 1.0)`` for no run. Takes time proportional to the smaller of failures and successes. Raises ValueError for
    counts that cannot be, and for a confidence outside of 0 to 1.
    """
    if not 0 <= failures <= runs:
        raise ValueError(f"{failures} failures in {runs} runs")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence between 0 and 1, not {confidence}")
    if 2 * failures > runs:
        low, high = interval(runs - failures, runs, confidence)
        return 1 - high, 1 - low
    tail = (1 - confidence) / 2
    low = _rate_at(failures - 1, runs, 1 - tail) if failures else 0.0
    high = _rate_at(failures, runs, tail) if failures < runs else 1.0
    return low, high


def _rate_at(most: int, runs: int, probability: float) -> float:
    """The rate at which at most so many failures have this probability; it falls as the rate rises."""
    ways = [lgamma(runs + 1) - lgamma(count + 1) - lgamma(runs - count + 1) for count in range(most + 1)]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        rate = (low + high) / 2
        fails, passes = log(rate), log1p(-rate)
        at_most = fsum(exp(way + count * fails + (runs - count) * passes) for count, way in enumerate(ways))
        low, high = (rate, high) if at_most > probability else (low, rate)
    return (low + high) / 2
