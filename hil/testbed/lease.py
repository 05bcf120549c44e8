"""One run per bench: an advisory lock on a file that says who holds it.

The lock (flock) ends with the process that took it, however it dies, so a lease is never left over by a dead run.
Two computers see each other's lease when they share the state folder.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from hil.clock import utc_now
from hil.errors import BenchError, UsageError
from hil.testbed.model import Testbed


@dataclass(frozen=True)
class Owner:
    """Who holds a bench; ``fence`` grows by one with each lease, times are UTC in ISO 8601."""

    pid: int
    host: str
    user: str
    run: str
    started: str
    heartbeat: str
    fence: int

    def __str__(self) -> str:
        holder = f"{self.user}@{self.host}, pid {self.pid}"
        return f"run {self.run} of {holder}, since {self.started}, last seen {self.heartbeat}"


class Lease:
    """Held; ``beat()`` tells others that the run still goes on."""

    def __init__(self, file: IO[str], owner: Owner) -> None:
        self._file, self.owner = file, owner
        self._write()

    def beat(self) -> None:
        self.owner = replace(self.owner, heartbeat=utc_now().isoformat(timespec="seconds"))
        self._write()

    def _write(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(self.owner), self._file)
        self._file.flush()


def state_dir(testbed: Testbed) -> Path:
    """Where the lease and the state of benches live: the testbed's, or one per user."""
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return testbed.state_dir or base / "hil"


def machine_folder(testbed: Testbed) -> Path:
    """Where the state of this machine is kept, by its address, so that two testbed files of one machine share it."""
    ssh = testbed.machine.ssh if testbed.machine else None
    bench = f"{ssh.host}_{ssh.port}".replace(":", "-") if ssh else testbed.name
    return state_dir(testbed) / bench


@contextmanager
def lease(testbed: Testbed, *, run: str) -> Iterator[Lease]:
    """Hold the bench while the block runs. Raises BenchError that names the holder when another run has it.

    The machine's address is what counts, so two testbed files of one machine exclude each other too.
    """
    path = machine_folder(testbed) / "lease"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError("a folder for leases that can be written", seen=str(error), where=str(path)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(
                f"bench {testbed.name} for this run alone",
                seen=f"held by {_read(file) or 'another run'}",
                where=str(path),
                next_step="wait for that run or stop it",
            ) from None
        before = _read(file)
        fence = before.fence + 1 if before else 1
        now = utc_now().isoformat(timespec="seconds")
        yield Lease(file, Owner(os.getpid(), socket.gethostname(), getpass.getuser(), run, now, now, fence))


def _read(file: IO[str]) -> Owner | None:
    """The last holder, or None for a new or a half-written file."""
    file.seek(0)
    try:
        return Owner(**json.load(file))
    except (ValueError, TypeError):
        return None
