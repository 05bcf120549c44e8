"""SCPI over HiSLIP (IVI-6.1): a synchronous and an asynchronous connection make one session."""

from __future__ import annotations

import asyncio
import itertools
import struct
from enum import IntEnum

from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.server import LONGEST_MESSAGE_BYTES, InstrumentServer

_HEADER = struct.Struct("!2sBBIQ")
_VERSION_1_0 = 0x0100 << 16
_VENDOR = int.from_bytes(b"HL", "big")
_REQUEST_LOCK = 1


class Message(IntEnum):
    """Message types, IVI-6.1 table 4."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    ASYNC_MAX_SIZE = 15
    ASYNC_MAX_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


class _Fatal(Exception):
    """A mistake after which IVI-6.1 ends the connection; carries its code (table 6)."""


class HislipServer(InstrumentServer[ScpiDevice]):
    """Synchronous mode. Answers carry the number of the message they belong to, so a late one is known as late."""

    def __init__(self, device: ScpiDevice) -> None:
        super().__init__(device)
        self._numbers = itertools.count(1)
        self._sessions: set[int] = set()
        self._lock_held_by: int | None = None

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::hislip0,{self.port}::INSTR"

    def _full(self) -> bool:
        return self.habits.one_client and len(self._clients) >= 2

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            kind, _, parameter, _ = await _receive(reader)
            if kind == Message.INITIALIZE:
                await self._synchronous(reader, writer)
            elif kind == Message.ASYNC_INITIALIZE and parameter in self._sessions:
                await self._asynchronous(reader, writer, parameter)
            else:
                raise _Fatal(3)
        except _Fatal as error:
            writer.write(_frame(Message.FATAL_ERROR, error.args[0]))
            await writer.drain()

    async def _synchronous(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = next(self._numbers) & 0xFFFF
        self._sessions.add(session)
        writer.write(_frame(Message.INITIALIZE_RESPONSE, 0, _VERSION_1_0 | session))
        message = b""
        try:
            while True:
                kind, _, number, payload = await _receive(reader)
                if kind == Message.DEVICE_CLEAR_COMPLETE:
                    message = b""
                    writer.write(_frame(Message.DEVICE_CLEAR_ACKNOWLEDGE))
                elif kind in (Message.DATA, Message.DATA_END):
                    message += payload
                    if len(message) > LONGEST_MESSAGE_BYTES:
                        raise _Fatal(0)
                    if kind == Message.DATA_END:
                        reply, message = await self._execute(message), b""
                        if reply is not None:
                            await self._answer(writer, _frame(Message.DATA_END, 0, number, reply))
                elif kind != Message.TRIGGER:
                    writer.write(_frame(Message.ERROR, 1))
        finally:
            self._sessions.discard(session)
            if self._lock_held_by == session:
                self._lock_held_by = None

    async def _asynchronous(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: int) -> None:
        writer.write(_frame(Message.ASYNC_INITIALIZE_RESPONSE, 0, _VENDOR))
        while True:
            kind, control, _, _ = await _receive(reader)
            if kind == Message.ASYNC_MAX_SIZE:
                frame = _frame(Message.ASYNC_MAX_SIZE_RESPONSE, payload=struct.pack("!Q", LONGEST_MESSAGE_BYTES))
            elif kind == Message.ASYNC_STATUS_QUERY:
                frame = _frame(Message.ASYNC_STATUS_RESPONSE, self.device.status_byte())
            elif kind == Message.ASYNC_DEVICE_CLEAR:
                frame = _frame(Message.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)
            elif kind == Message.ASYNC_REMOTE_LOCAL:
                frame = _frame(Message.ASYNC_REMOTE_LOCAL_RESPONSE)
            elif kind == Message.ASYNC_LOCK_INFO:
                frame = _frame(Message.ASYNC_LOCK_INFO_RESPONSE, int(self._lock_held_by is not None))
            elif kind == Message.ASYNC_LOCK:
                frame = _frame(Message.ASYNC_LOCK_RESPONSE, self._lock(session, request=control == _REQUEST_LOCK))
            else:
                frame = _frame(Message.ERROR, 1)
            writer.write(frame)

    def _lock(self, session: int, *, request: bool) -> int:
        """1 success, 0 failure (another holds it), 3 error (released without being held)."""
        if request:
            if self._lock_held_by not in (None, session):
                return 0
            self._lock_held_by = session
            return 1
        if self._lock_held_by != session:
            return 3
        self._lock_held_by = None
        return 1


def _frame(kind: Message, control: int = 0, parameter: int = 0, payload: bytes = b"") -> bytes:
    return _HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload


async def _receive(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    """Type, control code, parameter and payload of the next message."""
    prologue, kind, control, parameter, size = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if prologue != b"HS" or size > LONGEST_MESSAGE_BYTES:
        raise _Fatal(1)
    return kind, control, parameter, await reader.readexactly(size)
