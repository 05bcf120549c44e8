"""PowerShell remoting over one SSH channel that is kept open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hil.remote.errors import ErrorDetail
from hil.remote.ssh import SshSession

if TYPE_CHECKING:
    from hil.journal import Journal


@dataclass(frozen=True)
class Pipeline:
    """Commands joined by pipes."""

    commands: tuple[Command, ...]

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        return Pipeline((*self.commands, *(other.commands if isinstance(other, Pipeline) else (other,))))

    def __str__(self) -> str:
        return " | ".join(map(str, self.commands))


class Command:
    """A cmdlet and its arguments: ``Command("Get-NetAdapter", Name="Ethernet 2", Physical=True)``.

    Values are sent as objects, never as text, so there is nothing to quote. True alone is a switch that is given.
    """

    def __init__(self, name: str, *arguments: object, **parameters: object) -> None:
        self.name, self.arguments, self.parameters = name, arguments, parameters

    @property
    def commands(self) -> tuple[Command, ...]:
        return (self,)

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        return Pipeline((self,)) | other

    def __str__(self) -> str:
        """As a person would type it; for messages only."""
        given = [repr(value) for value in self.arguments]
        given += [f"-{name}" if value is True else f"-{name} {value!r}" for name, value in self.parameters.items()]
        return " ".join([self.name, *given])


class Result(list[Any]):
    """What a pipeline put out (PSObject, or plain values such as str and bool), and what went to its other streams."""

    def __init__(self, output: Iterable[Any] = ()) -> None:
        super().__init__(output)
        self.errors: list[ErrorDetail] = []
        self.failed = False
        """The pipeline ended as Failed: its last error was terminating."""
        self.warnings: list[str] = []
        self.verbose: list[str] = []
        self.debug: list[str] = []
        self.information: list[Any] = []
        self.progress: list[str] = []


class PowerShell:
    """A PowerShell on the machine: one runspace, one channel, opened at the first command and again after a reconnect.

    Thread-safe: one pipeline at a time, as the runspace has it.
    """

    def __init__(
        self, session: SshSession, far_end: Literal["pwsh", "powershell"], journal: Journal | None = None
    ) -> None:
        raise NotImplementedError

    def on_open(self, command: Command | Pipeline) -> None:
        """Run this now, and again whenever the runspace had to be opened anew (Import-Module, preferences)."""

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout_s: float = 30.0,
        input: Sequence[object] = (),
        check: bool = True,
        quiet: bool = False,
    ) -> Result:
        """Run one pipeline and return its output.

        ``input`` is piped into the first command. Raises PowerShellError when there was an error record (``check=False``
        keeps them on the result), CommandTimeout when it had to be stopped, ConnectionLost when the machine went away.
        ``quiet`` keeps it off the journal, for polling.
        """
        raise NotImplementedError

    def batch(
        self, pipelines: Sequence[Command | Pipeline], *, timeout_s: float = 30.0, check: bool = True
    ) -> list[Result]:
        """Run several pipelines in order, sent together, so that only the first pays for the way there and back."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the pipelines, then the pool, then the channel. Never raises; bounded to a few seconds."""
