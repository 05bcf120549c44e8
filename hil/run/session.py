"""One run on one bench: from the testbed file to the reports, as a pytest plug-in."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Generator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from hil.errors import ExitCode, HilError, UsageError
from hil.run import requirements
from hil.run.interrupts import Interrupts
from hil.run.marks import check_names
from hil.run.options import understood
from hil.run.progress import Progress
from hil.run.repetition import repeated, rounds
from hil.run.telling import in_short, sentences
from hil.run.timeout import TestTimer
from hil.run.verdict import Verdict, judge, worst

if TYPE_CHECKING:
    from hil.results.model import TestResult
    from hil.run.running import Running
    from hil.testbed.model import Testbed

INTERRUPTED = "interrupted"
_GOOD = ("passed", "skipped")
SESSION: pytest.StashKey[Session] = pytest.StashKey()


def activate(config: pytest.Config) -> None:
    """Load the testbed and register the plug-ins of a run. Raises pytest.UsageError."""
    from hil.run import compare, fixtures

    try:
        testbed, seed = understood(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    progress = Progress(config, testbed.name)
    session = config.stash[SESSION] = Session(config, testbed, seed, progress)
    config.add_cleanup(session.leave)
    for plugin in (compare, fixtures, TestTimer(config), session, Gate(session), progress):
        config.pluginmanager.register(plugin)
    # a warning of some library is no verdict on a driver
    config.known_args_namespace.pythonwarnings = ["default", *(config.known_args_namespace.pythonwarnings or [])]


class Session:
    """What pytest calls in the course of a run. The bench is started when the first test that needs it is known."""

    def __init__(self, config: pytest.Config, testbed: Testbed, seed: int, progress: Progress) -> None:
        self.config, self.testbed, self.seed, self._progress = config, testbed, seed, progress
        self.interrupts = Interrupts()
        self.families: list[ExitCode] = []
        self.running: Running | None = None
        self._open = ExitStack()
        self._open.enter_context(self.interrupts.installed())
        self._reason = ""
        self._deselected = 0

    def leave(self) -> None:
        """End whatever is still open; does nothing after a run that ended in order."""
        self._open.close()

    # collection

    def pytest_report_header(self) -> str:
        return f"bench: {self.testbed.name}, seed: {self.seed}"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        check_names(items)
        items[:] = repeated(items, rounds(self.config))
        for item in items:
            requirements.decide(item, self.testbed.capabilities(), {}, self.testbed.name)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._deselected += len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.families.append(ExitCode.USAGE)

    # the run

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        option = self.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return (yield)
        try:
            self._start(session.items)
        except HilError as error:
            self.families.append(error.exit_code)
            self._reason = self._masked(str(error))
            print(f"\n{self._masked(sentences(error))}", file=sys.stderr)
            session.items.clear()
        return (yield)

    def _start(self, items: list[pytest.Item]) -> None:
        from hil.run.running import Running

        running = self.running = Running(self.config, self.testbed, self.seed, self.interrupts)
        self._open.callback(running.close)
        running.journal.listen(self._progress.live.record)
        running.plan(len(items), self._deselected)
        self._progress.live.plan(running.expect(items))
        if any(requirements.needs_bench(item) for item in items):
            missing = running.start_bench()
            for item in items:
                requirements.decide(item, running.testbed.capabilities(), missing, self.testbed.name)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        running = self.the_run()
        running.begin(item)
        try:
            return (yield)
        except BaseException as error:
            running.recorder.trouble("call", error)
            raise
        finally:
            self._write(item.session)

    def _write(self, session: pytest.Session) -> None:
        """The result on disk; a full disk stops the run in order, so that the bench still comes to rest."""
        running = self.the_run()
        failure: OSError | None = None
        try:
            result = running.end()
            self._progress.ended(result, running.journal.masked_text)
            self._stop_if_asked(session, result)
        except OSError as error:
            failure = error
        failure = failure or running.journal.failure
        if failure is not None:
            self.families.append(ExitCode.USAGE)
            self._reason = session.shouldstop = f"results cannot be written: {failure}; the bench is put to rest"

    def _stop_if_asked(self, session: pytest.Session, result: TestResult) -> None:
        """The run is whole then: what was not repeated any more is nothing that was not tested."""
        stop = any(self.config.hook.pytest_hil_result(result=result))
        if stop or (self.config.getoption("--until-fail") and result.verdict not in _GOOD):
            running = self.the_run()
            running.info.collected = len(running.recorder.results)
            session.shouldfail = f"{result.test} {result.verdict}, no more repetitions"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        __tracebackhide__ = True
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - it is raised again, or what caused it
            self._conclude(item, "setup", error)

    # innermost: what the undo prints is captured too; the test's own time is over by then
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        __tracebackhide__ = True
        problem: BaseException | None = None
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - it is raised again, or what caused it
            problem = error
        self._conclude(item, "call", problem)

    def _conclude(self, item: pytest.Item, phase: str, problem: BaseException | None) -> None:
        __tracebackhide__ = True
        TestTimer.stop()
        if problem is not None and judge(problem)[0] in (Verdict.FAILED, Verdict.ERROR):
            # what the guard finds may yet take its place; for the timeline this is the moment
            first_line = str(problem).partition("\n")[0]
            self.the_run().journal.event("failing", f"{type(problem).__name__}: {first_line}", during=phase)
        verdict = self.the_run().aftermath(item, phase, problem)
        if verdict is not None:
            raise verdict from verdict.__cause__

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        yield
        leftover = self.the_run().undo_now()
        if leftover is not None:
            raise leftover

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        running = self.the_run()
        error = call.excinfo.value if call.excinfo is not None else None
        gone = running.already_gone(error)
        if gone:
            report.longrepr = gone
        running.recorder.report(call, report)
        if call.excinfo and isinstance(error, HilError) and not gone and self.config.option.tbstyle == "auto":
            report.longrepr = in_short(call.excinfo, self.config.rootpath)
        self._mask(report)
        return report

    def _mask(self, report: pytest.TestReport) -> None:
        """What pytest's summary will show; results and journal are masked where they are written."""
        masked = self._masked
        report.sections = [(title, masked(text)) for title, text in report.sections]
        if report.failed and masked(report.longreprtext) != report.longreprtext:
            report.longrepr = masked(report.longreprtext)

    def _masked(self, text: str) -> str:
        return self.running.journal.masked_text(text) if self.running is not None else text

    # the end

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if excinfo.type is KeyboardInterrupt:
            self._reason = INTERRUPTED

    # innermost: the fixtures are torn down by then, and pytest's summary comes after
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        # a signal that comes now finds every test ended, and waits until all is written down
        with suppress(KeyboardInterrupt), self.interrupts.shielded():
            try:
                yield
            except Exception as error:  # noqa: BLE001 - a fixture cannot be taken down: the bench must rest all the same
                traceback.print_exc()
                self.families.append(judge(error)[1])
            try:
                code = self._finish(exitstatus)
            except Exception:  # noqa: BLE001 - it would end the process with 1, which says that the device is bad
                traceback.print_exc()
                code = ExitCode.INTERNAL
            session.exitstatus = self._progress.exit_code = code

    def _finish(self, exitstatus: int) -> int:
        running = self.running
        if running is None:
            return worst(self.families, exitstatus)
        try:
            running.rest()
        except HilError as error:
            self.families.append(error.exit_code)
            told = "(told above)" if running.recorder.told(error) else f"- {self._masked(sentences(error))}"
            print(f"\nThe bench is not in its rest state {told}", file=sys.stderr)
        families = [*self.families, *running.recorder.families]
        if self._reason == INTERRUPTED:
            families, exitstatus = [], ExitCode.INTERRUPTED
        code = worst(families, exitstatus)
        self.config.hook.pytest_hil_finish(info=running.info)
        try:
            self._progress.report = running.write_reports(code, self._reason)
        except OSError as error:
            print(f"\nReports are not complete: {error}", file=sys.stderr)
            code = worst([*families, ExitCode.USAGE], exitstatus)
        finally:
            self._open.close()  # before the history, which may be far away: the bench is for others now
            if lacks := running.past.keep(running.folder.path):
                print(f"\n{self._masked(lacks)}", file=sys.stderr)
        return code

    def the_run(self) -> Running:
        assert self.running is not None, "no test starts before the run"
        return self.running


class Gate:
    """Keeps a test from starting that this bench cannot be asked, or whose bench has left the run."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        requirements.check(item)
        running = self._session.the_run()
        if running.latched is not None and requirements.needs_bench(item):
            raise running.latched.with_traceback(None)
        if requirements.needs_bench(item):
            running.tenancy().prepare()
