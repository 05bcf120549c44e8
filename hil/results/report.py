"""What a report says of a run, whatever it is written in: both verdicts, causes, what is new, what was not asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hil.errors import ExitCode
from hil.results.before import Before, Changes, run_before
from hil.results.causes import Cause, by_cause, cause_key
from hil.results.model import FAULTS_FACT, Crash, Measurement, RunInfo, TestResult
from hil.results.node_ids import file_name
from hil.results.store import Results

SIDES = {
    "bench": "The bench could not",
    "device": "The device cannot",
    "person": "Left out by a person",
}
HISTORY_PAGE = "history/index.html"
"""Below the folder of the reports."""
_FILES = "summary.md", "junit.xml", "results.jsonl", "journal.jsonl", "watchdog.jsonl"


@dataclass(frozen=True)
class Figure:
    """A measurement of a test, and what it was in the run before."""

    test: TestResult
    measurement: Measurement
    before: float | None


class Report:
    """Read from results.jsonl in the folder of a run. OSError passes through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = Results(folder / "results.jsonl")
        self.tests = self.results.tests
        self.info = self.results.info or RunInfo(folder.name, "1970-01-01T00:00:00+00:00", "", "")
        self.before: Before | None = run_before(folder, self.results)
        self.counts: Mapping[str, int] = Counter(test.verdict for test in self.tests)

    # is the driver good, is the bench good

    @property
    def driver(self) -> str:
        """good, bad or unknown: no test is no proof."""
        return "bad" if self.counts["failed"] else "good" if self.counts["passed"] else "unknown"

    @property
    def bench(self) -> str:
        if self.errors or (self.results.end or {}).get("exit_code") == ExitCode.BENCH:
            return "bad"
        return "good" if self.counts["passed"] or self.counts["failed"] else "unknown"

    @property
    def in_error(self) -> int:
        """Tests that the bench spoilt."""
        return sum(len(cause.tests) for cause in self.errors)

    @property
    def mistaken(self) -> int:
        """Tests that ended by a slip of a person: in a suite, in an argument, in hil."""
        return sum(len(cause.tests) for cause in self.mistakes)

    @property
    def not_run(self) -> int:
        """Tests that were to run and never began."""
        return max(0, self.info.collected - len(self.tests))

    @property
    def unfinished(self) -> str:
        """Why the run ended early; empty when it did not."""
        if self.results.end is None:
            return "not ended: the run was killed, or goes on"
        return str(self.results.end.get("reason", ""))

    @property
    def duration_s(self) -> float:
        return sum(test.duration_s for test in self.tests)

    # why not

    @cached_property
    def failures(self) -> list[Cause]:
        return self._causes(test for test in self.tests if test.verdict == "failed")

    @cached_property
    def errors(self) -> list[Cause]:
        """Of the bench."""
        return self._causes(test for test in self.tests if test.verdict == "error" and test.family == "bench")

    @cached_property
    def mistakes(self) -> list[Cause]:
        """Errors of suites, arguments or hil; they say nothing about device or bench."""
        return self._causes(test for test in self.tests if test.verdict == "error" and test.family != "bench")

    @cached_property
    def stopped(self) -> list[Cause]:
        """Tests that were interrupted."""
        return self._causes(test for test in self.tests if test.verdict == "interrupted")

    @cached_property
    def skips(self) -> dict[str, list[Cause]]:
        """By the side that the cause lies on, in the order of SIDES; sides without a skip are left out."""
        skipped = [test for test in self.tests if test.verdict == "skipped"]
        found = {side: by_cause(test for test in skipped if _side(test) == side) for side in SIDES}
        return {side: causes for side, causes in found.items() if causes}

    @cached_property
    def crashes(self) -> list[tuple[str, list[tuple[TestResult, Crash]]]]:
        """By bucket, the most frequent first; those that a test provoked come last."""
        groups: dict[str, list[tuple[TestResult, Crash]]] = defaultdict(list)
        for test in self.tests:
            for crash in test.crashes:
                groups[crash.bucket].append((test, crash))
        return sorted(groups.items(), key=lambda group: (group[1][0][1].expected, -len(group[1])))

    @property
    def verified(self) -> int:
        """Tests that were proven to run under Driver Verifier."""
        return sum(bool(test.verifier) for test in self.tests)

    @cached_property
    def cause_numbers(self) -> dict[str, int]:
        """Each cause's number, by which a page can ask for its tests."""
        wrong = [*self.failures, *self.errors, *self.mistakes, *self.stopped]
        causes = [*wrong, *(cause for found in self.skips.values() for cause in found)]
        return {cause_key(cause.tests[0]): number for number, cause in enumerate(causes)}

    def cause_number(self, test: TestResult) -> int | None:
        return self.cause_numbers.get(cause_key(test)) if test.verdict != "passed" else None

    @cached_property
    def changes(self) -> Changes | None:
        return self.before.changes(self.results) if self.before else None

    @cached_property
    def figures(self) -> list[Figure]:
        return [figure for test in self.tests for figure in self.figures_of(test)]

    def figures_of(self, test: TestResult) -> list[Figure]:
        return [Figure(test, one, self._then(test, one)) for one in test.measurements]

    # places

    @property
    def defects(self) -> str:
        """The deliberate ones of a virtual bench."""
        return self.info.facts.get(FAULTS_FACT, "")

    @property
    def files(self) -> list[tuple[str, int]]:
        """What the run wrote for people and programs, with bytes; the pages apart."""
        found = [(name, self.folder / name) for name in _FILES]
        return [(name, path.stat().st_size) for name, path in found if path.is_file()]

    @cached_property
    def kept(self) -> list[tuple[TestResult, str, int]]:
        """Files of all tests, as :meth:`artifacts` has them."""
        return [(test, *artifact) for test in self.tests for artifact in self.artifacts(test)]

    def artifacts(self, test: TestResult) -> list[tuple[str, int]]:
        """Path below the run's folder and bytes of each file that was kept and is there."""
        found = [(artifact, self.folder / artifact) for artifact in test.artifacts]
        return [(artifact, path.stat().st_size) for artifact, path in found if path.is_file()]

    @property
    def history(self) -> str:
        """Path from the run's folder to the pages of all runs; empty where there are none."""
        return f"../{HISTORY_PAGE}" if (self.folder.absolute().parent / HISTORY_PAGE).is_file() else ""

    def page(self, test: TestResult) -> str:
        """Path of the test's page below the run's folder; the same in every run."""
        return page_of(test.test)

    def page_before(self, test: TestResult) -> str | None:
        """Path from a test's page to its page in the run before, if that is there."""
        if self.before is None or test.test not in self.before.tests:
            return None
        page = page_of(test.test)
        return f"../../{self.before.run}/{page}" if (self.before.folder / page).is_file() else None

    def _causes(self, tests: Iterable[TestResult]) -> list[Cause]:
        return by_cause(tests, self.before.causes if self.before else None)

    def _then(self, test: TestResult, one: Measurement) -> float | None:
        return self.before.figure(test.test, one.name) if self.before else None


def page_of(test: str) -> str:
    return f"tests/{file_name(test)}.html"


def _side(test: TestResult) -> str:
    return test.skip.side if test.skip and test.skip.side in SIDES else "bench"
