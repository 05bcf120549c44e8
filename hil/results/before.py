"""The run before on the same testbed, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hil.errors import UsageError
from hil.results.causes import keys
from hil.results.model import FAULTS_FACT, TestResult
from hil.results.store import Results

_LEAST_SHARE = 0.5
"""Of this run's tests that the run before must have asked, else a run of one test would make all others new."""
_BAD = ("failed", "error", "interrupted")
_PLACES = ("package folder",)
"""Facts that say where something is; of a virtual bench they differ every time."""


@dataclass(frozen=True)
class Changes:
    """Against the run before; tests that both runs asked, unless said otherwise."""

    newly_bad: tuple[TestResult, ...] = ()
    fixed: tuple[TestResult, ...] = ()
    still_bad: tuple[TestResult, ...] = ()
    no_longer_asked: tuple[TestResult, ...] = ()
    """Skipped now; an answer was had before."""
    added: tuple[TestResult, ...] = ()
    """Not in the run before."""
    gone: tuple[str, ...] = ()
    """Only in the run before."""
    facts: tuple[tuple[str, str, str], ...] = ()
    """What was tested then and now, where it differs: name, then, now."""


@dataclass(frozen=True)
class Before:
    """The run before; ``tests`` by node id."""

    folder: Path
    tests: dict[str, TestResult]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        return self.folder.name

    @property
    def causes(self) -> frozenset[str]:
        return keys(tuple(self.tests.values()))

    def figure(self, test: str, name: str) -> float | None:
        """The measurement of this name in this test then."""
        then = self.tests.get(test)
        found = [one.value for one in then.measurements if one.name == name] if then else []
        return found[-1] if found else None

    def changes(self, now: Results) -> Changes:
        both = [(self.tests[test.test], test) for test in now.tests if test.test in self.tests]
        asked = {test.test for test in now.tests}
        facts, old = now.info.facts if now.info else {}, self.facts
        other = {name: value for name, value in facts.items() if old.get(name) != value and name not in _PLACES}
        return Changes(
            newly_bad=tuple(test for then, test in both if test.verdict in _BAD and then.verdict not in _BAD),
            fixed=tuple(test for then, test in both if test.verdict == "passed" and then.verdict in _BAD),
            still_bad=tuple(test for then, test in both if test.verdict in _BAD and then.verdict in _BAD),
            no_longer_asked=tuple(test for then, test in both if test.verdict == "skipped" != then.verdict),
            added=tuple(test for test in now.tests if test.test not in self.tests),
            gone=tuple(test for test in self.tests if test not in asked),
            facts=tuple((name, old.get(name, ""), value) for name, value in other.items()),
        )


def run_before(folder: Path, now: Results) -> Before | None:
    """The newest earlier run of this testbed in the same reports folder that asked at least half of these tests."""
    if now.info is None:
        return None
    asked = {test.test for test in now.tests}
    for earlier in _earlier(folder, now.info.testbed, now.info.started):
        try:
            then = Results(earlier / "results.jsonl")
        except UsageError:
            continue  # damaged, or another hil's: nothing to compare with
        if (then.info.facts.get(FAULTS_FACT) if then.info else None) != now.info.facts.get(FAULTS_FACT):
            continue  # deliberate defects are no news of a driver
        tests = {test.test: test for test in then.tests}
        if asked and len(asked & tests.keys()) >= _LEAST_SHARE * len(asked):
            return Before(earlier, tests, then.info.facts if then.info else {})
    return None


def _earlier(folder: Path, testbed: str, started: str) -> Iterator[Path]:
    """Folders of this testbed's runs that started before, newest first; only their first lines are read."""
    found = []
    for path in folder.absolute().parent.glob("*/results.jsonl"):
        if path.parent.is_symlink() or path.parent.name == folder.absolute().name:
            continue
        with suppress(OSError, ValueError, LookupError, AttributeError):
            with path.open("rb") as file:
                first = file.readline()
            info = json.loads(first) if first.endswith(b"\n") else {}
            if info.get("testbed") == testbed and info["started"] < started:
                found.append((info["started"], path.parent))
    return (path for _, path in sorted(found, reverse=True))
