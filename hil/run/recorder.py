"""From pytest's reports to results: one line per test, written when the test ends."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from hil.clock import now_s, utc_now
from hil.errors import ExitCode, HilError
from hil.journal import Journal
from hil.results.model import Crash, Measurement, Skip, TestResult, Trouble
from hil.results.store import ResultWriter
from hil.run.requirements import SKIP
from hil.run.verdict import Verdict, judge

VERDICT = "verdict"
"""Name of the user property by which a report carries its verdict."""
_OUTPUT_CHARACTERS = 20_000
_FAMILIES = {ExitCode.DEVICE: "device", ExitCode.BENCH: "bench", ExitCode.USAGE: "usage"}


@dataclass
class Current:
    """The test that runs now."""

    item: pytest.Item
    started: str
    started_s: float
    span: ExitStack
    verdict: Verdict | None = None
    skip: Skip | None = None
    output: str = ""
    troubles: list[Trouble] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    crashes: list[Crash] = field(default_factory=list)
    verifier: str = ""


class Recorder:
    """Holds the running test; ``families`` are the families of all that went wrong, for the exit code."""

    def __init__(self, journal: Journal, writer: ResultWriter) -> None:
        self.journal, self._writer = journal, writer
        self.families: list[ExitCode] = []
        self.results: list[TestResult] = []
        self.current: Current | None = None

    def begin(self, item: pytest.Item) -> Current:
        expected = {str(event) for marker in item.iter_markers("expects") for event in marker.args}
        self.current = Current(item, utc_now().isoformat(), now_s(), ExitStack(), expected=expected)
        self.journal.test = item.nodeid
        self.current.span.enter_context(self.journal.span("test", item.nodeid, claim=claim(item)))
        return self.current

    def report(self, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Take in the report of one phase, and tell it its verdict."""
        current = self._running()
        if current.verdict is None and report.when == "call" and report.passed:
            current.verdict = Verdict.PASSED
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            reason = f"known to fail: {report.wasxfail}" if hasattr(report, "wasxfail") else reason
            reason = reason.removeprefix("Skipped: ")
            current.skip = current.item.stash.get(SKIP, None) or Skip(reason, side=_side(call, report))
            current.verdict = current.verdict or Verdict.SKIPPED
        if report.failed:
            error = call.excinfo.value if call.excinfo else AssertionError(report.longreprtext)
            verdict = self.trouble(str(report.when), error, report.longreprtext)
            report.user_properties.append((VERDICT, str(verdict)))
        # sections come with each report anew, the last one has them all
        output = "\n".join(f"{title}\n{text}" for title, text in report.sections)
        current.output = output[-_OUTPUT_CHARACTERS:]

    def trouble(self, phase: str, error: BaseException, trace: str = "") -> Verdict:
        """Note an exception against the running test; the first one decides the test's verdict."""
        current = self._running()
        verdict, family = judge(error)
        sentences = ("wanted", "seen", "where", "tried", "next_step") if isinstance(error, HilError) else ()
        current.troubles.append(
            Trouble(
                phase=phase,
                verdict=verdict,
                family=_FAMILIES.get(family, "internal"),
                error=type(error).__name__,
                message=str(error),
                trace=trace,
                **{name: str(getattr(error, name)) for name in sentences},
            )
        )
        self.journal.event("error", f"{type(error).__name__}: {error}", during=phase, verdict=verdict)
        if current.verdict in (None, Verdict.PASSED, Verdict.SKIPPED):
            current.verdict = verdict
        if family is not ExitCode.INTERRUPTED:
            self.families.append(family)
        return verdict

    def told(self, error: BaseException) -> bool:
        """Whether an earlier test ended with the same words."""
        return any(trouble.message == str(error) for result in self.results for trouble in result.troubles)

    def result(self) -> TestResult:
        """The running test as it stands."""
        current = self._running()
        return TestResult(
            test=current.item.nodeid,
            claim=claim(current.item),
            verdict=current.verdict or Verdict.INTERRUPTED,
            started=current.started,
            duration_s=round(now_s() - current.started_s, 3),
            troubles=tuple(current.troubles),
            skip=current.skip,
            measurements=tuple(current.measurements),
            artifacts=tuple(current.artifacts),
            output="" if current.verdict is Verdict.PASSED else current.output,
            crashes=tuple(current.crashes),
            verifier=current.verifier,
        )

    def end(self) -> TestResult:
        """Write the test's line. OSError passes through."""
        current, result = self._running(), self.result()
        self.current = None
        self.results.append(result)
        current.span.close()
        self.journal.test = None
        self._writer.test(result)
        return result

    def measure(
        self, name: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Keep a figure of the running test; the limits are only shown beside it."""
        measurement = Measurement(name, float(value), unit, at_least, at_most)
        self._running().measurements.append(measurement)
        self.journal.event("observation", name, value=measurement.value, unit=unit, at_least=at_least, at_most=at_most)

    def expect(self, *events: str) -> None:
        """The guard does not hold these against the device in the running test."""
        self._running().expected.update(events)

    def _running(self) -> Current:
        assert self.current is not None, "a test is running"
        return self.current


def _side(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """A test that skips itself has asked the device; a mark was put there by a person."""
    marked = hasattr(report, "wasxfail") or getattr(call.excinfo and call.excinfo.value, "_use_item_location", False)
    return "person" if marked else "device"


def claim(item: pytest.Item) -> str:
    """First line of the test's docstring."""
    text = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return text.strip().partition("\n")[0]
