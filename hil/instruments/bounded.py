"""pyvisa-py's TCP sessions, stood on :class:`hil.instruments.wire.Wire`.

The HiSLIP and VXI-11 messages are pyvisa-py's own. What differs is how TCP is waited for, since pyvisa-py 0.8 spins on
the end of a stream, never bounds a write, opens closed ports, and fails on file descriptors above 1023.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

from pyvisa import constants
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError
from pyvisa_py.protocols import hislip, rpc, vxi11
from pyvisa_py.tcpip import TCPIPInstrHiSLIP, TCPIPInstrVxi11, TCPIPSocketSession

from hil.instruments.wire import Health, Wire

_HISLIP_PORT = 4880
_LONGEST_ANSWER_BYTES = 1 << 24
_CHUNK_BYTES = 20 * 1024
_GOODBYE_S = 0.5
_LAST_FRAGMENT = 0x8000_0000
_DEFAULT_OPEN_S = 5.0


class Bounded:
    """The line of a TCP session, whatever it speaks."""

    _wires: tuple[Wire, ...] = ()
    timeout: float | None
    open_timeout: int | None
    write: Callable[[bytes], tuple[int, StatusCode]]
    read: Callable[[int], tuple[bytes, StatusCode]]

    def send(self, message: bytes) -> None:
        _, status = self.write(message)
        if status < 0:
            raise VisaIOError(status)

    def receive(self) -> bytes:
        answer, status = self.read(_CHUNK_BYTES)
        while status is StatusCode.success_max_count_read:
            more, status = self.read(_CHUNK_BYTES)
            answer += more
        if status < 0:
            raise VisaIOError(status)
        return answer

    def health(self) -> Health:
        """The worst of the connections. Unread bytes are harmless where answers are numbered."""
        found = {wire.health() for wire in self._wires}
        return Health.ENDED if Health.ENDED in found else Health.QUIET

    def abandon(self) -> None:
        for wire in self._wires:
            wire.close()
        self._wires = ()

    def _begin(self) -> None:
        for wire in self._wires:
            wire.begin(self.timeout if self.timeout is not None else _DEFAULT_OPEN_S)

    @property
    def _open_s(self) -> float:
        return self.open_timeout / 1000 if self.open_timeout else _DEFAULT_OPEN_S


class BoundedSocket(Bounded, TCPIPSocketSession):  # type: ignore[misc]
    """``TCPIP::host::port::SOCKET``: lines, ended by the termination character."""

    def after_parsing(self) -> None:
        self.interface = Wire(self.parsed.host_address, int(self.parsed.port), self._open_s)
        self._wires = (self.interface,)
        self._pending_buffer = bytearray()
        self.attrs |= {
            ResourceAttribute.termchar: ord("\n"), ResourceAttribute.termchar_enabled: False,
            ResourceAttribute.suppress_end_enabled: True,
        }  # fmt: skip

    def health(self) -> Health:
        return Health.UNREAD if self._pending_buffer else self.interface.health()

    def write(self, data: bytes) -> tuple[int, StatusCode]:
        self._begin()
        self.interface.sendall(data)
        return len(data), StatusCode.success

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Up to and with the termination character; without one enabled, whatever comes first."""
        pending = self._pending_buffer
        end = bytes([self.attrs[ResourceAttribute.termchar]])
        by_character = self.attrs[ResourceAttribute.termchar_enabled]
        while not pending or (by_character and end not in pending):
            if len(pending) > _LONGEST_ANSWER_BYTES:
                raise ConnectionError(f"an answer without end from {self.interface.where}")
            pending += self.interface.recv(65536)
        size = min(pending.index(end) + 1 if by_character else len(pending), count)
        line = bytes(pending[:size])
        del pending[:size]
        whole = line.endswith(end) if by_character else not pending
        return line, StatusCode.success_termination_character_read if whole else StatusCode.success_max_count_read

    def clear(self) -> StatusCode:
        """A socket has no device clear: a session that needs one is discarded."""
        return StatusCode.error_nonsupported_operation


class _HislipInstrument(hislip.Instrument):  # type: ignore[misc]
    """HiSLIP (IVI-6.1) on two wires that share the caller's deadline."""

    def __init__(self, host: str, port: int, sub_address: str, timeout_s: float) -> None:
        with ExitStack() as opened:
            self._sync = opened.enter_context(closing(Wire(host, port, timeout_s)))
            session_id = self.initialize(sub_address=sub_address.encode("ascii")).session_id
            self._async = opened.enter_context(closing(Wire(host, port, timeout_s)))
            self._async_init = self.async_initialize(session_id=session_id)
            self.max_msg_size = hislip.DEFAULT_MAX_MSG_SIZE
            opened.pop_all()
        self.wires = (self._sync, self._async)
        self.timeout = timeout_s
        self._rmt, self._message_id = 0, 0xFFFF_FF00
        self.last_message_id = None


