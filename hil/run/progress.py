"""What a person sees while a run goes on: a line for each test that ended, and what the running one waits for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, Protocol

import pytest

from hil.clock import utc_now
from hil.errors import ExitCode
from hil.results.live import Live
from hil.results.model import TestResult
from hil.run.recorder import VERDICT
from hil.run.verdict import Verdict

PLAIN_INTERVAL_S = 30.0
REDRAWS_PER_S = 8
_LINE_CHARACTERS = 150
_MEANINGS = {
    ExitCode.DEVICE: "the device gave a bad answer", ExitCode.INTERRUPTED: "stopped",
    ExitCode.INTERNAL: "a mistake in a suite or in hil", ExitCode.USAGE: "something for a person to mend",
    ExitCode.NO_TESTS: "no test was asked", ExitCode.BENCH: "the bench is unfit",
}  # fmt: skip
_WORDS = {
    Verdict.PASSED: ("pass", {"green": True}),
    Verdict.FAILED: ("FAIL", {"red": True, "bold": True}),
    Verdict.ERROR: ("ERROR", {"yellow": True, "bold": True}),
    Verdict.SKIPPED: ("skip", {"light": True}),
    Verdict.INTERRUPTED: ("STOP", {"purple": True}),
}


class Ticker(Protocol):
    """Shows a changing text between start and stop, without leaving it behind."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class LiveTicker:
    """A few lines at the bottom of a terminal, redrawn; each is cut where the window ends."""

    def __init__(self, stream: IO[str], lines: Callable[[], list[str]]) -> None:
        from rich.console import Console
        from rich.live import Live as Redrawn
        from rich.text import Text

        def drawn() -> Text:
            self._fit()
            return Text("\n".join(lines()), style="cyan", no_wrap=True, overflow="ellipsis")

        self._stream, self._console = stream, Console(file=stream)
        self._live = Redrawn(
            get_renderable=drawn, console=self._console, transient=True, refresh_per_second=REDRAWS_PER_S,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def _fit(self) -> None:
        # rich would ask the standard streams, which are files while output is captured
        columns = os.get_terminal_size(self._stream.fileno()).columns
        if columns:
            self._console.width = columns

    def start(self) -> None:
        self._live.start()

    def stop(self) -> None:
        self._live.stop()


class PlainTicker:
    """A line every half minute, for logs."""

    def __init__(self, stream: IO[str], lines: Callable[[], list[str]]) -> None:
        self._stream, self._lines = stream, lines
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="hil progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(PLAIN_INTERVAL_S):
            self._stream.write(f"      ... {'  '.join(line.strip() for line in self._lines())}\n")
            self._stream.flush()


class Progress:
    """Shown in place of pytest's dots; pytest's own summary of failures and errors stays."""

    def __init__(self, config: pytest.Config, bench: str) -> None:
        self._config = config
        self.live = Live(bench)
        self._total = 0
        self._ticker = self._make_ticker()
        self._ticking = False
        self.report: Path | None = None
        self.exit_code = 0

    def _make_ticker(self) -> Ticker | None:
        if self._config.option.usepdb or self._config.option.capture == "no":
            return None
        # tests' output is captured by replacing file descriptor 1, so the line needs one of its own
        try:
            stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace")
        except (UnsupportedOperation, AttributeError):
            return None
        self._config.add_cleanup(stream.close)
        kind = LiveTicker if stream.isatty() else PlainTicker
        return kind(stream, lambda: self.live.lines(utc_now(), self._total))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._config.option.collectonly or reporter is None:
            return (yield)
        self._total = len(session.items)
        reporter.showfspath = False
        # the short summary would only repeat our lines
        reporter.reportchars = reporter.reportchars.replace("f", "").replace("E", "")
        reporter.ensure_newline()
        self._start()
        try:
            return (yield)
        finally:
            self._stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str]:
        """The category in pytest's summary, by our verdict; no letter and no word, since the line is ours."""
        verdict = dict(report.user_properties).get(VERDICT)
        if verdict is not None:
            return str(verdict), "", ""
        return report.outcome if report.when == "call" or report.skipped else "", "", ""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.exit_code in _MEANINGS:
            terminalreporter.write_line(f"exit code {int(self.exit_code)}: {_MEANINGS[ExitCode(self.exit_code)]}")
        if self.report is not None:
            terminalreporter.write_line(f"report: {self.report}")

    def ended(self, result: TestResult, masked: Callable[[str], str]) -> None:
        """Write the line of a test, through ``masked``."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        self.live.ended(result)
        if reporter is None:
            return
        word, markup = _WORDS[Verdict(result.verdict)]
        width = len(str(self._total))
        with self._quiet():
            reporter.ensure_newline()
            reporter.write(f"{self.live.done:>{width}}/{self._total} ")
            reporter.write(f"{word:<5}", **markup)
            reporter.write(f" {result.duration_s:7.1f} s  {masked(result.test)}\n")
            for trouble in result.troubles:
                said = f"{trouble.wanted}; seen: {trouble.seen}" if trouble.seen else trouble.message
                first_line = masked(said).partition("\n")[0]
                reporter.write_line(f"{'':{2 * width + 8}}{trouble.error}: {first_line[:_LINE_CHARACTERS]}")
            if result.skip is not None:
                reporter.write_line(f"{'':{2 * width + 8}}{masked(result.skip.text)}")
            reporter.flush()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        ticking = self._ticking
        self._stop()
        yield
        if ticking:
            self._start()

    def _start(self) -> None:
        if self._ticker is not None:
            self._ticker.start()
            self._ticking = True

    def _stop(self) -> None:
        if self._ticker is not None and self._ticking:
            self._ticker.stop()
            self._ticking = False
