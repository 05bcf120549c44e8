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
from hil.run.crashes import CrashBook
from hil.run.guard import Guard, Seen
from hil.run.interrupts import Interrupts
from hil.run.keeping import Keeper
from hil.run.past import Past
from hil.run.provisioning import settings_in_words
from hil.run.recorder import Current, Recorder
from hil.run.recover import recover_or_quarantine
from hil.run.requirements import SKIP, needs_bench
from hil.run.under_verifier import UnderVerifier
from hil.run.undo import Undo
from hil.run.verdict import Verdict, judge
from hil.run.watchdog import Watchdog
from hil.testbed.lease import lease
from hil.testbed.model import Packages, Testbed
from hil.testbed.secret import all_secrets
from hil.testbed.state import state_dir

if TYPE_CHECKING:
    from hil.run.sampler import Sampler


def _defects(testbed: Testbed) -> dict[str, str]:
    faults = testbed.virtual.faults if testbed.virtual else ()
    return {FAULTS_FACT: ", ".join(faults)} if faults else {}


class Running:
    """``latched`` is the first cause why the bench left the run; from then on no test touches it."""

    def __init__(self, config: pytest.Config, testbed: Testbed, seed: int, interrupts: Interrupts) -> None:
        self._config, self.testbed, self._interrupts = config, testbed, interrupts
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
        self.undo, self._undo_at_end = Undo(self.journal), Undo(self.journal)
        self.latched: HilError | None = None
        self.bench: Bench | None = None
        self._guard: Guard | None = None
        self._provisioned = False
        self._crashes: CrashBook | None = None
        self.under_verifier: UnderVerifier | None = None
        self._watchdog: Watchdog | None = None
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

    def start_bench(self) -> Mapping[str, str]:
        """Start the bench if it is a virtual one, and lease it. Returns why single capabilities are absent.

        Raises BenchError when it does not start, is out of service, or another run has it.
        """
        missing: dict[str, str] = {}
        if self.testbed.virtual is not None:
            from hil.virtual.lab import Lab

            lab = Lab(self.testbed, state_dir(self.testbed), self.journal)
            with self.journal.span("step", f"start the virtual bench {self.testbed.name}"):
                self.testbed = self._open.enter_context(lab)
            missing = dict(lab.missing)
            if "wire" in missing:
                missing["partner"] = "its wire is missing"
        self.testbed = self._with_packages(self.testbed)
        _must_be_whole(self.testbed.packages)
        held = self._open.enter_context(lease(self.testbed, run=self.folder.run))
        self._watchdog = self._open.enter_context(Watchdog(held, self.testbed, self.folder.path))
        self.bench = self._open.enter_context(Bench(self.testbed, self.journal, held.check))
        self._guard = Guard(self.bench)
        self._crashes = CrashBook(self.bench, self.folder)
        self.under_verifier = UnderVerifier(self.bench, self._config.getoption("--verifier") or "")
        if held.inherited:
            self.journal.event("observation", f"the bench may not be at rest: {held.inherited}")
            recover_or_quarantine(self.bench, blind=True)
            held.rested()
        return missing

    def _with_packages(self, testbed: Testbed) -> Testbed:
        """The testbed with the packages of the command line in place of its own."""
        options = {"current": "--package", "previous": "--previous-package", "certificate": "--certificate"}
        given = {key: self._config.getoption(option) for key, option in options.items()}
        update = {key: path.resolve() for key, path in given.items() if path is not None}
        if not update:
            return testbed
        packages = testbed.packages.model_copy(update=update) if testbed.packages else Packages(**update)
        return testbed.model_copy(update={"packages": packages})

    def provision(self) -> Bench:
        """Make the machine ready and bind the package under test; what cannot be mended here latches the run.

        Done once: later calls only come back with the bench.
        """
        from hil.run.provisioning import provision

        assert self.bench is not None and self._guard is not None
        if self._provisioned:
            return self.bench
        try:
            if not self._config.getoption("--no-provision"):
                try:
                    provision(self.bench, self.info.facts)
                except BenchError as error:
                    if not self.bench.connected:
                        raise  # it never answered: perhaps the testbed names another one
                    self.journal.event("error", f"the bench is brought back and provisioned again: {error}")
                    recover_or_quarantine(self.bench, blind=True)
                    provision(self.bench, self.info.facts)
            self._set_adapter(self.bench)
            self._verify_drivers()
            self._guard.arm()
        except HilError as error:
            self.latched = self.latched or error
            raise
        self._provisioned = True
        self.writer.run(self.info)
        self._start_sampling(self.bench)
        self._open.callback(self._keeper.close)
        self._keeper.watch(self.bench)
        return self.bench

    def _set_adapter(self, bench: Bench) -> None:
        from hil.run import adapter_settings

        path = self._config.getoption("--adapter-settings")
        if path is not None:
            adapter_settings.apply(bench, adapter_settings.read(path), self._undo_at_end)
            self.info.facts["settings"] = settings_in_words(bench.adapter.settings())

    def _verify_drivers(self) -> bool:
        """Under Driver Verifier, if the run is to be; whether the machine was restarted for it."""
        assert self.under_verifier is not None
        restarted = self.under_verifier.ensure()
        if self.under_verifier.wanted:
            self.info.facts["Driver Verifier"] = self.under_verifier.told
        return restarted

    def prepare(self, item: pytest.Item) -> None:
        """Before a test that touches the bench: Driver Verifier is active again, if the last one lost it."""
        if not self._provisioned or not needs_bench(item):
            return
        assert self._guard is not None
        try:
            if self._verify_drivers():
                self._guard.arm()
        except HilError as error:
            self.latched = error
            raise

    def restart_windows(self) -> None:
        """Between two tests, for whoever wants to begin from there. Raises BenchError."""
        assert self.bench is not None and self._guard is not None
        with self.journal.span("step", "restart Windows between tests"):
            self.bench.machine.reboot()
        self._guard.arm()

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
        problem = problem or undone
        ended = isinstance(problem, KeyboardInterrupt | pytest.exit.Exception | pytest.skip.Exception)
        if ended or self.bench is None or self.latched is not None or not needs_bench(item):
            return problem
        finding = self._examine(item, problem)
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

    def _examine(self, item: pytest.Item, problem: BaseException | None) -> HilError | None:
        """Bring the bench back to rest where needed, and ask the guard."""
        assert self.bench is not None and self._guard is not None and self.recorder.current is not None
        current = self.recorder.current
        artifacts = self.folder.artifacts_of(item.nodeid)
        try:
            taken_down = recover_or_quarantine(self.bench) if problem is not None else None
            try:
                seen, forced = self._guard.check(current.expected, artifacts, taken_down=taken_down), None
            except BenchError as error:
                # it may have answered on its way down
                again = recover_or_quarantine(self.bench)
                seen = self._guard.check(current.expected, artifacts, taken_down=taken_down or again)
                # the test had ended well, and yet the machine only came back by force
                forced = error if again else None
            self._note(seen, current)
        except HilError as error:
            self.latched = error
            self.journal.event("error", f"the bench leaves the run: {error}")
            return None if problem is not None else error
        return seen.error or forced

    def _note(self, seen: Seen, current: Current) -> None:
        """What the guard saw, and what the test was checked by, in the test's result."""
        assert self._crashes is not None and self.under_verifier is not None
        crashes = self._crashes.note(
            seen.incidents, seen.dumps, test=current.item.nodeid, expected=current.expected
        )  # fmt: skip
        current.crashes += crashes
        current.artifacts += [str(dump.local.relative_to(self.folder.path)) for dump in seen.dumps]
        current.artifacts += [crash.analysis for crash in crashes if crash.analysis]
        current.verifier = self.under_verifier.proof()

    def as_usual(self, measurement: str, value: float, unit: str = "") -> None:
        """Compare a figure of the running test with those of earlier runs. Raises BelowUsual."""
        current = self.recorder.current
        assert current is not None, "a test is running"
        self.past.compare(
            base_id(current.item.nodeid), measurement, value, unit, margin=self.testbed.limits.below_usual,
            verified=self.under_verifier is not None and bool(self.under_verifier.wanted),
        )  # fmt: skip

    # the end

    def rest(self) -> None:
        """Undo what is left and put the bench in its rest state. Raises BenchError."""
        undone = self.undo_now()
        if self.bench is not None:
            with self.journal.span("step", "put the bench to rest"):
                self.bench.to_rest()
                self._undo_at_end.run()
                if self.under_verifier is not None:
                    self.under_verifier.end()
        if self._watchdog is not None:
            self._watchdog.dismiss()
        if undone is not None:
            raise undone

    def write_reports(self, exit_code: int, reason: str) -> Path:
        """All reports from what was recorded; comes back with index.html. OSError passes through.

        ``reason`` is why the run ended before its last test, if it did.
        """
        from hil.results.writing import write_reports

        if self._sampler is not None:
            self._sampler.stop()
        if self.under_verifier is not None and (injected := self.under_verifier.summary()):
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


def _must_be_whole(packages: Packages | None) -> None:
    """What will be installed can be read and fits its catalog. Raises UsageError."""
    from hil.package import Package

    for folder in (packages.current, packages.previous, packages.other, packages.restarting) if packages else ():
        if folder is not None:
            Package.load(folder).require_intact()
