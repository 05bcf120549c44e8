"""The bench's end of the data path: starts the process, commands it, reads its counters, hears wake frames."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from io import FileIO
from typing import Any

from hil.errors import BenchError
from hil.virtual.nic.datapath import COUNTERS, LOAD_WINDOW_NS

_ANSWER_TIMEOUT_S = 5.0
_START = """
import sys
sys.path[:] = sys.argv.pop().split("\\n")
from hil.virtual.nic.datapath import main
main()
"""
"""The process finds modules, and faults from outside, where this one does."""


class Channel:
    """One data path. ``wake`` is a socket that yields one frame a datagram while the path listens for wake frames."""

    def __init__(self, faults: Sequence[str], seed: int) -> None:
        memory = os.memfd_create("hil-nic-counters", os.MFD_CLOEXEC)
        os.ftruncate(memory, len(COUNTERS) * 8)
        self._memory = FileIO(memory)
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.wake, wake = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_ANSWER_TIMEOUT_S)
        self.wake.setblocking(False)
        wake.setblocking(False)
        files = (control.fileno(), wake.fileno(), memory)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *map(str, files), str(seed), *faults, "\n".join(sys.path)],
            pass_fds=files, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._said = ""
        control.close()
        wake.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def command(self, file: int | None = None, **state: Any) -> None:
        """Change the path's state; in force on return. Raises BenchError when the process has ended."""
        try:
            socket.send_fds(self._control, [json.dumps(state).encode()], [] if file is None else [file])
            answer = self._control.recv(16)
        except OSError as error:
            raise self._ended(error.strerror or "no answer") from error
        if not answer:
            raise self._ended("end of file")

    def counters(self) -> dict[str, int]:
        """Every word of :data:`hil.virtual.nic.datapath.COUNTERS`."""
        words = memoryview(os.pread(self._memory.fileno(), len(COUNTERS) * 8, 0)).cast("Q")
        return dict(zip(COUNTERS, words, strict=True))

    def load_mbps(self) -> float:
        """Over the last twentieth of a second with traffic; 0 when that is long ago."""
        words = self.counters()
        fresh = time.monotonic_ns() - words["load_until_ns"] < 3 * LOAD_WINDOW_NS
        return words["load_kbps"] / 1000 if fresh else 0.0

    def close(self) -> None:
        """End the process and wait for it. Idempotent."""
        self._control.close()
        self.wake.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._memory.close()

    def _ended(self, cause: str) -> BenchError:
        """It is killed, in case it hangs; its last words are the better cause."""
        self._process.kill()
        if self._process.stderr is not None and not self._process.stderr.closed:
            self._said = self._process.communicate()[1].decode(errors="replace").strip()
        seen = self._said.splitlines()[-1] if self._said else cause
        return BenchError("an answer from the virtual NIC's data path", seen=seen, where=f"pid {self._process.pid}")
