"""Puts a bench to rest when the run that holds it dies, SIGKILL included, or hangs.

The owner starts it with the lease and holds a pipe to it. It shares the lease's lock, so that nobody else gets the
bench before it is at rest. ``python -m hil.run.watchdog`` reads one line of JSON and then waits for the pipe to end or
for the heartbeat to stop; until then nothing heavy is loaded.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hil.clock import now_s
from hil.errors import BenchError, HilError

if TYPE_CHECKING:
    from types import TracebackType

    from hil.testbed.lease import Lease
    from hil.testbed.model import Testbed

_READY, _GOODBYE = b"watching\n", b"goodbye\n"
_COMMAND = (sys.executable, "-m", "hil.run.watchdog")
_START_S, _END_S = 10.0, 60.0
_LOOKS = 12
"""At the heartbeat, in the time after which it counts as stopped."""


class Watchdog:
    """The owner's side. Only a bench at rest dismisses it; otherwise it acts when the block ends, however it ends.

    ``folder`` gets the journal of what it does (watchdog.jsonl).
    """

    def __init__(self, lease: Lease, testbed: Testbed, folder: Path) -> None:
        self._lease, self._testbed, self._folder = lease, testbed, folder
        self._dismissed = False

    def __enter__(self) -> Self:
        """Raises BenchError when it does not start."""
        self._process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, pass_fds=[self._lease.fileno()], start_new_session=True, bufsize=0,
        )  # fmt: skip
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        request = {
            "testbed": self._testbed.dump(), "lease": self._lease.fileno(), "fence": self._lease.owner.fence,
            "expiry_s": self._lease.expiry_s, "folder": str(self._folder.resolve()),
        }  # fmt: skip
        stdin.write(json.dumps(request).encode() + b"\n")
        if not select.select([stdout], [], [], _START_S)[0] or stdout.readline() != _READY:
            self._process.kill()
            raise BenchError("a watchdog for the bench", seen="it did not start", where=" ".join(_COMMAND))
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def dismiss(self) -> None:
        """The bench is at rest."""
        self._dismissed = True
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # somebody killed it
            self._process.stdin.write(_GOODBYE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        if not self._dismissed:
            self._lease.unrested()  # it outranks this one as soon as it acts; but it may have died itself
        self._process.stdin.close()
        self._process.stdout.close()
        with suppress(subprocess.TimeoutExpired):  # it goes on, and the bench is held until it is done
            self._process.wait(_END_S)


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are for the owner; this process ends when it has done its work
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, _READY)
    _point_output_at(os.devnull)
    if _owner_ends_well(request["lease"], request["expiry_s"]):
        return 0
    with suppress(OSError):  # the folder may be gone, and the bench has to come to rest all the same
        _point_output_at(Path(request["folder"]) / "watchdog.log")
    return _put_to_rest(request)


def _point_output_at(path: str | Path) -> None:
    """The owner's own output must end with the owner, for whoever reads it."""
    with open(path, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _owner_ends_well(lease: int, expiry_s: float) -> bool:
    """Wait for the owner's last word; false when there is none, or when its heart stops."""
    beat, since_s = os.fstat(lease).st_mtime_ns, now_s()
    while not select.select([0], [], [], expiry_s / _LOOKS)[0]:
        newest = os.fstat(lease).st_mtime_ns
        if newest != beat:
            beat, since_s = newest, now_s()
        elif now_s() - since_s > expiry_s:
            return False
    return os.read(0, len(_GOODBYE)) == _GOODBYE


def _put_to_rest(request: dict[str, Any]) -> int:
    from hil.bench import Bench
    from hil.journal import Journal
    from hil.run.rest import rest
    from hil.testbed.lease import adopt, beating
    from hil.testbed.model import Testbed

    testbed = Testbed.model_validate(request["testbed"])
    held = adopt(testbed, request["lease"], request["fence"])
    if held is None:
        return 0  # somebody else has the bench already, or it is there no more
    journal, left = Journal(), "its watchdog failed, see watchdog.log"
    try:
        with suppress(OSError):
            journal = Journal(Path(request["folder"]) / "watchdog.jsonl")
        # a boot may take longer than a silent holder is believed
        with (
            beating(held),
            journal.span("step", "put the bench of a dead run to rest"),
            Bench(testbed, journal, held.check) as bench,
        ):
            rest(bench)
        left = ""
    except HilError as error:
        left = str(error)
    finally:
        held.give_back(left)
        journal.close()
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