class BoundedHislip(Bounded, TCPIPInstrHiSLIP):  # type: ignore[misc]
    """``TCPIP::host::hislip0[,port]::INSTR``."""

    def after_parsing(self) -> None:
        sub_address, _, port = self.parsed.lan_device_name.partition(",")
        self.interface = _HislipInstrument(
            self.parsed.host_address, int(port or _HISLIP_PORT), sub_address, self._open_s
        )
        self._wires = self.interface.wires
        self.attrs |= {
            ResourceAttribute.termchar: ord("\n"), ResourceAttribute.termchar_enabled: False,
            ResourceAttribute.send_end_enabled: True, ResourceAttribute.tcpip_is_hislip: True,
        }  # fmt: skip

    def write(self, data: bytes) -> tuple[int, StatusCode]:
        self._begin()
        return super().write(data)

    def clear(self) -> StatusCode:
        self._begin()
        return super().clear()  # type: ignore[no-any-return]

    def read_stb(self) -> tuple[int, StatusCode]:
        self._begin()
        return super().read_stb()  # type: ignore[no-any-return]


class _Calls:
    """ONC RPC calls (RFC 5531) with record marking over a wire, in place of pyvisa-py's polling."""

    host: str
    port: int
    packer: Any
    unpacker: Any
    lastxid: int
    sock: Wire

    def connect(self, timeout: float = _DEFAULT_OPEN_S) -> None:
        self.sock = Wire(self.host, self.port, timeout)

    def do_call(self) -> None:
        call = self.packer.get_buf()
        self.sock.sendall(struct.pack(">I", _LAST_FRAGMENT | len(call)) + call)
        while True:  # answers to calls that were given up carry lower numbers
            self.unpacker.reset(self._record())
            number, _ = self.unpacker.unpack_replyheader()
            if number == self.lastxid:
                return
            if number > self.lastxid:
                raise rpc.RPCError(f"reply {number} to call {self.lastxid}")

    def _record(self) -> bytes:
        record, last = b"", False
        while not last:
            mark = struct.unpack(">I", self.sock.recv_exactly(4))[0]
            last, size = bool(mark & _LAST_FRAGMENT), mark & ~_LAST_FRAGMENT
            if len(record) + size > _LONGEST_ANSWER_BYTES:
                raise rpc.RPCError(f"a record of {len(record) + size} bytes")
            record += self.sock.recv_exactly(size)
        return record


class _PortMapper(_Calls, rpc.TCPPortMapperClient):  # type: ignore[misc]
    """Asks port 111 where VXI-11 listens."""


class _Core(_Calls, vxi11.CoreClient):  # type: ignore[misc]
    """VXI-11 core channel; without a port the port mapper is asked."""

    def __init__(self, host: str, port: int | None, timeout_s: float) -> None:
        self.packer, self.unpacker = vxi11.Vxi11Packer(), vxi11.Vxi11Unpacker(b"")
        program, version, timeout_ms = vxi11.DEVICE_CORE_PROG, vxi11.DEVICE_CORE_VERS, round(timeout_s * 1000)
        if port is None:
            with closing(_PortMapper(host, timeout_ms)) as mapper:
                port = mapper.get_port((program, version, rpc.IPPROTO_TCP, 0))
        if not port:
            raise ConnectionRefusedError(f"{host} offers no VXI-11 core channel")
        rpc.RawTCPClient.__init__(self, host, program, version, port, timeout_ms)


class BoundedVxi11(Bounded, TCPIPInstrVxi11):  # type: ignore[misc]
    """``TCPIP::host[,port]::inst0::INSTR``."""

    lock_timeout = 0  # some meters wait it out even when nobody holds the lock

    def after_parsing(self) -> None:
        host, _, port = self.parsed.host_address.partition(",")
        self.client_id, self.keepalive = id(self) & 0x7FFF_FFFF, False
        with ExitStack() as opened:
            self.interface = opened.enter_context(closing(_Core(host, int(port) if port else None, self._open_s)))
            error, self.link, _, largest = self.interface.create_link(
                self.client_id, 0, self.lock_timeout, self.parsed.lan_device_name
            )
            if error:
                raise ConnectionError(f"VXI-11 create_link to {self.parsed.lan_device_name!r} gave error {error}")
            opened.pop_all()
        self._wires = (self.interface.sock,)
        self.max_recv_size = min(largest, 1 << 30)
        for name in ("SEND_END_EN", "TERMCHAR", "TERMCHAR_EN"):
            self.attrs[getattr(constants, f"VI_ATTR_{name}")] = name == "SEND_END_EN"

    def write(self, data: bytes) -> tuple[int, StatusCode]:
        self._begin()
        return super().write(data)

    def close(self) -> StatusCode:
        """Frees the link, which some instruments have few of; after ``abandon`` there is nobody to tell."""
        if not self._wires:
            return StatusCode.success
        self._wires[0].begin(_GOODBYE_S)
        return super().close()  # type: ignore[no-any-return]
