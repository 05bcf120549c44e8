"""The order of runs: first the bad package until it failed often enough, then the good one, then where it says most."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hil.bisect.posterior import Count, Posterior
from hil.errors import UsageError

FAILURES_WANTED = 3
"""Of the bad package before anything else: its failure rate decides what a pass elsewhere is worth."""
GOOD_RUNS = 2
"""Of the good package: that it is good is the person's word, which this only checks for the plainest mistakes."""
_RATE_SHARE = 0.5
"""Of all runs, for the bad package alone: one that never fails by then cannot be bisected with what is left."""


@dataclass(frozen=True)
class Answer:
    """``first`` is the first bad package, with this confidence; each of ``untested``, just before it, may be it too."""

    first: int
    confidence: float
    untested: tuple[int, ...] = ()


class Search:
    """Says which package to run next, and is told how it went. Packages are numbers: 0 is good, the last is bad."""

    def __init__(self, packages: int, *, confidence: float = 0.95, max_runs: int = 200) -> None:
        if packages < 2 or not 0.5 < confidence < 1 or max_runs < FAILURES_WANTED + GOOD_RUNS:
            raise UsageError(
                "two packages, a confidence between 0.5 and 1 and some runs",
                seen=f"{packages} packages, confidence {confidence:g}, {max_runs} runs",
            )
        self.wanted, self.max_runs = confidence, max_runs
        self.counts = [Count()] * packages
        self.untestable: set[int] = set()
        self._installed = packages - 1

    @property
    def runs(self) -> int:
        return sum(count.runs for count in self.counts)

    def next(self) -> int | Answer:
        """The package to run now, or the answer.

        Raises UsageError: the bad package does not fail, the good one does, or the runs are over before the answer is
        sure enough.
        """
        good, bad = self.counts[0], self.counts[-1]
        if good.failures:
            raise UsageError(
                "a good package on which the test passes", seen=f"it failed in {good.failures} of {good.runs} runs",
                next_step="name an older one with --good, or a test that passes on it",
            )  # fmt: skip
        if bad.failures < FAILURES_WANTED and bad.runs < _RATE_SHARE * self.max_runs:
            return self._go(len(self.counts) - 1)
        if not bad.failures:
            raise UsageError(
                "a bad package on which the test fails", seen=f"it passed in all of {bad.runs} runs",
                next_step="look at the test and the bench, or allow more runs with --max-runs",
            )  # fmt: skip
        if good.runs < GOOD_RUNS:
            return self._go(0)
        posterior = self.posterior()
        if posterior.confidence >= self.wanted:
            return self._answer(posterior)
        if self.runs >= self.max_runs:
            raise UsageError(
                f"the first bad package with a confidence of {self.wanted:.0%}",
                seen=f"{posterior.confidence:.0%} for the likeliest one after {self.runs} runs",
                next_step="allow more with --max-runs, or make the test fail more often on a bad package",
            )  # fmt: skip
        tested = self.tested
        return self._go(tested[posterior.next_probe(tested.index(self._installed))])

    def tell(self, package: int, *, failed: bool) -> None:
        """One run on this package ended."""
        self.counts[package] = self.counts[package].plus(failed)

    def give_up(self, package: int) -> None:
        """This package cannot be tested. Raises UsageError for the good and the bad one."""
        if package in (0, len(self.counts) - 1):
            which = "bad" if package else "good"
            raise UsageError(f"a {which} package that can be tested", seen="it cannot", next_step=f"--{which}")
        self.untestable.add(package)
        self._installed = self.tested[-1]

    @property
    def tested(self) -> list[int]:
        """The packages that can be tested, as far as is known."""
        return [package for package in range(len(self.counts)) if package not in self.untestable]

    def posterior(self) -> Posterior:
        """Over :attr:`tested`; a package that cannot be tested lends its share to the next one that can."""
        tested = self.tested
        shares = [float(this - before) for before, this in pairwise(tested)]
        return Posterior([self.counts[package] for package in tested], shares)

    def probabilities(self) -> list[float | None]:
        """That each package is the first bad one; None where nobody can say: the good one, and those not testable."""
        found: list[float | None] = [None] * len(self.counts)
        for package, probability in zip(self.tested[1:], self.posterior().probabilities, strict=True):
            found[package] = probability
        return found

    def _answer(self, posterior: Posterior) -> Answer:
        tested = self.tested
        first, before = tested[posterior.best], tested[posterior.best - 1]
        return Answer(first, posterior.confidence, tuple(range(before + 1, first)))

    def _go(self, package: int) -> int:
        self._installed = package
        return package
