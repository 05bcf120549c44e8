"""Instruments behind TCP ports: what all servers share, and the plain socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.grammar import ScpiError
from hil.wait import async_pause

LONGEST_MESSAGE_BYTES = 65536


class Mishap(Enum):
    """What happens to the next answer instead of its being sent whole and in time."""

    PASS = "pass"
    """None: this answer goes out as it should."""
    SILENT = "silent"
    LOST = "lost"
    """Not even the question arrives (datagrams only; else as silent)."""
    HALF = "half"
    FIN = "fin"
    RST = "rst"
    GARBAGE = "garbage"
    TWICE = "twice"
    CR_LF = "crlf"
    FREEZE = "freeze"
    """This answer goes out, and then nothing until the thaw."""

    def of(self, frame: bytes) -> bytes:
        """What is sent in place of an answer, where something is."""
        match self:
            case Mishap.HALF:
                return frame[: len(frame) // 2]
            case Mishap.GARBAGE:
                return b"\xff" + frame
            case Mishap.TWICE:
                return frame + frame
            case Mishap.CR_LF:
                return frame.replace(b"\n", b"\r\n")
        return frame


@dataclass
class Habits:
    """How an instrument behaves on its connections; a control port or a fault changes it while it runs."""

    late_s: float = 0.0
    one_client: bool = False
    mishaps: deque[Mishap] = field(default_factory=deque)
    thawed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.thawed.set()

    def next(self) -> Mishap:
        """Of the answer that is about to go out."""
        return self.mishaps.popleft() if self.mishaps else Mishap.PASS


class Device(Protocol):
    """What a server serves."""

    serial: str

    async def execute(self, message: str) -> str | None:
        """Run one message; its answer, or None when there is none."""

    def restart(self) -> None:
        """Lose power for a moment."""


class Server(Protocol):
    """An instrument that can be reached once it is started; what can be spoilt of it while it runs."""

    habits: Habits

    @property
    def resource(self) -> str:
        """What a testbed names it by."""

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Stop listening; :meth:`start` listens on the same port again."""

    async def drop_clients(self, *, reset: bool = False) -> None:
        """End every connection, by FIN or by RST."""

    async def restart(self) -> None:
        """The instrument loses its own power for a moment."""

    def rename(self, serial: str) -> None:
        """Another one of its kind stands in its place."""


D = TypeVar("D", bound=Device)


class TcpServer(ABC):
    """Connections on an ephemeral loopback port, each served by ``_converse``; none outlives ``close``."""

    _tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    @abstractmethod
    def resource(self) -> str:
        """What a testbed names it by."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=LONGEST_MESSAGE_BYTES, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and hang up; returns when no connection is left."""
        if self._server is not None:
            self._server.close()
        writers = tuple(self._clients.values())
        await self.drop_clients()
        for writer in writers:
            writer.transport.abort()  # what a client does not take any more would keep the connection
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    async def drop_clients(self, *, reset: bool = False) -> None:
        """End every connection, by FIN or by RST."""
        for task, writer in list(self._clients.items()):
            _hang_up(writer, reset=reset)
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None and self._server is not None
        if self._full() or not self._server.is_serving():
            _hang_up(writer, reset=True)
            return
        self._clients[task] = writer
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client has gone, or the bench ends
        finally:
            del self._clients[task]
            writer.close()

    def _full(self) -> bool:
        """Whether one more client is one too many."""
        return False

    @abstractmethod
    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""


class SpoiltServer(TcpServer):
    """Connections on which its habits are felt."""

    def __init__(self) -> None:
        super().__init__()
        self.habits = Habits()

    def _full(self) -> bool:
        return self.habits.one_client and bool(self._clients)

    async def _answer(self, writer: asyncio.StreamWriter, frame: bytes) -> None:
        """Send an answer, or what the habits make of it; ConnectionAbortedError when the connection is not to go on."""
        if self.habits.late_s:
            await async_pause(self.habits.late_s)
        mishap = self.habits.next()
        if mishap in (Mishap.FIN, Mishap.RST):
            _hang_up(writer, reset=mishap is Mishap.RST)
            raise ConnectionAbortedError
        if mishap not in (Mishap.SILENT, Mishap.LOST):
            writer.write(mishap.of(frame))
            await writer.drain()
        if mishap is Mishap.FREEZE:
            self.habits.thawed.clear()


class InstrumentServer(SpoiltServer, Generic[D]):
    """One device. What it is sent while frozen it keeps, and acts on when thawed."""

    def __init__(self, device: D) -> None:
        super().__init__()
        self.device = device

    async def restart(self) -> None:
        """Connections are reset, settings are at their defaults."""
        await self.drop_clients(reset=True)
        self.device.restart()

    def rename(self, serial: str) -> None:
        self.device.serial = serial

    async def _execute(self, message: bytes) -> bytes | None:
        await self.habits.thawed.wait()
        text = message.decode("ascii", errors="replace").strip()
        reply = await self.device.execute(text) if text else None
        return None if reply is None else reply.encode("ascii", errors="replace") + b"\n"


class SocketServer(InstrumentServer[ScpiDevice]):
    """SCPI over a plain TCP socket: a line in, a line out."""

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::{self.port}::SOCKET"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                self.device.report(ScpiError(-363))
                return
            reply = await self._execute(line)
            if reply is not None:
                await self._answer(writer, reply)


def _hang_up(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:  # SO_LINGER with 0 s turns the close into a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()
