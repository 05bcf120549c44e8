"""The state of a run that has begun: its folder, journal, results, and the bench once it is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

import pytest

from hil.bench import Bench
from hil.clock import utc_now
from hil.errors import BenchError, HilError
from hil.journal import Journal
from hil.results.heartbeat import beating
from hil.results.model import FAULTS_FACT, RunInfo, TestResult
from hil.results.node_ids import base_id
from hil.results.store import ResultWriter, RunFolder
from hil.run.interrupts import Interrupts
from hil.run.keeping import Keeper
from hil.run.past import Past
from hil.run.recorder import Recorder
from hil.run.requirements import SKIP, needs_bench
from hil.run.tenancy import Tenancy
from hil.run.undo import Undo
from hil.run.verdict import Verdict, judge
from hil.testbed.model import Testbed
from hil.testbed.secret import all_secrets

if TYPE_CHECKING:
    from hil.run.sampler import Sampler


def _defects(testbed: Testbed) -> dict[str, str]:
    faults = testbed.virtual.faults if testbed.virtual else ()
    return {FAULTS_FACT: ", ".join(faults)} if faults else {}


class Running:
    """Begins with the first test, ends with the reports."""

    def __init__(self, config: pytest.Config, testbed: Testbed, seed: int, interrupts: Interrupts) -> None:
        self._config, self._written, self._interrupts = config, testbed, interrupts
        self._open = ExitStack()
        self.folder = RunFolder(config.getoption("--reports"), testbed.name, config.getoption("--run-id"))
        self.journal = Journal(self.folder.path / "journal.jsonl")
        self._open.callback(self.journal.close)
        for secret in all_secrets(testbed):
            self.journal.mask(secret)
        self._open.enter_context(beating(self.folder.path / "journal.jsonl"))
        self.journal.event("run", self.folder.run, seed=seed, testbed=testbed.name, hil=version("hil"))
        controller = gethostname()
        bench = f"{testbed.name}@{controller}"
        self.past = Past(config.getoption("--history"), config.getoption("--reports"), bench, self.journal)
        self.info = RunInfo(
            run=self.folder.run,
            started=utc_now().isoformat(),
            hil=version("hil"),
            testbed=testbed.name,
            controller=controller,
            description=testbed.description,
            arguments=[str(argument) for argument in config.invocation_params.args],
            seed=seed,
            facts=_defects(testbed),
        )
        self.writer = ResultWriter(self.folder.path / "results.jsonl", self.journal.masked)
        self._open.callback(self.writer.close)
        self.writer.run(self.info)
        self.recorder = Recorder(self.journal, self.writer)
        self.undo = Undo(self.journal)
        self._tenancy: Tenancy | None = None
        self._sampler: Sampler | None = None
        self._keeper = Keeper(config, self.folder, self.journal, self.info)

    def plan(self, collected: int, deselected: int) -> None:
        """Note how many tests are to run, and how many the arguments left out."""
        self.info.collected, self.info.deselected = collected, deselected
        self.writer.run(self.info)

    def expect(self, items: Sequence[pytest.Item]) -> Mapping[str, float | None]:
        """Note what each test mostly takes, for those who watch; None for one that never ran on this testbed."""
        known = self.past.durations()
        expected = {item.nodeid: 0.0 if SKIP in item.stash else known.get(base_id(item.nodeid)) for item in items}
        self.writer.plan(expected)
        return expected

    # the bench

    @property
    def testbed(self) -> Testbed:
        """As it was written; once the bench is started, as it is."""
        return self._tenancy.testbed if self._tenancy is not None else self._written

    @property
    def latched(self) -> HilError | None:
        """Why the bench left the run, if it did."""
        return self._tenancy.latched if self._tenancy is not None else None

    def start_bench(self) -> Mapping[str, str]:
        """As :class:`Tenancy`, whose ``missing`` it returns."""
        tenancy = Tenancy(self._config, self._written, self.folder, self.journal, self.info.facts)
        self._tenancy = self._open.enter_context(tenancy)
        return tenancy.missing

    def tenancy(self) -> Tenancy:
        assert self._tenancy is not None, "a test that asks for the bench starts it"
        return self._tenancy

    def provision(self) -> Bench:
        """As :meth:`Tenancy.provision`, and what is kept of a ready bench. Done once: later calls only return it."""
        tenancy = self.tenancy()
        if not tenancy.provisioned:
            tenancy.provision()
            self.writer.run(self.info)
            self._start_sampling(tenancy.bench)
            self._open.callback(self._keeper.close)
            self._keeper.watch(tenancy.bench)
        return tenancy.bench

    def _start_sampling(self, bench: Bench) -> None:
        from hil.run.sampler import sampler

        if not self._config.getoption("--no-sampling"):
            self._sampler = sampler(bench)
            self._open.callback(self._sampler.stop)
            self._sampler.start()

    # a test

    def begin(self, item: pytest.Item) -> None:
        self.undo = Undo(self.journal)
        self._keeper.begins(fit=self.latched is None)
        self.recorder.begin(item)

    def end(self) -> TestResult:
        """Write down the test, and what is kept of one that did not pass. OSError passes through."""
        with self._interrupts.shielded():
            self._keeper.ends(self.recorder, self.testbed, fit=self.latched is None)
            return self.recorder.end()

    def undo_now(self) -> BenchError | None:
        """Undo what the test changed; comes back with what went wrong. Signals wait until it is done."""
        try:
            with self._interrupts.shielded():
                self.undo.run()
        except BenchError as error:
            return error
        return None

    def aftermath(self, item: pytest.Item, phase: str, problem: BaseException | None) -> BaseException | None:
        """What the test ends with, once its changes are undone, the bench is fit again and the guard has looked.

        Signals wait until then; one that came stops the run, and the verdict is kept.
        """
        verdict = problem
        try:
            with self._interrupts.shielded():
                verdict = self._wind_up(item, problem)
        except KeyboardInterrupt:
            if verdict is not None and judge(verdict)[0] is not Verdict.SKIPPED:
                self.recorder.trouble(phase, verdict)
            raise
        return verdict

    def _wind_up(self, item: pytest.Item, problem: BaseException | None) -> BaseException | None:
        """A crash of the machine takes the place of what the test saw of it, a timeout say, which becomes its cause."""
        undone = self.undo_now()
        if problem is not None and undone is not None:
            problem.add_note(f"and then: {undone}")
        if problem is None or (undone is not None and isinstance(problem, pytest.skip.Exception)):
            problem = undone
        ended = isinstance(problem, KeyboardInterrupt | pytest.exit.Exception | pytest.skip.Exception)
        if ended or self._tenancy is None or self.latched is not None or not needs_bench(item):
            return problem
        assert self.recorder.current is not None
        finding = self._tenancy.examine(self.recorder.current, problem)
        if self.undo.owed and self.latched is None:
            finding = self._tenancy.undo_again(self.undo, self.recorder.current) or finding
        if finding is None:
            return problem
        finding.__cause__ = problem
        if problem is not None:
            finding.add_note(f"the test saw: {type(problem).__name__}: {problem}".partition("\n")[0])
        return finding

    def already_gone(self, error: BaseException | None) -> str:
        """What to show where a test did not start because the bench had left the run, whose cause was told before."""
        if self.latched is None or error is not self.latched or not self.recorder.told(self.latched):
            return ""
        return f"the bench has left the run: {str(error).partition(chr(10))[0]}"

    def as_usual(self, measurement: str, value: float, unit: str = "") -> None:
        """Compare a figure of the running test with those of earlier runs. Raises BelowUsual."""
        current = self.recorder.current
        assert current is not None, "a test is running"
        self.past.compare(
            base_id(current.item.nodeid), measurement, value, unit, margin=self.testbed.limits.below_usual,
            verified=self._tenancy is not None and bool(self._tenancy.under_verifier.wanted),
        )  # fmt: skip

    # the end

    def rest(self) -> None:
        """Undo what is left and put the bench in its rest state. Raises BenchError."""
        self.undo_now()
        if self._tenancy is not None:
            self._tenancy.rest()
        self.undo.again()

    def write_reports(self, exit_code: int, reason: str) -> Path:
        """All reports from what was recorded; comes back with index.html. OSError passes through.

        ``reason`` is why the run ended before its last test, if it did.
        """
        from hil.results.writing import write_reports

        if self._sampler is not None:
            self._sampler.stop()
        if self._tenancy is not None and (injected := self._tenancy.under_verifier.summary()):
            self.info.facts["Driver Verifier"] += f"; {injected}"
        self.writer.run(self.info)
        self.writer.end(exit_code, reason)
        return write_reports(self.folder.path)

    def close(self) -> None:
        """Close the bench, end the virtual one, release the lease, close the files."""
        try:
            self._open.close()
        except OSError as error:
            print(f"\nclosing the run: {error}", file=sys.stderr)
