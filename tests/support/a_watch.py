"""A run that goes on, as its process writes it, and ``hil watch`` beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from a_run import a_test, bench, device

from hil.clock import utc_now
from hil.journal import Journal
from hil.results.model import RunInfo, TestResult
from hil.results.store import ResultWriter
from hil.watch.board import Board
from hil.watch.server import Server


class GoingRun:
    """``test`` is open until ``ended``; ``close`` leaves it as a process does that was killed."""

    def __init__(self, folder: Path, name: str = "desk", tests: int = 4) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl")
        self.writer = ResultWriter(folder / "results.jsonl", lambda line: line)
        self.names = [a_test(f"test_{number}", "passed").test for number in range(tests)]
        info = RunInfo(folder.name, utc_now().isoformat(), "0.1.0", name, "A bench", collected=tests)
        self.writer.run(info)
        self.writer.plan(dict.fromkeys(self.names, 60.0))
        self._open = ExitStack()

    def begin(self, number: int, *, waits_for: str = "the device to go") -> None:
        self._open.enter_context(self.journal.span("test", self.names[number], claim="Claim."))
        self._open.enter_context(self.journal.span("wait", waits_for, timeout_s=30))

    def end(self, *tests: TestResult) -> None:
        self._open.close()
        for test in tests:
            self.writer.test(test)

    def over(self, exit_code: int = 0) -> None:
        (self.folder / "index.html").write_text("<!doctype html><title>report</title>")
        self.writer.end(exit_code)

    def close(self) -> None:
        self.journal.close()
        self.writer.close()
        self._open.close()


def record_two_minutes(run: GoingRun) -> None:
    """Samples of the time before now, and how six tests ended."""
    now = utc_now()
    with (run.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        for number in range(240):
            at, busy = now - timedelta(seconds=(240 - number) / 2), number % 80 > 25
            record = {"t_s": number / 2, "utc": at.isoformat(), "phase": "point", "kind": "sample", "id": 0}
            sent_mbps = 940.0 + number % 7 if busy else 0.1
            wire = {"sent_mbps": sent_mbps, "received_mbps": sent_mbps / 300, "link": True}
            for what, seen in (("wire", wire), ("watts", {"watts": 38.0 + number % 3 if busy else 31.5})):
                journal.write(json.dumps({**record, "what": what, **seen}) + "\n")
    slow = device("470 Mbit/s after S3, at least 913 wanted", "AssertionError")
    stuck = bench("the relay stays closed")
    ended = [("passed",), ("failed", slow), ("passed",), ("failed", slow), ("error", stuck), ("passed",)]
    run.journal.event("sample", "windows", adapter="Up")
    run.end(*(a_test(f"test_{number}", *how) for number, how in enumerate(ended)))


@contextmanager
def watching(reports: Path, port: int = 0) -> Iterator[Server]:
    """The server in threads of this process."""
    board = Board(reports)
    with closing(Server("127.0.0.1", port, reports, board)) as server, board:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hil_watch(reports: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a person starts it; the process, and the address it tells."""
    command = [sys.executable, "-m", "hil.cli", "watch", str(reports), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split(" at ")[1].split()[0]
        finally:
            process.kill()


class Stream:
    """Server-sent events of ``hil watch``."""

    def __init__(self, url: str) -> None:
        self._answer = urllib.request.urlopen(f"{url}events", timeout=30)

    def until(self, wanted: Any) -> dict[str, Any]:
        """The first state that ``wanted`` is true for."""
        for line in self._answer:
            if line.startswith(b"data: "):
                state: dict[str, Any] = json.loads(line[6:])
                if wanted(state):
                    return state
        raise AssertionError("the stream ended before")

    def close(self) -> None:
        self._answer.close()
