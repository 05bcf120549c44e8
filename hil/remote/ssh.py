"""One SSH session with a machine: key logon, pinned host key, a deadline on everything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import paramiko

from hil.clock import Deadline, now_s
from hil.errors import BenchError
from hil.remote.errors import CommandTimeout, ConnectionLost, HostKeyMismatch
from hil.remote.logon import log_on, negotiate
from hil.remote.quoting import join
from hil.remote.watchdog import Pulse, Watchdog
from hil.testbed.model import Ssh
from hil.wait import pause

if TYPE_CHECKING:
    from hil.journal import Journal

GRACE_S = 5.0
"""What an operation gets beyond its own deadline to end in order, before the connection is cut."""
SHOWN_CHARACTERS = 1000
"""Of what a command put out, on the journal."""
_SLICE_S = 0.05
_EOF_AFTER_EXIT_S = 1.0
"""A detached grandchild can hold stdout open for ever after the program ended (openssh-psrp.md, 1.6, #2452)."""
_LOST = (paramiko.SSHException, EOFError, OSError)


@dataclass(frozen=True)
class Completed:
    """A program that ended."""

    args: tuple[str, ...]
    exit_code: int
    """32 bits without sign, as Windows has it: 3010, 0xE000022F ..."""
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Stdout for people: it is in the machine's OEM code page; decisions rest on exit codes and files."""
        return self.stdout.decode("utf-8", "replace")


def host_key_offered(host: str, port: int, *, timeout_s: float = 10.0) -> str:
    """The host key that the server at this address offers, as a known_hosts line has it ("ssh-ed25519 AAAA...").

    Nothing is logged on to and nothing is trusted: for ``hil check --trust-host-key`` only. Raises as ``connect``.
    """
    transport = negotiate(host, port, Deadline(timeout_s), prefer="ssh-ed25519")
    try:
        key = transport.get_remote_server_key()
        return f"{key.get_name()} {key.get_base64()}"
    finally:
        transport.close()


class SshSession:
    """A connection to the machine. Thread-safe; also a context manager."""

    def __init__(self, ssh: Ssh, journal: Journal | None = None) -> None:
        self.ssh, self._journal = ssh, journal
        self.where = f"{ssh.user}@{ssh.host}:{ssh.port}"
        self._lock = threading.RLock()
        self._opening = threading.Lock()
        self._transport: paramiko.Transport | None = None
        self._watchdog: Watchdog | None = None
        self._pulse: Pulse | None = None
        self._cut_because = ""
        self.permit: Callable[[], None] = lambda: None
        """Asked before each operation; raises when whoever holds this session may not use the machine any more."""

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self, timeout_s: float | None = None) -> None:
        """Log on, unless connected. Raises SshUnreachable, HostKeyMismatch, SshRefused; UsageError: bad key file."""
        with self._lock:
            if self.connected:
                return
            self.close()
            limit_s = self.ssh.connect_timeout_s if timeout_s is None else timeout_s
            with self._span(f"SSH to {self.where}"):
                transport = log_on(self.ssh, limit_s)
            self._cut_because = ""
            self._transport = transport
            self._watchdog = Watchdog(lambda why: self._cut(transport, why))
            self._pulse = Pulse(lambda: _answered(transport), self._watchdog, self.ssh.keepalive_s)

    @property
    def connected(self) -> bool:
        """Whether there is a connection that nobody has found dead yet."""
        transport = self._transport
        return transport is not None and transport.is_active()

    def close(self) -> None:
        with self._lock:
            transport, self._transport = self._transport, None
            for part in (self._pulse, self._watchdog):
                if part is not None:
                    part.stop()
            self._pulse = self._watchdog = None
            if transport is not None:
                transport.close()

    def reconnect(self, timeout_s: float, *, interval_s: float = 0.2) -> float:
        """Drop the connection and try again until the machine let us in twice in a row; for after a reboot or sleep.

        Gives back the controller's time of the first of these two logons. Raises what the last attempt raised when time
        is up, ConnectionLost when it was a logon without an answer after it; HostKeyMismatch at once.
        """
        deadline, first_s = Deadline(timeout_s), None
        with self._span(f"SSH again to {self.where}", timeout_s=timeout_s):
            while True:
                self.close()
                try:
                    self.connect(max(0.5, min(self.ssh.connect_timeout_s, 5.0, deadline.remaining_s)))
                    in_s = now_s()
                    if not self.alive():
                        raise ConnectionLost("an answer after the logon", seen="none", where=self.where)
                    if first_s is not None:
                        return first_s
                    first_s = in_s
                except HostKeyMismatch:
                    raise
                except BenchError:
                    first_s = None
                    if deadline.expired:
                        raise
                    pause(min(interval_s, deadline.remaining_s), why="machine not back yet")

    def alive(self, timeout_s: float = 2.0) -> bool:
        """Whether the machine answers now, asked with an SSH request (a half-open connection does not)."""
        pulse = self._pulse
        return pulse is not None and self.connected and pulse.answers(timeout_s)

    def run(self, args: Sequence[str] | str, *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a native program with Windows quoting (a str is sent as it is) and wait for its end.

        Raises CommandTimeout and closes the channel when it does not end; ConnectionLost when the machine went away.
        """
        line = args if isinstance(args, str) else join(args)
        deadline = Deadline(timeout_s)
        with self._span(line, host=self.ssh.host) as outcome, self.operation(line, timeout_s + GRACE_S):
            channel = self.open_channel(timeout_s=timeout_s, what=line)
            try:
                channel.exec_command(line)
                completed = _collect(channel, (line,) if isinstance(args, str) else tuple(args), stdin, deadline)
            except TimeoutError as error:
                raise CommandTimeout(
                    line, seen=f"did not end in {timeout_s:g} s", where=self.where,
                    tried="closed its channel (a program without console may go on on the machine)",
                ) from error  # fmt: skip
            finally:
                channel.close()
            outcome["exit_code"] = completed.exit_code
            told = {"stdout": completed.stdout, "stderr": completed.stderr}
            outcome |= {name: data[:SHOWN_CHARACTERS].decode("utf-8", "replace") for name, data in told.items() if data}
        return completed

    def open_channel(self, *, timeout_s: float = 10.0, what: str = "a channel") -> paramiko.Channel:
        """A session channel for a protocol of your own; ``what`` is it for. Raises ConnectionLost.

        Waits its turn when all sessions of the connection are in use (sshd_config MaxSessions, ten by default); raises
        BenchError when none became free in time.
        """
        transport, deadline = self._transport, Deadline(timeout_s)
        if transport is None or not transport.is_active():
            raise ConnectionLost(f"{what}, over SSH", seen=self.why_lost(), where=self.where)
        with self.operation(what, timeout_s + GRACE_S):
            while True:
                try:
                    with self._opening:  # paramiko keeps one saved exception for all threads
                        return transport.open_session(timeout=timeout_s)
                except paramiko.ChannelException:
                    if deadline.expired:
                        raise
                    pause(min(_SLICE_S, deadline.remaining_s), why="no session free")

    @contextmanager
    def operation(self, what: str, timeout_s: float) -> Iterator[None]:
        """Everything inside is bounded by cutting the connection, and a lost connection becomes ConnectionLost."""
        self.permit()
        watchdog = self._watchdog
        try:
            with watchdog.guard(timeout_s, what) if watchdog is not None else nullcontext():
                yield
        except _LOST as error:
            if self.connected and isinstance(error, paramiko.SSHException):
                raise BenchError(what, seen=f"the SSH server says: {error}", where=self.where) from error
            raise ConnectionLost(f"{what}, over SSH", seen=self.why_lost(error), where=self.where) from error

    def why_lost(self, error: BaseException | None = None) -> str:
        """What is known about the end of the connection."""
        if self._cut_because:
            return f"{self._cut_because}: the machine is asleep, hangs, or its network is down"
        known = f"{type(error).__name__}: {error}".rstrip(": ") if error is not None else ""
        return f"the connection ended ({known})" if known else "there is no connection"

    @contextmanager
    def _span(self, what: str, **fields: object) -> Iterator[dict[str, object]]:
        if self._journal is None:
            yield {}
            return
        with self._journal.span("command", what, **fields) as outcome:
            yield outcome

    def _cut(self, transport: paramiko.Transport, why: str) -> None:
        self._cut_because = why
        if self._journal is not None:
            self._journal.event("error", f"SSH connection to {self.where} cut: {why}")
        transport.close()


def _answered(transport: paramiko.Transport) -> bool:
    """Any server answers a request that it does not know, with a refusal (RFC 4254, 4)."""
    try:
        transport.global_request("keepalive@openssh.com", wait=True)
    except _LOST:
        return False
    return transport.is_active()


def _collect(channel: paramiko.Channel, args: tuple[str, ...], stdin: bytes, deadline: Deadline) -> Completed:
    """Feed stdin, read both streams until the program ended. Raises TimeoutError, and EOFError for no exit status."""
    if stdin:
        threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()
    else:
        channel.shutdown_write()
    stdout, stderr = bytearray(), bytearray()
    quiet: Deadline | None = None
    channel.settimeout(_SLICE_S)
    while True:
        try:
            data = channel.recv(1 << 20)
        except TimeoutError:
            data = None
        while channel.recv_stderr_ready():
            stderr += channel.recv_stderr(1 << 20)
            quiet = None
        if data == b"":
            break
        if data:
            stdout += data
            quiet = None
        elif channel.exit_status_ready():
            quiet = quiet or Deadline(_EOF_AFTER_EXIT_S)
            if quiet.expired:
                break
        if deadline.expired:
            raise TimeoutError
    if not channel.status_event.wait(max(_EOF_AFTER_EXIT_S, deadline.remaining_s)) or channel.exit_status < 0:
        raise EOFError("the program ended without an exit status")
    while stderr_part := _last(channel):
        stderr += stderr_part
    return Completed(args, channel.exit_status & 0xFFFFFFFF, bytes(stdout), bytes(stderr))


def _last(channel: paramiko.Channel) -> bytes:
    return channel.recv_stderr(1 << 20) if channel.recv_stderr_ready() else b""


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    at = 0
    while at < len(stdin) and not channel.closed:
        try:
            at += channel.send(stdin[at : at + 32768])
        except TimeoutError:  # its window is full; the channel's timeout is the reader's
            continue
        except OSError:
            return  # the program ended without reading all of it, or the connection did: the reader sees which
    channel.shutdown_write()
