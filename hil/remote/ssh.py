"""One SSH session with a machine: key logon, pinned host key, a deadline on everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from hil.testbed.model import Ssh

if TYPE_CHECKING:
    from hil.journal import Journal


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

    Nothing is logged on to and nothing is trusted: for ``hil check --trust-host-key`` only.
    """
    raise NotImplementedError


class SshSession:
    """A connection to the machine. Thread-safe; also a context manager."""

    def __init__(self, ssh: Ssh, journal: Journal | None = None) -> None:
        raise NotImplementedError

    def connect(self, timeout_s: float | None = None) -> None:
        """Log on. Raises SshUnreachable, HostKeyMismatch, SshRefused, or UsageError for a key file that is no good."""

    def close(self) -> None: ...

    def reconnect(self, timeout_s: float, *, interval_s: float = 0.2) -> None:
        """Drop the connection and try again until the machine answers twice in a row; for after a reboot or sleep."""

    def alive(self, timeout_s: float = 2.0) -> bool:
        """Whether the machine answers now, asked with an SSH request (a half-open connection does not)."""
        raise NotImplementedError

    def run(self, args: Sequence[str] | str, *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a native program with Windows quoting (a str is sent as it is) and wait for its end.

        Raises CommandTimeout and closes the channel when it does not end; ConnectionLost when the machine went away.
        """
        raise NotImplementedError

    def open_channel(self, *, timeout_s: float = 10.0) -> paramiko.Channel:
        """A session channel for a protocol of your own."""
        raise NotImplementedError
