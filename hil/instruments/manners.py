"""How a family wants to be spoken to: framing, identity, acknowledgement, error queue. Data for the guarded session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hil.errors import UsageError
from hil.instruments.roles import Identity
from hil.instruments.wire import Health

Ask = Callable[[str], str]


class Line(Protocol):
    """An open connection that carries whole messages. Anything it raises means that it is not to be used again."""

    def send(self, message: bytes) -> None:
        """One message, without its end mark; starts the clock of the exchange."""

    def receive(self) -> bytes:
        """One whole answer, without its end mark."""

    def health(self) -> Health: ...

    def set_timeout(self, timeout_s: float) -> None:
        """For each exchange from now on."""

    def abandon(self) -> None:
        """Drop the connection without a word: after an error, or in a forked child, where it is the parent's."""

    def close(self) -> None:
        """End the conversation politely."""


def scpi_identity(ask: Ask) -> Identity:
    """The four comma fields of ``*IDN?`` (IEEE 488.2, 10.14). Raises ValueError when there are fewer than two."""
    reply = ask("*IDN?")
    fields = [field.strip().strip('"') for field in reply.split(",")]
    if len(fields) < 2 or not fields[0]:
        raise ValueError(reply)
    return Identity(*[*fields, "", ""][:4])


def open_visa(resource: str, timeout_s: float, manners: Manners) -> Line:
    """A line by VISA resource name; pyvisa is loaded here. Raises UsageError for a name that VISA cannot read."""
    from pyvisa.rname import InvalidResourceName, ResourceName

    from hil.instruments.visa import VisaLine

    try:
        ResourceName.from_string(resource)
    except InvalidResourceName as error:
        raise UsageError(
            "a VISA resource name", seen=resource, next_step="write it like TCPIP::192.0.2.10::5025::SOCKET"
        ) from error
    return VisaLine(resource, timeout_s, manners.read_termination, manners.write_termination)


@dataclass(frozen=True)
class Manners:
    """``models`` is a regular expression that vendor and model, joined by a comma, must contain (any letter case)."""

    models: str = ""
    open: Callable[[str, float, Manners], Line] = open_visa
    identify: Callable[[Ask], Identity] = scpi_identity
    acknowledged: str = ""
    """How the answer to a successful command begins, where commands are answered at all."""
    error_query: str | None = "SYST:ERR?"
    """None where there is no error queue."""
    status_register: bool = True
    """Whether ``*ESR?`` is answered; its power-on bit tells that the instrument restarted and lost its settings."""
    prepare: tuple[str, ...] = ()
    """Commands to send after each open."""
    prepared_s: float = 0.0
    """What those take after they were acknowledged."""
    read_termination: str = "\n"
    write_termination: str = "\n"
