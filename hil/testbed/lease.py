"""One run per bench: who holds it, how long that is believed, and the number by which a newer holder outranks it.

Two files in the machine's folder:

- ``lease``: who holds the bench, under a lock (flock) that ends with the processes that hold it; its time of change is
  the holder's heartbeat.
- ``fence``: the number of the newest lease. Each operation on the bench compares it with its own (:meth:`Lease.check`),
  so that a holder who was passed over can do no more harm. Its lock is held for the moments in which a holder changes.

Locks do not reach other computers on every file system, and a process can hang with one. So a holder who was silent for
``EXPIRY_S``, and for a beat more before the eyes of the next one, is passed over: its file is replaced by another one.
Ages are by the clock of the file system alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from hil.clock import Deadline, utc_now
from hil.errors import BenchError
from hil.testbed.model import Testbed
from hil.testbed.out_of_service import Reason, out_of_service
from hil.testbed.state import machine_folder, open_shared, user_name
from hil.wait import wait_until

BEAT_S, EXPIRY_S = 5.0, 60.0
_CHANGE_S = 5.0
_RESTORED_WITHIN_S = 60.0
"""How long a new holder waits for the watchdog of one that died."""


class LeaseLost(BenchError):
    """Another one holds the bench now; nothing more may be done with it."""


@dataclass(frozen=True)
class Owner:
    """Who holds a bench, or held it last: ``ended`` is then when it was given back. Times are UTC in ISO 8601."""

    pid: int
    host: str
    user: str
    run: str
    started: str
    fence: int
    ended: str = ""
    left: str = ""
    """What was not at rest when it was given back."""
    watchdog: bool = False
    """It is the watchdog of that run, whose process died or hangs."""

    def __str__(self) -> str:
        who = f"the watchdog of run {self.run}" if self.watchdog else f"run {self.run}"
        return f"{who} of {self.user}@{self.host}, pid {self.pid}, since {self.started}"


@dataclass(frozen=True)
class Standing:
    """How a lease looks from outside."""

    owner: Owner | None
    held: bool
    silent_s: float


class Lease:
    """Held. ``inherited`` says why the bench may not be at rest: the holder before did not give it back in order.

    It is passed on to the next holder, unless :meth:`rested` says that it was seen to.
    """

    expiry_s = EXPIRY_S

    def __init__(self, folder: Path, file: IO[str], owner: Owner, inherited: str = "") -> None:
        self._folder, self._file = folder, file
        self.owner, self.inherited = owner, inherited
        self._write()

    def fileno(self) -> int:
        """For a process that shall hold the lock too."""
        return self._file.fileno()

    def beat(self) -> None:
        """Tell the others that this holder lives."""
        os.utime(self._file.fileno())

    def check(self) -> None:
        """Before each operation on the bench. Raises LeaseLost when somebody else was given it."""
        try:
            newest = (self._folder / "fence").read_text(encoding="utf-8")
        except OSError as error:
            raise self._lost(str(error)) from error
        if newest != str(self.owner.fence):
            raise self._lost(f"lease {newest} was given out after {self.owner.fence}")

    def rested(self) -> None:
        """The bench was put to rest."""
        self.inherited = ""

    def unrested(self) -> None:
        """It was moved, and nobody has put it to rest: for the next holder to know, unless somebody does."""
        self.inherited = self.inherited or "nobody put it to rest"

    def give_back(self, left: str = "") -> None:
        """The bench is free, with a note of what is not at rest. Does nothing for one who was passed over."""
        left = left or self.inherited
        with self._file:
            if not self._folder.exists():
                return
            with _changing(self._folder) as fence:
                if _number(fence) == self.owner.fence:
                    self.owner = replace(self.owner, ended=_now(), left=left)
                    self._write()

    def _write(self) -> None:
        """Over the note before, which is cut last: in place, a full disk takes it."""
        self._file.seek(0)
        json.dump(asdict(self.owner), self._file)
        self._file.flush()
        self._file.truncate()

    def _lost(self, seen: str) -> LeaseLost:
        return LeaseLost(
            f"the bench, which {self.owner} held", seen=seen, where=str(self._folder), next_step="hil bench status"
        )


@contextmanager
def lease(testbed: Testbed, *, run: str, despite: Reason | None = None) -> Iterator[Lease]:
    """Hold the bench while the block runs, unless it is out of service (for another reason than ``despite``).

    Raises BenchError that names the holder when another run has it, or why it is out of service. The machine's address
    is what counts, so two testbed files of one machine exclude each other too.
    """
    doubt = _Doubt()
    held = wait_until(
        lambda: _take(testbed, run, despite, doubt), what="the watchdog of the last run to put the bench to rest",
        timeout_s=_RESTORED_WITHIN_S, interval_s=0.1, where=testbed.name, next_step="hil bench status",
    )  # fmt: skip
    assert held is not None
    try:
        with beating(held):
            yield held
    finally:
        held.give_back()


@contextmanager
def beating(held: Lease) -> Iterator[None]:
    """Its heart beats while the block runs."""
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(held, over), name="hil-lease", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def seize(testbed: Testbed, *, run: str) -> Lease:
    """The bench at once, whoever holds it and whatever its state; that one can do nothing with it any more."""
    folder = machine_folder(testbed)
    with _changing(folder) as fence:
        return _hand_over(folder, fence, _replaced(folder), run)


def adopt(testbed: Testbed, descriptor: int, number: int) -> Lease | None:
    """What the watchdog of holder ``number`` goes on with; None when somebody else holds the bench already.

    ``descriptor`` is that of the holder's :meth:`Lease.fileno`, and is closed with the lease.
    """
    folder, file = machine_folder(testbed), os.fdopen(descriptor, "r+", encoding="utf-8")
    if folder.exists():
        with _changing(folder) as fence:
            owner = _read(file)
            if _number(fence) == number:
                return _hand_over(folder, fence, file, owner.run if owner else "unknown", watchdog=True)
    file.close()
    return None


def standing(testbed: Testbed) -> Standing:
    """Who holds the bench, or held it last; asks nothing of the bench itself."""
    folder = machine_folder(testbed)
    if not (folder / "lease").exists():
        return Standing(None, held=False, silent_s=0.0)
    with _changing(folder) as fence, open_shared(folder / "lease") as file:
        owner, silent_s = _read(file), _silent_s(file, fence)
        return Standing(owner, _is_claimed(file, owner) and silent_s < EXPIRY_S, silent_s)


class _Doubt:
    """Whether a holder that seems silent for too long really is: the wall clock may have jumped, his heart goes on."""

    def __init__(self) -> None:
        self._seen = (0, 0)
        self._beat = Deadline(0.0)

    def is_over(self, file: IO[str]) -> bool:
        """Once he has missed a beat before our eyes."""
        status = os.fstat(file.fileno())
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            self._seen, self._beat = seen, Deadline(1.5 * BEAT_S)
        return self._beat.expired


def _take(testbed: Testbed, run: str, despite: Reason | None, doubt: _Doubt) -> Lease | None:
    """None while the watchdog of a holder that died is at work, or while a holder's silence is in doubt.

    Raises BenchError when a living one has the bench.
    """
    note, folder = out_of_service(testbed), machine_folder(testbed)
    if note is not None and note.reason is not despite:
        raise BenchError(
            f"bench {testbed.name} in service", seen=str(note), where=str(folder),
            next_step="see to the bench, then hil bench release TESTBED",
        )  # fmt: skip
    with _changing(folder) as fence:
        file = open_shared(folder / "lease")
        before, silent_s = _read(file), _silent_s(file, fence)
        claimed = _is_claimed(file, before)
        if claimed and silent_s < EXPIRY_S:
            file.close()
            if before is not None and (before.watchdog or not _lives(before)):
                return None
            raise BenchError(
                f"bench {testbed.name} for this run alone",
                seen=f"held by {before or 'another run'}, last seen {silent_s:.0f} s ago",
                where=str(folder),
                next_step="wait for that run or stop it",
            )
        if claimed and not doubt.is_over(file):
            file.close()
            return None
        if not _lock(file):
            file.close()
            file = _replaced(folder)
        return _hand_over(folder, fence, file, run, _inherited(before, _number(fence)))


def _is_claimed(file: IO[str], owner: Owner | None) -> bool:
    """By the lock, or where locks may not reach, by the note; it counts as long as the heart beats."""
    locked = not _lock(file)
    elsewhere = owner is not None and owner.host != socket.gethostname()
    ended = owner is not None and bool(owner.ended)
    return (locked or elsewhere) and not ended


def _inherited(before: Owner | None, number: int) -> str:
    if before is None:
        return "the note of the last holder cannot be read" if number else ""
    return before.left if before.ended else f"{before} did not give it back"


def _hand_over(
    folder: Path, fence: IO[str], file: IO[str], run: str, inherited: str = "", *, watchdog: bool = False
) -> Lease:
    """A new number, written where each holder compares it before the new holder does anything."""
    before = _read(file)
    number = max(_number(fence), before.fence if before else 0) + 1
    fence.seek(0)
    fence.write(str(number))  # never shorter than the one before
    fence.flush()
    owner = Owner(os.getpid(), socket.gethostname(), user_name(), run, _now(), number, watchdog=watchdog)
    return Lease(folder, file, owner, inherited)


def _replaced(folder: Path) -> IO[str]:
    """Another file in the place of ``lease``, locked; the holder of the old one keeps a file without a name."""
    fresh = folder / f"lease.{os.getpid()}"
    file = open_shared(fresh)
    _lock(file)
    fresh.replace(folder / "lease")
    return file


@contextmanager
def _changing(folder: Path) -> Iterator[IO[str]]:
    """The file with the newest number, while nobody else may change holders."""
    with open_shared(folder / "fence") as fence:
        wait_until(lambda: _lock(fence), what="others to end their change of leases", timeout_s=_CHANGE_S,
                   interval_s=0.005, where=str(folder))  # fmt: skip
        yield fence


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _beat(held: Lease, over: threading.Event) -> None:
    while not over.wait(BEAT_S):
        with suppress(OSError):  # a server of files that is away for a moment, say
            held.beat()


def _silent_s(file: IO[str], fence: IO[str]) -> float:
    os.utime(fence.fileno())
    return os.fstat(fence.fileno()).st_mtime - os.fstat(file.fileno()).st_mtime


def _lives(owner: Owner) -> bool:
    """Whether its process is there; of another computer that is not known, so it counts as alive."""
    if owner.host != socket.gethostname():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def _number(fence: IO[str]) -> int:
    fence.seek(0)
    text = fence.read()
    return int(text) if text.isdigit() else 0


def _read(file: IO[str]) -> Owner | None:
    """The holder, or None for a new or a half-written file."""
    file.seek(0)
    try:
        return Owner(**json.load(file))
    except (ValueError, TypeError):
        return None


def _now() -> str:
    return utc_now().isoformat(timespec="seconds")
