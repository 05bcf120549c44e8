"""Counts how often a test fails as its bundle says, as a plug-in of the run that repeats it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hil.history.confidence import interval
from hil.results.bundle import Manifest
from hil.results.causes import failure_key, headline
from hil.results.model import RunInfo, TestResult
from hil.results.node_ids import base_id
from hil.results.words import many

REPRODUCES = "reproduces"
_PACKAGE_FACT = "package SHA-256"


@dataclass
class Tally:
    """What became of the repetitions so far; a bench error or a skip is no answer, so it is no run."""

    passed: int = 0
    same: int = 0
    others: Counter[str] = field(default_factory=Counter)
    no_answer: Counter[str] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        return self.passed + self.same + self.others.total()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        low, high = interval(self.same, self.runs)
        share = f"{self.same / self.runs:.1%}, " if self.runs else ""
        yield f"the same failure: {self.same} of {self.runs} runs; {share}95 % interval {low:.1%} to {high:.1%}"
        yield from (f"another failure: {count} of {self.runs} runs: {why}" for why, count in self.others.most_common())
        yield from (f"no answer: {many(count, 'time')}: {why}" for why, count in self.no_answer.most_common())


class Counting:
    """``with_order``: the tests that ran before it run before each repetition."""

    def __init__(self, manifest: Manifest, *, until_fail: bool, with_order: bool) -> None:
        self._manifest, self._until_fail, self._with_order = manifest, until_fail, with_order
        self.tally = Tally()
        self.notes: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Of all tests of the files, those that the bundle names, in its order. Raises pytest.UsageError."""
        known = {item.nodeid: item for item in items}
        if self._manifest.test not in known:
            raise pytest.UsageError(f"no test {self._manifest.test} in its suite any more")
        before = list(dict.fromkeys(self._manifest.order)) if self._with_order else []
        before = [test for test in before if test != self._manifest.test]
        gone = [test for test in before if test not in known]
        self.notes += [f"{test}, which ran before it, is no longer there" for test in gone]
        items[:] = [known[test] for test in (*before, self._manifest.test) if test in known]

    def pytest_hil_result(self, result: TestResult) -> bool:
        """Whether this is what was looked for, and no more is to be seen."""
        if base_id(result.test) != self._manifest.test:
            return False
        same = result.verdict in ("failed", "error") and failure_key(result) == self._manifest.cause
        if same:
            self.tally.same += 1
        elif result.verdict == "passed":
            self.tally.passed += 1
        elif result.verdict == "failed":
            self.tally.others[headline(result)] += 1
        else:
            self.tally.no_answer[f"{result.verdict}: {headline(result)}"] += 1
        return same and self._until_fail

    def pytest_hil_finish(self, info: RunInfo) -> None:
        package, tested = self._manifest.package, info.facts.get(_PACKAGE_FACT, "")
        if package is not None and tested not in ("", package.content_sha256):
            self.notes.append(f"the package was another one, {tested}; the bundle's is {package.content_sha256}")
        info.facts[REPRODUCES] = f"{self._manifest.test} of run {self._manifest.run}: {self._manifest.headline}"
        info.facts["found"] = "; ".join([*str(self.tally).splitlines(), *self.notes])
