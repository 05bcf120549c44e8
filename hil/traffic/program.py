"""A program at work at the link partner's end, on this computer or over SSH."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hil import netns
from hil.clock import Deadline
from hil.errors import BenchError

if TYPE_CHECKING:
    import paramiko

    from hil.remote import SshSession

_CHUNK = 1 << 16
_END_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Finished:
    """A program that ended; 125 to 127 when it could not be started."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def not_started(self) -> bool:
        return self.exit_code in (netns.NOT_STARTED, 126, 127)


class Program(Protocol):
    """Whoever starts one closes it; nothing is left running then."""

    @property
    def running(self) -> bool: ...

    def write(self, data: bytes) -> None:
        """Raises OSError when it is gone."""

    def read(self, size: int, timeout_s: float) -> bytes:
        """At least one byte of its standard output, or nothing at its end. Raises TimeoutError."""
        ...

    def terminate(self) -> None:
        """SIGTERM."""

    def finish(self, timeout_s: float) -> Finished:
        """Its end and all its output; killed at the deadline, and then TimeoutError."""
        ...

    def close(self) -> None:
        """Kill it if it still runs. Idempotent."""


class LocalProgram:
    """In a network namespace of this computer; it dies with this process, SIGKILL included."""

    def __init__(self, namespace: str, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            netns.argv(namespace, argv),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._stdin.write(view) :]

    def read(self, size: int, timeout_s: float) -> bytes:
        if not select.select([self._stdout], [], [], timeout_s)[0]:
            raise TimeoutError(f"no output in {timeout_s:g} s")
        return os.read(self._stdout.fileno(), size)

    def terminate(self) -> None:
        self._process.terminate()

    def finish(self, timeout_s: float) -> Finished:
        try:
            stdout, stderr = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise TimeoutError(f"still running after {timeout_s:g} s") from error
        return Finished(self._process.returncode, stdout, stderr)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class SshProgram:
    """On a Linux computer over SSH, behind a shell that tells its process id first.

    If the connection is lost it cannot be told to end, so what is started there must end by itself.
    """

    def __init__(self, session: SshSession, argv: Sequence[str]) -> None:
        self._session = session
        self._channel: paramiko.Channel = session.open_channel()
        self._channel.exec_command(f"echo $$; exec {shlex.join(argv)}")
        first = b""
        while not first.endswith(b"\n") and (byte := self.read(1, _END_TIMEOUT_S)):
            first += byte
        if not first.strip().isdigit():
            raise BenchError("a POSIX shell on the link partner", seen=repr(first[:80]), where=shlex.join(argv))
        self._pid = int(first)

    @property
    def running(self) -> bool:
        return not self._channel.exit_status_ready() and not self._channel.closed

    def write(self, data: bytes) -> None:
        self._channel.sendall(data)

    def read(self, size: int, timeout_s: float) -> bytes:
        self._channel.settimeout(timeout_s)
        return bytes(self._channel.recv(size))

    def terminate(self) -> None:
        self._kill("TERM")

    def finish(self, timeout_s: float) -> Finished:
        deadline = Deadline(timeout_s)
        stdout = bytearray()
        try:
            while data := self.read(_CHUNK, max(0.01, deadline.remaining_s)):
                stdout += data
        except TimeoutError:
            self.close()
            raise
        stderr = self._channel.makefile_stderr("rb").read()
        code = self._channel.recv_exit_status()
        self._channel.close()
        return Finished(code, bytes(stdout), stderr)

    def close(self) -> None:
        if self.running:
            self._kill("KILL")
        self._channel.close()

    def _kill(self, name: str) -> None:
        try:
            self._session.run(f"kill -{name} {self._pid}", timeout_s=_END_TIMEOUT_S)
        except BenchError:
            return  # the partner is away, and the program's own limit of time ends it
