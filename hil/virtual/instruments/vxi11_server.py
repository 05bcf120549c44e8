"""SCPI over VXI-11 (TCP/IP Instrument Protocol, 1995) without a port mapper: clients name the port."""

from __future__ import annotations

import asyncio
import itertools
import struct
from dataclasses import dataclass
from enum import IntEnum

from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.grammar import ScpiError
from hil.virtual.instruments.server import LONGEST_MESSAGE_BYTES, InstrumentServer
from hil.wait import async_pause

_PROGRAM, _VERSION = 0x0607AF, 1
_LAST_FRAGMENT = 0x8000_0000
_END_FLAG, _TERM_FLAG = 0x08, 0x80
_ACCEPTED, _NO_PROGRAM, _NO_PROCEDURE, _GARBAGE = 0, 1, 3, 4  # RFC 5531 accept_stat
_REQUEST_FILLED, _CHARACTER, _END = 1, 2, 4  # reasons of device_read, VXI-11 B.6.4


class _Error(IntEnum):
    """Device errors, VXI-11 table B.2."""

    NONE = 0
    NOT_ACCESSIBLE = 3
    INVALID_LINK = 4
    UNSUPPORTED = 8
    LOCKED = 11
    NO_LOCK = 12
    TIMEOUT = 15


@dataclass
class _Link:
    message: bytes = b""
    answer: bytes = b""


