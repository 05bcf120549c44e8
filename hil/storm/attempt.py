"""One sequence tried on the bench: as a test of the run like any other, with guard, undo and recovery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.results.model import TestResult
from hil.run.running import Running
from hil.run.verdict import Verdict
from hil.storm.written_test import Written

_TRIES = 3
"""An error of the bench is no answer: the attempt is made again, so often in a row."""


@dataclass(frozen=True)
class Failure:
    """What a sequence failed with, in its step ``step``. Two are the same failure when their ``kind`` is.

    What the guard alone saw, at the end, is no line's failure: it is ``late``, and told of the last step.
    """

    step: int
    kind: tuple[str, str]
    message: str
    late: bool = False


class NotFit(BenchError):
    """The adapter does not work before the first step, also after a restart of Windows."""


class Attempts:
    """A pytest plug-in beside :class:`hil.run.session.Session`; tries what it is given."""

    def __init__(self, session: pytest.Session, running: Running) -> None:
        self._session, self._running = session, running
        self._folder = running.folder.path / "storm"
        self._folder.mkdir()
        self._error: BaseException | None = None
        self._settings = running.provision().adapter.features.snapshot()
        self.count = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        if call.when == "call":
            self._error = call.excinfo.value if call.excinfo else None

    def fails(self, written: Written, name: str) -> Failure | None:
        """How it failed, if it did. Raises NotFit; HilError when the bench has left the run."""
        for number in range(1, _TRIES + 1):
            place = self._folder / f"{name}{'' if number == 1 else f'_{number}'}.py"
            place.write_text(written.text, encoding="utf-8")
            result = self._run(place)
            if result.verdict == Verdict.PASSED:
                return None
            failure = self._failure(result, place, written)
            if failure is not None and failure.step >= 0:
                return failure
            if self._running.latched is not None:
                raise self._running.latched
            if failure is not None:
                # hardware may remember what a restart of its driver does not make it forget
                self._running.tenancy().restart_windows()
            elif not any(trouble.family == "bench" for trouble in result.troubles):
                break
        raise NotFit(
            "an adapter that works before the first step, and a bench that can tell", tried=f"{number} times",
            seen=result.troubles[0].message if result.troubles else str(result.verdict),
            next_step="run suites/test_link.py",
        )  # fmt: skip

    def _run(self, place: Path) -> TestResult:
        self.count += 1
        self._error = None
        module = pytest.Module.from_parent(self._session, path=place, nodeid=place.name)
        (item,) = self._session.genitems(module)
        limit_s: float = item.config.getoption("--test-timeout")
        item.add_marker(pytest.mark.timeout(limit_s, func_only=True))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)
        result = self._running.recorder.results[-1]
        if result.verdict != Verdict.PASSED and self._running.latched is None:
            # a machine that crashed could not be given its settings back
            self._running.provision().adapter.features.restore(self._settings)
        return result

    def _failure(self, result: TestResult, place: Path, written: Written) -> Failure | None:
        """None for an error of the bench."""
        trouble = next((one for one in result.troubles if one.family == "device"), None)
        if result.verdict != Verdict.FAILED or trouble is None:
            return None
        frames = [(line, text) for error in _causes(self._error) for line, text in _lines_of(error, place)]
        step = next((written.step_of[line] for line, _ in frames if line in written.step_of), None)
        late = step is None and trouble.phase == "call"
        if step is None:
            step = max(written.step_of.values()) if late else -1
        where = result.crashes[0].bucket if result.crashes else frames[-1][1] if frames else ""
        return Failure(step, (trouble.error, where), trouble.message.partition("\n")[0], late)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _lines_of(error: BaseException, place: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each frame in the file, outermost first."""
    lines, trace = place.read_text(encoding="utf-8").splitlines(), error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(place):
            yield trace.tb_lineno, lines[trace.tb_lineno - 1].strip()
        trace = trace.tb_next

