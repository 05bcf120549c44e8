"""What can go wrong between us and Windows."""

from __future__ import annotations

from dataclasses import dataclass

from hil.errors import BenchError


class ConnectionLost(BenchError):
    """The SSH connection died, or fell silent past its deadline; the message says what was running."""


class SshUnreachable(BenchError):
    """No SSH server answered in time: no route, nobody there, asleep, or the port refused."""


class HostKeyMismatch(BenchError):
    """Another computer (or a reinstalled one) answers at that address: its host key is not the pinned one."""


class SshRefused(BenchError):
    """The server answered and refused us: our key, or what we asked for."""


class CommandTimeout(BenchError):
    """A command did not end within its deadline; it was told to stop."""


@dataclass(frozen=True)
class ErrorDetail:
    """One PowerShell ErrorRecord."""

    error_id: str
    """FullyQualifiedErrorId: the thing to match on; messages are localized."""
    category: str
    """Name of the ErrorCategory, e.g. ``ObjectNotFound``."""
    message: str
    exception: str = ""
    """.NET type of the exception, without ``Deserialized.``."""
    target: str = ""


class PowerShellError(BenchError):
    """A cmdlet wrote an error, or its pipeline failed.

    ``error_id``, ``category`` and ``message`` are those of the first record; ``records`` has all; ``command`` is the
    pipeline as a person would type it; ``terminated`` is true when the pipeline failed.
    """

    def __init__(self, command: str, records: tuple[ErrorDetail, ...], *, where: str = "", terminated: bool = False):
        first = records[0]
        self.command, self.records, self.terminated = command, records, terminated
        self.error_id, self.category, self.message = first.error_id, first.category, first.message
        more = f" (and {len(records) - 1} more)" if len(records) > 1 else ""
        super().__init__(command, seen=f"{first.message} [{first.error_id}, {first.category}]{more}", where=where)
