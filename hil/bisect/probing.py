"""Runs one test on one package after the other, within one run on one bench: a pytest plug-in in place of its loop.

Each probe is a test of the run like any other, with guard, undo and recovery, and a repetition of its own in the report
(``test_pnp.py::test_idle_removal#7``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hil.bisect.candidates import Candidates
from hil.bisect.search import Answer, Search
from hil.errors import BenchError, DriverInstallFailed, DutError, HilError, UsageError
from hil.package import Package
from hil.results.model import TestResult
from hil.run.provisioning import bind
from hil.run.requirements import SKIP
from hil.run.running import Running
from hil.run.session import SESSION
from hil.run.verdict import Verdict
from hil.windows.driver_store import DriverStore

BENCH_TRIES = 3
"""In a row: an error of the bench is no answer, and the run is made again."""


@dataclass
class Probing:
    """``answer`` or ``problem`` is there when the run has ended; neither when the bench did not even start.

    ``tell`` is called with the number of a package after each run on it.
    """

    found: Candidates
    search: Search
    tell: Callable[[int], None]
    answer: Answer | None = None
    problem: HilError | None = None
    folder: Path | None = None
    """Of the run."""
    remarks: dict[int, str] = field(default_factory=dict)
    """By package: why it cannot be tested, or what its first failure was."""
    _tries: int = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if len(items) != 1:
            some = ", ".join(item.name for item in items[:5]) or "none"
            raise pytest.UsageError(f"one test is wanted to bisect by; seen: {len(items)}: {some}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not session.items or session.config.option.collectonly:
            return True
        of_the_run = session.config.stash[SESSION]
        running = of_the_run.the_run()
        self.folder = running.folder.path
        try:
            self._search(session, running)
        except HilError as error:
            self.problem = error
            of_the_run.families.append(error.exit_code)
        finally:
            # what was not needed any more is nothing that was not tested
            running.info.collected = len(running.recorder.results)
            first, *_, last = self.found.packages
            running.info.facts |= {"package": f"those from {first} to {last}", "bisect": self.outcome}
        return True

    @property
    def outcome(self) -> str:
        """In a sentence or two."""
        runs = self.search.runs
        if self.answer is None:
            return f"Not found after {runs} runs: {self.problem or 'the run was interrupted'}"
        first = self.found.packages[self.answer.first]
        told = f"{first} is the first bad package"
        if self.answer.untested:
            others = ", ".join(str(self.found.packages[one]) for one in self.answer.untested)
            told += f" that can be tested; {others} before it cannot, and may be it"
        return f"{told}. Confidence {self.answer.confidence:.1%}, after {runs} runs."

    def _search(self, session: pytest.Session, running: Running) -> None:
        items, bound = iter(session.items), -1
        for package, candidate in enumerate(self.found.packages):
            if candidate.trouble:
                self._give_up(package, candidate.trouble)
        while not isinstance(wanted := self.search.next(), Answer):
            if wanted != bound:
                bound = wanted if self._install(wanted, running) else -1
            if bound == wanted:
                self._probe(wanted, _next(items), session, running)
        self.answer = wanted

    def _install(self, package: int, running: Running) -> bool:
        """Whether Windows takes the package. An adapter that does not come up on it is for the test to see."""
        candidate = self.found.packages[package]
        bench = running.provision()
        packages = bench.testbed.packages
        assert packages is not None, "the run was given a package"
        packages = packages.model_copy(update={"current": candidate.folder})
        running.tenancy().use(bench.testbed.model_copy(update={"packages": packages}))
        try:
            loaded = Package.load(candidate.folder).for_device(bench.hardware_ids)
            bind(bench, DriverStore(bench.machine), loaded)
        except (UsageError, DriverInstallFailed) as error:
            self._give_up(package, str(error).partition("\n")[0])
            return False
        except DutError as error:
            bench.journal.event("observation", f"not up on {candidate}: {error}")
        except BenchError as error:
            # a package may crash Windows while it is installed
            bench.journal.event("error", f"{candidate}: {error}")
            running.tenancy().recover()
            self._tries += 1
            if self._tries == BENCH_TRIES:
                self._tries = 0
                self._give_up(package, f"{BENCH_TRIES} installs in a row failed: {error}".partition("\n")[0])
            return False
        return True

    def _probe(self, package: int, item: pytest.Item, session: pytest.Session, running: Running) -> None:
        """One run of the test, if the bench lets it be one."""
        if SKIP in item.stash:
            raise UsageError("a test that this bench can be asked", seen=item.stash[SKIP].text)
        with running.journal.span("step", f"probe {self.found.packages[package]}"):
            # all fixtures anew: what they hold belongs to one package
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        failed = self._failed(running.recorder.results[-1], running)
        if failed is not None:
            self.search.tell(package, failed=failed)
            self.tell(package)
        if failed:
            self.remarks.setdefault(package, running.recorder.results[-1].troubles[0].message.partition("\n")[0])

    def _failed(self, result: TestResult, running: Running) -> bool | None:
        """What the run says of the package; None for nothing. Raises HilError when it is of no use to go on."""
        if result.verdict in (Verdict.PASSED, Verdict.FAILED):
            self._tries = 0
            return result.verdict == Verdict.FAILED
        self._tries += 1
        if running.latched is not None:
            raise running.latched
        told = result.skip.text if result.skip else result.troubles[0].message if result.troubles else result.verdict
        if not any(trouble.family == "bench" for trouble in result.troubles):
            raise UsageError("a test that passes or fails", seen=f"{result.verdict}: {told}", where=result.test)
        if self._tries == BENCH_TRIES:
            raise BenchError(
                "a bench on which the test comes to its end", seen=told, tried=f"{BENCH_TRIES} times in a row"
            )
        return None

    def _give_up(self, package: int, why: str) -> None:
        self.remarks[package] = f"cannot be tested: {why}"
        self.search.give_up(package)
        self.tell(package)


def _next(items: Iterator[pytest.Item]) -> pytest.Item:
    """There are as many as runs are allowed; errors of the bench use them up too. Raises BenchError for none."""
    item = next(items, None)
    if item is None:
        raise BenchError("enough runs for an answer", seen="too many of them ended as errors of the bench")
    return item
