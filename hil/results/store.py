"""The folder of a run: results are appended as tests end, so that nothing measured is lost with the process."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from hil.clock import utc_now
from hil.errors import UsageError
from hil.results.model import RunInfo, TestResult
from hil.results.node_ids import file_name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RunFolder:
    """``reports/<run>``. Raises UsageError when it cannot be made, or is there already and was asked for by name."""

    def __init__(self, reports: Path, bench: str, run_id: str | None = None) -> None:
        if run_id is not None and not _NAME.fullmatch(run_id):
            raise UsageError("--run-id of letters, digits, dots, dashes and underscores", seen=repr(run_id))
        stamp = utc_now().strftime("%Y%m%d-%H%M%S")
        names = [run_id] if run_id else [f"{stamp}-{bench}", *(f"{stamp}-{bench}-{number}" for number in range(2, 100))]
        try:
            reports.mkdir(parents=True, exist_ok=True)
            self.path = _first_new(reports, names)
            self.artifacts = self.path / "artifacts"
            self.artifacts.mkdir()
            link = reports / f".latest-{os.getpid()}"
            link.symlink_to(self.path.name)
            link.replace(reports / "latest")
        except OSError as error:
            raise UsageError("a folder for reports that can be written", seen=str(error), where=str(reports)) from error

    @property
    def run(self) -> str:
        return self.path.name

    def artifacts_of(self, test: str) -> Path:
        """Where one test's files go; not made yet."""
        return self.artifacts / file_name(test)


def _first_new(reports: Path, names: list[str]) -> Path:
    for name in names:
        try:
            (reports / name).mkdir()
        except FileExistsError:
            continue
        return reports / name
    raise UsageError(
        "a name for the run that is not taken", seen=names[0], where=str(reports), next_step="choose another --run-id"
    )


class ResultWriter:
    """Appends to results.jsonl; each line reaches the file before the call returns. OSError passes through."""

    def __init__(self, path: Path, mask: Callable[[str], str]) -> None:
        # output of tests may hold half a surrogate pair, which JSON can only hold escaped
        self._file: IO[str] = path.open("a", encoding="utf-8", errors="backslashreplace")
        self._mask = mask

    def run(self, info: RunInfo) -> None:
        self._write({"kind": "run", **asdict(info)})

    def plan(self, expected_s: Mapping[str, float | None]) -> None:
        """The tests that are to run, and how long each mostly takes: for those who watch."""
        self._write({"kind": "plan", "expected_s": expected_s})

    def test(self, result: TestResult) -> None:
        self._write(result.as_line())

    def end(self, exit_code: int, reason: str = "") -> None:
        self._write({"kind": "end", "ended": utc_now().isoformat(), "exit_code": exit_code, "reason": reason})

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(self._mask(json.dumps(line, ensure_ascii=False, default=str)) + "\n")
        self._file.flush()


class Results:
    """What a results.jsonl holds: the newest word on the run, all tests, and how it ended if it did.

    Raises UsageError for a file that cannot be read, is damaged, or was written by another hil.
    """

    def __init__(self, path: Path) -> None:
        self.info: RunInfo | None = None
        self.tests: list[TestResult] = []
        self.end: dict[str, Any] | None = None
        try:
            for line in _lines(path):
                self._take(line)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise UsageError(
                "results of a run", seen=f"{type(error).__name__}: {error}", where=str(path),
                next_step="read them with the hil that wrote them, or move the folder away",
            ) from error  # fmt: skip

    def _take(self, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if kind == "run":
            self.info = RunInfo(**{key: value for key, value in line.items() if key != "kind"})
        elif kind == "test":
            self.tests.append(TestResult.from_line(line))
        elif kind == "end":
            self.end = line


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line; the last one of a killed run may be cut, and is left out."""
    with path.open("rb") as file:
        for text in file:
            if text.endswith(b"\n"):
                yield json.loads(text)
