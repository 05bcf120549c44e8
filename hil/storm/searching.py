"""The storm: sequences one after the other until one fails, which is then shrunk, proven and written down.

A pytest plug-in in place of the run's loop. Each attempt starts from the rest state: what the one before changed is
undone, a machine that crashed has booted, and the driver is started anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hil.clock import Deadline
from hil.errors import HilError
from hil.run.running import Running
from hil.run.session import SESSION
from hil.storm.attempt import Attempts, Failure
from hil.storm.operations import closed, opened
from hil.storm.sequences import Sequences
from hil.storm.shrink import OutOfTime, Shrinking, Steps
from hil.storm.written_test import Written, write_test

if TYPE_CHECKING:
    from hil.bench import Bench

_MISSED = 0.05
"""Chance with which a sequence that fails only sometimes may be taken for a good one while it is shrunk."""
_MOST_REPEATS = 10


@dataclass(frozen=True)
class Limits:
    """``steps`` in all, ``length`` in one sequence; minutes of searching, and of shrinking.

    ``replays`` of a failing sequence tell how often it fails, before it is shrunk and afterwards.
    """

    steps: int = 100
    length: int = 10
    minutes: float = math.inf
    shrink_minutes: float = 10.0
    replays: int = 3


@dataclass(frozen=True)
class Tried:
    """A sequence that was run: how many of its steps, and what it failed with."""

    steps: Steps
    done: int
    seconds: float
    failure: Failure | None = None


@dataclass
class Found:
    """A failing sequence. ``steps`` is the shortest that failed; ``replays`` tells how often it did, of how many."""

    steps: Steps
    original: Steps
    failure: Failure
    replays: tuple[int, int]
    attempts: int = 0
    seconds: float = 0.0
    finished: bool = True
    """Whether shrinking came to its end in time."""
    file: Path | None = None


@dataclass
class Storm:
    """``tell`` is called with each line for the console."""

    seed: int
    limits: Limits
    tell: Callable[[str], None]
    tried: list[Tried] = field(default_factory=list)
    found: Found | None = None
    problem: HilError | None = None
    folder: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not session.items:
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
            running.info.collected = len(running.recorder.results)
            running.info.facts["storm"] = self.outcome
        return True

    @property
    def outcome(self) -> str:
        """In a sentence or two."""
        steps, sequences = sum(one.done for one in self.tried), len(self.tried)
        if self.found is None:
            told = f"{steps} steps in {sequences} sequences, none failed" if not self.problem else str(self.problem)
            return f"Seed {self.seed}: {told}."
        failed, of = self.found.replays
        return (
            f"Seed {self.seed}: after {steps} steps, {', '.join(map(str, self.found.steps))} failed {failed} of {of} "
            f"times: {self.found.failure.message}."
        )

    def _search(self, session: pytest.Session, running: Running) -> None:
        bench = running.provision()
        self._capabilities = {*bench.testbed.capabilities()}
        self._capabilities |= {"sleep"} if self._capabilities & {"S3", "S0ix"} else set()
        self._attempts = Attempts(session, running)
        session.config.pluginmanager.register(self._attempts)
        sequences = Sequences(self.seed, self._capabilities, _values(bench))
        deadline = Deadline(60 * self.limits.minutes)
        while not deadline.expired and (left := self.limits.steps - sum(one.done for one in self.tried)) > 0:
            steps = sequences.next(min(self.limits.length, left))
            failure = self._sequence(steps)
            if failure is not None:
                self._reduce(steps[: failure.step + 1], failure)
                return

    def _sequence(self, steps: Steps) -> Failure | None:
        """Try a new one, and note how far it came."""
        took, number = Deadline(0), len(self.tried) + 1
        failure = self._try(steps, f"test_storm_{self.seed}_sequence_{number}")
        done = len(steps) if failure is None else failure.step + 1
        self.tried.append(Tried(steps, done, took.elapsed_s, failure))
        told = f"FAILS in step {done}: {failure.message}" if failure else f"{len(steps)} steps held"
        self.tell(f"sequence {number}: {told} ({took.elapsed_s:.1f} s)")
        return failure

    def _reduce(self, steps: Steps, failure: Failure) -> None:
        """Confirm, shrink within the time for it, and write the file, also when the bench gives in meanwhile."""
        took, before = Deadline(60 * self.limits.shrink_minutes), self._attempts.count
        self.found = found = Found(steps, steps, failure, (0, 0))
        try:
            found.replays = self._failures(steps, failure, "again"), self.limits.replays
            if found.replays[0]:
                self._shrink(found, took)
        finally:
            found.attempts, found.seconds = self._attempts.count - before, took.elapsed_s
            found.file = self._keep(found)

    def _shrink(self, found: Found, took: Deadline) -> None:
        failed, of = found.replays
        repeats = _repeats(failed / of)

        def fails(candidate: Steps) -> int:
            if took.expired:
                raise OutOfTime
            tries = (self._same(candidate, found.failure, f"shrunk_{self._attempts.count}") for _ in range(repeats))
            done = next(filter(None, tries), 0)
            found.steps = candidate[:done] if done else found.steps
            self.tell(f"  {'still fails' if done else 'holds':<12} {', '.join(map(str, candidate))}")
            return done

        shrinking = Shrinking(found.steps, fails)
        shrinking.run()
        found.finished = shrinking.finished
        if found.steps != found.original:
            found.replays = self._failures(found.steps, found.failure, "final"), of

    def _failures(self, steps: Steps, failure: Failure, name: str) -> int:
        """How many of the replays fail."""
        numbers = range(1, self.limits.replays + 1)
        return sum(self._same(closed(steps), failure, f"{name}_{number}") > 0 for number in numbers)

    def _same(self, steps: Steps, failure: Failure, name: str) -> int:
        """After how many steps it fails again, and with the same failure; 0 when it does not."""
        seen = self._try(steps, f"test_storm_{self.seed}_{name}")
        return seen.step + 1 if seen is not None and seen.kind == failure.kind else 0

    def _try(self, steps: Steps, name: str) -> Failure | None:
        written = self._written(steps, name, f"Tried by hil storm with seed {self.seed}.")
        failure = self._attempts.fails(written, name)
        # what only brings the adapter up again is not to blame
        return replace(failure, step=len(opened(steps)) - 1) if failure is not None and failure.late else failure

    def _written(self, steps: Steps, name: str, story: str) -> Written:
        return write_test(steps, name, story, self._capabilities)

    def _keep(self, found: Found) -> Path:
        """The file that is left behind."""
        assert self.folder is not None
        failed, of = found.replays
        story = f"hil storm found it with seed {self.seed}, in {len(found.original)} steps; it failed {failed} of {of} "
        story += f"times, with: {found.failure.message}"
        name = f"test_storm_{self.seed}"
        path = self.folder / f"{name}.py"
        path.write_text(self._written(found.steps, name, story).text, encoding="utf-8")
        return path


def _repeats(rate: float) -> int:
    """Runs after which a sequence that fails at this rate has been seen to fail, but for a small chance."""
    return 1 if rate >= 1 else min(_MOST_REPEATS, math.ceil(math.log(_MISSED) / math.log(1 - rate)))


def _values(bench: Bench) -> dict[str, list[str]]:
    """What to set: of the harmless settings that the package offers, two values that are not the default."""
    from hil.package import Package
    from hil.package.keywords import harmless

    packages = bench.testbed.packages
    if packages is None:
        return {}
    chosen = {}
    for keyword in harmless(Package.load(packages.current).for_device(bench.hardware_ids).keywords):
        others = [value for value in keyword.boundary_values() if value != keyword.default]
        chosen[keyword.name] = others[:2]
    return chosen

