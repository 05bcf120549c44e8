"""What runs say about which package is the first bad one, and where the next run says most.

The model. Packages are ordered; from the first bad one on, each has the defect. A run on a package with the defect
fails with a rate that is the same for all of them and not known; a run on one without it fails with a small rate of its
own, not known either: a test may flake for another reason. Runs are independent. Before any run each package after the
good one, up to the bad one, is as likely as the others to be the first bad one (a package that cannot be tested lends
its share to the next that can). Nothing is known of the failure rate of the defect (Jeffreys: Beta(1/2, 1/2)), that
of the sound packages is about one in two hundred (Beta(1, 199)).

Both rates are integrated out, so a failure is near certainty and a pass only as much as the failures seen so far allow:
with F failures in R runs on packages that would have the defect, and f in r on those that would not, the likelihood of
a first bad package is ``B(1/2 + F, 1/2 + R - F) B(1 + f, 199 + r - f)``, up to a constant. Choosing probes by such a
posterior: M. Horstein, "Sequential transmission using noiseless feedback", IEEE Trans. Information Theory 9 (1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log2

_DEFECT = (0.5, 0.5)
_SOUND = (1.0, 199.0)
"""Beta distributions of the two failure rates before any run."""
_STAY = 0.8
"""The package that is installed is run again while that says at least this share of what the best probe would:
an install costs more than a run."""


@dataclass(frozen=True)
class Count:
    """Runs of the test on one package."""

    runs: int = 0
    failures: int = 0

    def plus(self, failed: bool) -> Count:
        return Count(self.runs + 1, self.failures + failed)


class Posterior:
    """Of the packages 0 (the good one) to n - 1 (the bad one), from their counts.

    ``shares`` are the prior weights of the packages 1 to n - 1, equal by default.
    """

    def __init__(self, counts: Sequence[Count], shares: Sequence[float] | None = None) -> None:
        assert len(counts) >= 2, "a good and a bad package"
        self._counts, self._shares = tuple(counts), tuple(shares or [1.0] * (len(counts) - 1))
        self._splits = [self._split(first) for first in range(1, len(counts))]
        logs = [_evidence(*split) for split in self._splits]
        weights = [share * exp(value - max(logs)) for share, value in zip(self._shares, logs, strict=True)]
        self.probabilities = tuple(weight / sum(weights) for weight in weights)
        """Of the packages 1 to n - 1 to be the first bad one."""

    @property
    def best(self) -> int:
        """The package that is most likely the first bad one."""
        return 1 + max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """That :attr:`best` is right."""
        return max(self.probabilities)

    def next_probe(self, installed: int) -> int:
        """The package whose next run is expected to say most about the answer, in bits; rather the installed one."""
        gains = [self._gain(package) for package in range(len(self._counts))]
        best = max(range(len(gains)), key=gains.__getitem__)
        return installed if gains[installed] >= _STAY * gains[best] else best

    def _split(self, first: int) -> tuple[Count, Count]:
        """All runs with and without the defect, were ``first`` the first bad package."""
        return _total(self._counts[first:]), _total(self._counts[:first])

    def _gain(self, package: int) -> float:
        """By how much one run on this package lowers the entropy of the answer, on average."""
        fails = [
            _rate(split[0], _DEFECT) if package >= first else _rate(split[1], _SOUND)
            for first, split in enumerate(self._splits, 1)
        ]
        left = 0.0
        for chances in (fails, [1 - chance for chance in fails]):
            joint = [chance * weight for chance, weight in zip(chances, self.probabilities, strict=True)]
            left += _entropy(joint)
        return _entropy(self.probabilities) - left


def _total(counts: Sequence[Count]) -> Count:
    return Count(sum(one.runs for one in counts), sum(one.failures for one in counts))


def _rate(seen: Count, prior: tuple[float, float]) -> float:
    """Expected failure rate of the next run."""
    return (prior[0] + seen.failures) / (sum(prior) + seen.runs)


def _evidence(defect: Count, sound: Count) -> float:
    """Logarithm of the likelihood with both rates integrated out, up to a constant."""
    return sum(
        _log_beta(prior[0] + seen.failures, prior[1] + seen.runs - seen.failures)
        for seen, prior in ((defect, _DEFECT), (sound, _SOUND))
    )


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _entropy(weights: Sequence[float]) -> float:
    """Of weights that sum to w, times w, in bits."""
    total = sum(weights)
    return sum(weight * log2(total / weight) for weight in weights if weight > 0)


def floor_runs(packages: int, failure_rate: float) -> float:
    """Runs that no method can do without on average, to find one of ``packages`` first bad ones.

    Each has to be told apart (log2 n bits), and a run tells at most the capacity of the Z-channel, where a pass may be
    wrong and a failure not: log2(1 + p (1 - p)^((1 - p) / p)) bits at failure rate p (T. Cover, J. Thomas, "Elements of
    Information Theory", on the Z-channel).
    """
    p = failure_rate
    capacity = 1.0 if p >= 1 else log2(1 + p * (1 - p) ** ((1 - p) / p))
    return log2(packages) / capacity
