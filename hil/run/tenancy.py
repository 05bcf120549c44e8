"""The bench while a run holds it: leased, made ready, watched by the guard, recovered, and put to rest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

import pytest

from hil.bench import Bench
from hil.clock import utc_now
from hil.errors import BenchError, HilError
from hil.journal import Journal
from hil.results.store import RunFolder
from hil.run.crashes import CrashBook
from hil.run.guard import Guard, Seen
from hil.run.packages import must_be_whole, of_command_line, with_packages
from hil.run.provisioning import settings_in_words
from hil.run.recorder import Current
from hil.run.recover import recover_or_quarantine
from hil.run.under_verifier import UnderVerifier
from hil.run.undo import Undo
from hil.run.watchdog import Watchdog
from hil.testbed.lease import lease
from hil.testbed.model import Testbed
from hil.testbed.state import state_dir


class Tenancy:
    """A context manager: starts the bench if it is a virtual one and leases it; ends both."""

    testbed: Testbed
    """As the run uses it: endpoints of a virtual bench, packages of the command line."""
    missing: Mapping[str, str]
    """Capabilities that are absent today, with the reason."""
    bench: Bench
    under_verifier: UnderVerifier

    def __init__(
        self, config: pytest.Config, testbed: Testbed, folder: RunFolder, journal: Journal, facts: dict[str, str]
    ) -> None:
        self._config, self.testbed, self._folder, self._journal = config, testbed, folder, journal
        self._facts = facts
        self.latched: HilError | None = None
        """The first cause why the bench left the run; from then on no test touches it."""
        self.provisioned = False
        self._undo_at_end = Undo(journal)

    def __enter__(self) -> Self:
        """Raises BenchError when the bench does not start, is out of service, or another run has it."""
        with ExitStack() as opening:
            self._start(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _start(self, opening: ExitStack) -> None:
        missing: dict[str, str] = {}
        if self.testbed.virtual is not None:
            from hil.virtual.lab import Lab

            lab = Lab(self.testbed, state_dir(self.testbed), self._journal)
            with self._journal.span("step", f"start the virtual bench {self.testbed.name}"):
                made = opening.enter_context(lab)
            self.testbed = with_packages(made, of_command_line(self._config))
            missing = dict(lab.missing)
            if "wire" in missing:
                missing["partner"] = "its wire is missing"
        self.missing = missing
        must_be_whole(self.testbed.packages)
        held = opening.enter_context(lease(self.testbed, run=self._folder.run))
        self._watchdog = opening.enter_context(Watchdog(held, self.testbed, self._folder.path))
        self.bench = opening.enter_context(Bench(self.testbed, self._journal, held.check))
        self._guard = Guard(self.bench)
        self._crashes = CrashBook(self.bench, self._folder)
        self.under_verifier = UnderVerifier(self.bench, self._config.getoption("--verifier") or "")
        if held.inherited:
            self._journal.event("observation", f"the bench may not be at rest: {held.inherited}")
            recover_or_quarantine(self.bench, blind=True)
            held.rested()

    def use(self, testbed: Testbed) -> None:
        """Go on with another description of the same bench: other packages, say."""
        self.testbed = self.bench.testbed = testbed

    def provision(self) -> None:
        """Make the machine ready and bind the package under test; what cannot be mended here latches the run."""
        from hil.run.provisioning import provision

        try:
            if not self._config.getoption("--no-provision"):
                try:
                    provision(self.bench, self._facts)
                except BenchError as error:
                    if not self.bench.connected:
                        raise  # it never answered: perhaps the testbed names another one
                    self._journal.event("error", f"the bench is brought back and provisioned again: {error}")
                    recover_or_quarantine(self.bench, blind=True)
                    provision(self.bench, self._facts)
            self._set_adapter()
            self._verify_drivers()
            self._guard.arm()
        except HilError as error:
            self.latched = self.latched or error
            raise
        self.provisioned = True

    def _set_adapter(self) -> None:
        from hil.run import adapter_settings

        path = self._config.getoption("--adapter-settings")
        if path is not None:
            adapter_settings.apply(self.bench, adapter_settings.read(path), self._undo_at_end)
            self._facts["settings"] = settings_in_words(self.bench.adapter.settings())

    def _verify_drivers(self) -> bool:
        """Under Driver Verifier, if the run is to be; whether the machine was restarted for it."""
        restarted = self.under_verifier.ensure()
        if self.under_verifier.wanted:
            self._facts["Driver Verifier"] = self.under_verifier.told
        return restarted

    def prepare(self) -> None:
        """Before a test that touches the bench: Driver Verifier is active again, if the last one lost it."""
        if not self.provisioned:
            return
        try:
            if self._verify_drivers():
                self._guard.arm()
        except HilError as error:
            self.latched = error
            raise

    def restart_windows(self) -> None:
        """Between two tests, for whoever wants to begin from there. Raises BenchError."""
        with self._journal.span("step", "restart Windows between tests"):
            self.bench.machine.reboot()
        self._guard.arm()

    def recover(self) -> None:
        """Between two tests: the bench fit again, and whatever happened is no word on the next one. Raises HilError."""
        try:
            recover_or_quarantine(self.bench)
            self._guard.arm()
        except HilError as error:
            self.latched = error
            raise

    def undo_again(self, undo: Undo, current: Current) -> HilError | None:
        """What met a machine that was down, now that it is back: settings that stay would be the next test's.

        Comes back as :meth:`examine`; a restart that an undo makes is hil's own doing.
        """
        since, problem = utc_now(), None
        try:
            undo.again()
        except BenchError as error:
            problem = error
            self._journal.event("error", f"still not undone: {error}")
        return self.examine(current, problem, since)

    def examine(
        self, current: Current, problem: BaseException | None, since: datetime | None = None
    ) -> HilError | None:
        """After a test: the bench back at rest where needed, and what the guard found; crashes go to the test's result.

        What keeps the bench from going on latches the run, and is the test's end when it has none of its own. Since
        ``since``, if that is given, hil may have taken the machine down.
        """
        artifacts = self._folder.artifacts_of(current.item.nodeid)
        try:
            recovered = recover_or_quarantine(self.bench) if problem is not None else None
            taken_down = since or recovered
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
            self._journal.event("error", f"the bench leaves the run: {error}")
            return None if problem is not None else error
        return seen.error or forced

    def _note(self, seen: Seen, current: Current) -> None:
        """What the guard saw, and what the test was checked by, in the test's result."""
        crashes = self._crashes.note(seen.incidents, seen.dumps, test=current.item.nodeid, expected=current.expected)
        current.crashes += crashes
        current.artifacts += [str(dump.local.relative_to(self._folder.path)) for dump in seen.dumps]
        current.artifacts += [crash.analysis for crash in crashes if crash.analysis]
        current.verifier = self.under_verifier.proof()

    def rest(self) -> None:
        """Put the bench in its rest state. Raises BenchError."""
        with self._journal.span("step", "put the bench to rest"):
            self.bench.to_rest()
            self._undo_at_end.run()
            self.under_verifier.end()
        self._watchdog.dismiss()
