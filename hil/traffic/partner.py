"""The link partner: the computer, or the network namespace of this one, at the other end of the adapter's cable."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from hil.clock import Deadline
from hil.testbed import model
from hil.traffic.port import ETH_P_ALL, Capture, Kept, Port, PortCounters, agent_source
from hil.traffic.program import Finished, LocalProgram, Program, SshProgram
from hil.wait import pause

if TYPE_CHECKING:
    from hil.journal import Journal

Permit = Callable[[], None]
_LINK_S, _LINK_POLL_S = 3.0, 0.01
"""The adapter's end may be up before the partner's: autonegotiation of 1000BASE-T takes up to three seconds."""


class Partner(Protocol):
    """What tests ask of the other end. ``address`` is CIDR, as in the testbed."""

    interface: str
    address: str
    where: str

    @property
    def mac(self) -> str:
        """AA-BB-CC-DD-EE-FF."""
        ...

    @property
    def mtu(self) -> int: ...

    @property
    def carrier(self) -> bool:
        """Whether the partner sees a link."""
        ...

    def set_mtu(self, mtu: int) -> None: ...

    def send(self, frames: Iterable[bytes]) -> int:
        """Put these very frames on the wire, in order; how many went out (fewer: the link went away).

        A link that is still coming up is given a moment; without one nothing is sent.
        """
        ...

    def capture(
        self, *, ethertype: int = ETH_P_ALL, outgoing: bool = False, limit: int = 100_000
    ) -> AbstractContextManager[Capture]:
        """The frames that arrive while the block lasts, as they were on the wire."""
        ...

    def counters(self) -> PortCounters: ...

    def start_ring(self, most_bytes: int) -> None:
        """Keep the beginnings of the newest frames, but for bulk data, until ``close``."""

    def kept(self, seconds: float) -> Kept:
        """What the ring kept of the last seconds."""
        ...

    def start(self, argv: Sequence[str]) -> Program:
        """Start a program there; whoever starts it closes it."""
        ...

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Finished:
        """Run a program there to its end. Raises TimeoutError when it does not end in time."""
        ...

    def close(self) -> None: ...


class _PortPartner:
    """What both kinds share: a port through its agent."""

    interface: str
    address: str
    where: str
    journal: Journal
    permit: Permit

    @abstractmethod
    def start(self, argv: Sequence[str]) -> Program: ...

    @abstractmethod
    def _python(self) -> str: ...

    @cached_property
    def _port(self) -> Port:
        return Port(self.start([self._python(), "-I", "-c", agent_source(), self.interface]), self.where)

    @property
    def mac(self) -> str:
        return self._port.mac

    @property
    def mtu(self) -> int:
        return self._port.mtu

    @property
    def carrier(self) -> bool:
        return self._port.carrier

    def set_mtu(self, mtu: int) -> None:
        self._port.set_mtu(mtu)

    def send(self, frames: Iterable[bytes]) -> int:
        self.permit()
        wanted = list(frames)
        with self.journal.span("traffic", "send frames", frames=len(wanted), where=self.where) as seen:
            seen["sent"] = sent = self._port.send(wanted) if self._has_link() else 0
        return sent

    def _has_link(self) -> bool:
        deadline = Deadline(_LINK_S)
        while not self._port.carrier:
            if deadline.expired:
                return False
            pause(_LINK_POLL_S, why="the partner's link to come up")
        return True

    @contextmanager
    def capture(
        self, *, ethertype: int = ETH_P_ALL, outgoing: bool = False, limit: int = 100_000
    ) -> Iterator[Capture]:
        with self.journal.span("capture", "frames", ethertype=f"0x{ethertype:04X}", where=self.where) as seen:
            with self._port.capture(ethertype=ethertype, outgoing=outgoing, limit=limit) as capture:
                yield capture
            seen |= {"frames": len(capture.frames()), "lost": capture.lost}

    def counters(self) -> PortCounters:
        return self._port.counters()

    def start_ring(self, most_bytes: int) -> None:
        self._port.start_ring(most_bytes)

    def kept(self, seconds: float) -> Kept:
        return self._port.kept(seconds)

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Finished:
        program = self.start(argv)
        try:
            return program.finish(timeout_s)
        finally:
            program.close()

    def close(self) -> None:
        if "_port" in self.__dict__:
            self._port.close()


class LocalPartner(_PortPartner):
    """A port of this computer in a network namespace of its own."""

    def __init__(self, settings: model.LocalPartner, journal: Journal, permit: Permit = lambda: None) -> None:
        self.settings, self.journal, self.permit = settings, journal, permit
        self.interface, self.address = settings.interface, settings.address
        self.where = f"{settings.interface} in {settings.netns}"

    def start(self, argv: Sequence[str]) -> Program:
        self.permit()
        return LocalProgram(self.settings.netns, argv)

    def _python(self) -> str:
        return sys.executable


class SshPartner(_PortPartner):
    """A Linux computer over SSH: needs python3, iperf3, and for frames root or CAP_NET_RAW."""

    def __init__(self, settings: model.SshPartner, journal: Journal, permit: Permit = lambda: None) -> None:
        # here, since paramiko takes a fifth of a second to load
        from hil.remote import SshSession

        self.settings, self.journal, self.permit = settings, journal, permit
        self.interface, self.address = settings.interface, settings.address
        self.where = f"{settings.interface} on {settings.ssh.user}@{settings.ssh.host}:{settings.ssh.port}"
        self._session = SshSession(settings.ssh, journal)
        self._session.connect()

    def start(self, argv: Sequence[str]) -> Program:
        self.permit()
        return SshProgram(self._session, argv)

    def _python(self) -> str:
        return "python3"

    def close(self) -> None:
        super().close()
        self._session.close()


def open_partner(settings: model.Partner, journal: Journal, permit: Permit = lambda: None) -> Partner:
    """The partner that the testbed describes. Raises BenchError when it cannot be reached.

    ``permit`` is asked before anything is started or sent there, and what it raises passes through.
    """
    if isinstance(settings, model.LocalPartner):
        return LocalPartner(settings, journal, permit)
    return SshPartner(settings, journal, permit)