class _Arguments:
    """XDR (RFC 4506) of one call; struct.error when it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self) -> int:
        (value,) = struct.unpack_from(">I", self._data, self._at)
        self._at += 4
        return int(value)

    def opaque(self) -> bytes:
        size = self.number()
        if size > len(self._data) - self._at:
            raise struct.error("opaque data longer than its record")
        value = self._data[self._at : self._at + size]
        self._at += size + -size % 4
        return value


def _opaque(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


class Vxi11Server(InstrumentServer[ScpiDevice]):
    """The core channel. The abort and interrupt channels are not offered."""

    def __init__(self, device: ScpiDevice) -> None:
        super().__init__(device)
        self._numbers = itertools.count(1)
        self._lock_held_by: int | None = None

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1,{self.port}::inst0::INSTR"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        links: dict[int, _Link] = {}
        try:
            while (record := await _record(reader)) is not None:
                status, results, answered = await self._call(_Arguments(record), links)
                frame = struct.pack(">6I", struct.unpack_from(">I", record)[0], 1, 0, 0, 0, status) + results
                frame = struct.pack(">I", _LAST_FRAGMENT | len(frame)) + frame
                if answered:
                    await self._answer(writer, frame)
                else:
                    writer.write(frame)
        finally:
            if self._lock_held_by in links:
                self._lock_held_by = None

    async def _call(self, arguments: _Arguments, links: dict[int, _Link]) -> tuple[int, bytes, bool]:
        """Acceptance, results, and whether these carry an instrument's answer."""
        try:
            _number, kind, _rpc, program, _version, procedure = (arguments.number() for _ in range(6))
            for _ in ("credentials", "verifier"):
                arguments.number()
                arguments.opaque()
            if kind != 0 or program != _PROGRAM:
                return _NO_PROGRAM, b"", False
            if procedure == 0:
                return _ACCEPTED, b"", False
            if procedure == 10:
                return _ACCEPTED, self._create_link(arguments, links), False
            results = await self._on_link(procedure, arguments, links)
        except struct.error:
            return _GARBAGE, b"", False
        if results is None:
            return _NO_PROCEDURE, b"", False
        return _ACCEPTED, results, procedure == 12

    def _create_link(self, arguments: _Arguments, links: dict[int, _Link]) -> bytes:
        _client, lock, _timeout_ms, name = (
            arguments.number(), arguments.number(), arguments.number(), arguments.opaque()
        )  # fmt: skip
        if name.decode("ascii", errors="replace").lower() != "inst0":
            return struct.pack(">4I", _Error.NOT_ACCESSIBLE, 0, 0, 0)
        number = next(self._numbers)
        if lock and self._lock_held_by is not None:
            return struct.pack(">4I", _Error.LOCKED, 0, 0, 0)
        links[number] = _Link()
        if lock:
            self._lock_held_by = number
        return struct.pack(">4I", _Error.NONE, number, 0, LONGEST_MESSAGE_BYTES)

    async def _on_link(self, procedure: int, arguments: _Arguments, links: dict[int, _Link]) -> bytes | None:
        """Results of a procedure (VXI-11 table B.1) that takes a link; None when it is not known."""
        number = arguments.number()
        link = links.get(number)
        error = _Error.INVALID_LINK if link is None else _Error.NONE
        if link is not None and procedure in (11, 12, 15) and self._lock_held_by not in (None, number):
            error = _Error.LOCKED
        if procedure == 11:
            return await self._write(link, error, arguments)
        if procedure == 12:
            return await self._read(link, error, arguments)
        if procedure == 13:
            return struct.pack(">2I", error, self.device.status_byte(message_available=bool(link and link.answer)))
        if procedure == 15 and link is not None:
            link.message = link.answer = b""
        if procedure in (18, 19) and error is _Error.NONE:
            error = self._lock(number, request=procedure == 18)
        if procedure == 23:
            links.pop(number, None)
            self._lock_held_by = None if self._lock_held_by == number else self._lock_held_by
        if procedure in (20, 22, 25, 26):
            error = _Error.UNSUPPORTED
        return struct.pack(">I", error) if procedure in (14, 15, 16, 17, 18, 19, 20, 22, 23, 25, 26) else None

    async def _write(self, link: _Link | None, error: _Error, arguments: _Arguments) -> bytes:
        _io_ms, _lock_ms, flags = (arguments.number() for _ in range(3))
        data = arguments.opaque()
        if link is None or error is not _Error.NONE:
            return struct.pack(">2I", error, 0)
        link.message += data
        if len(link.message) > LONGEST_MESSAGE_BYTES:
            self.device.report(ScpiError(-363))
            link.message = b""
        elif flags & _END_FLAG:
            if link.answer:  # a question was not let finish (IEEE 488.2, 6.3.2.3)
                self.device.report(ScpiError(-410))
            link.answer = await self._execute(link.message) or b""
            link.message = b""
        return struct.pack(">2I", _Error.NONE, len(data))

    async def _read(self, link: _Link | None, error: _Error, arguments: _Arguments) -> bytes:
        size, io_ms, _lock_ms, flags, character = (arguments.number() for _ in range(5))
        if link is not None and error is _Error.NONE and not link.answer:
            self.device.report(ScpiError(-420))
            await async_pause(io_ms / 1000)
            error = _Error.TIMEOUT
        if link is None or error is not _Error.NONE:
            return struct.pack(">2I", error, 0) + _opaque(b"")
        end = link.answer.find(bytes([character & 0xFF])) + 1 if flags & _TERM_FLAG else 0
        data = link.answer[: min(size, end or size)]
        link.answer = link.answer[len(data) :]
        reason = (_REQUEST_FILLED if len(data) == size else 0) | (_CHARACTER if end and len(data) == end else 0)
        return struct.pack(">2I", _Error.NONE, reason | (0 if link.answer else _END)) + _opaque(data)

    def _lock(self, number: int, *, request: bool) -> _Error:
        if request:
            if self._lock_held_by not in (None, number):
                return _Error.LOCKED
            self._lock_held_by = number
            return _Error.NONE
        if self._lock_held_by != number:
            return _Error.NO_LOCK
        self._lock_held_by = None
        return _Error.NONE


async def _record(reader: asyncio.StreamReader) -> bytes | None:
    """The next record (RFC 5531, 11); None ends a conversation that sends more than an instrument takes."""
    record, last = b"", False
    while not last:
        (mark,) = struct.unpack(">I", await reader.readexactly(4))
        last, size = bool(mark & _LAST_FRAGMENT), mark & ~_LAST_FRAGMENT
        if len(record) + size > 2 * LONGEST_MESSAGE_BYTES or (not size and not last):
            return None
        record += await reader.readexactly(size)
    return record
