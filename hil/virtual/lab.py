"""Starts a virtual bench as a process of its own and ends it; in between it is an ordinary testbed."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from hil.clock import Deadline
from hil.errors import BenchError, HilError, UsageError
from hil.journal import Journal
from hil.testbed.model import Testbed

START_TIMEOUT_S, END_TIMEOUT_S = 30.0, 5.0
_FAMILIES = {family.__name__: family for family in (UsageError, BenchError)}
_LOG_TAIL_CHARS = 2000


class Lab:
    """A context manager over one bench. ``missing`` says why single capabilities (``wire``) are absent.

    The bench reads the pipe that this object holds: it ends when the pipe does, however this process dies.
    """

    def __init__(
        self, testbed: Testbed, state_dir: Path, journal: Journal, *, end_timeout_s: float = END_TIMEOUT_S
    ) -> None:
        self._testbed, self._state_dir, self._journal = testbed, state_dir, journal
        self._end_timeout_s = end_timeout_s
        self.pid = 0
        self.missing: Mapping[str, str] = {}
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Testbed:
        """Raises UsageError or BenchError as the bench reports it, BenchError when it does not report in time.

        UsageError also for a state folder that cannot be written.
        """
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix="bench-", dir=self._state_dir))
        except OSError as error:
            raise UsageError(
                "a folder for the state of benches that can be written", seen=str(error), where=str(self._state_dir),
                next_step="name another one as state_dir in the testbed",
            ) from error  # fmt: skip
        try:
            answer = self._start()
            if "error" in answer:
                raise _error(answer["error"])
        except BaseException:
            self._end()
            raise
        self.missing, self.pid = answer["missing"], answer["pid"]
        self._journal.event("step", "virtual bench is up", pid=answer["pid"], missing=self.missing)
        return Testbed.model_validate(answer["testbed"])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> dict[str, Any]:
        assert self._folder is not None
        with (self._folder / "bench.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hil.virtual"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        assert self._process.stdin is not None
        request = {"testbed": self._testbed.dump(), "state_dir": str(self._folder)}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._silent("ended before it was told what to be") from None
        line = self._first_line(Deadline(START_TIMEOUT_S))
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise self._silent(f"said {line[:200]!r}") from None
        return answer

    def _first_line(self, deadline: Deadline) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], deadline.remaining_s)[0]:
                raise self._silent(f"said nothing for {START_TIMEOUT_S:g} s")
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise self._silent("ended without an answer")
            line += chunk
        return line

    def _silent(self, seen: str) -> BenchError:
        assert self._folder is not None
        log = (self._folder / "bench.log").read_text(errors="replace")[-_LOG_TAIL_CHARS:].strip()
        return BenchError(
            "the virtual bench to start", seen=f"the process {seen}" + (f"; its log ends: {log}" if log else ""),
            where=self._testbed.name, next_step="see the log; hil doctor tells what this computer lacks",
        )  # fmt: skip

    def _end(self) -> None:
        """Close the pipe, wait, then use force; nothing of the bench stays."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.close()
            except BrokenPipeError:
                self._journal.event("observation", "the virtual bench had ended before it was told to")
            for force in (process.terminate, process.kill):
                try:
                    process.wait(self._end_timeout_s)
                except subprocess.TimeoutExpired:
                    force()
            process.wait()
            process.stdout.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _environment() -> dict[str, str]:
    """The import path of this process, so that faults from outside the project are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _error(fields: Mapping[str, str]) -> HilError:
    family = _FAMILIES.get(fields["family"], BenchError)
    return family(
        fields["wanted"],
        seen=fields["seen"],
        where=fields["where"],
        tried=fields["tried"],
        next_step=fields["next_step"],
    )
