"""Frames as stack and miniport hand them to each other, and the plain way to cut and finish them.

A frame stands behind a ``virtio_net_hdr`` (Virtual I/O Device 1.2, section 5.1.6, legacy layout in native order): a
checksum to finish, or a super-frame to cut. The kernel cuts on the way to the wire (see wire.py); :func:`cut` does the
same in Python for the faults that touch single frames, and is what the tests compare the kernel with.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct("=BBHHHH")
HEADER_SIZE = _HEADER.size
NEEDS_CHECKSUM = 1
_NO_GSO, _TCP4, _TCP6, _CONGESTION = 0, 1, 4, 0x80
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80


class VnetHeader(NamedTuple):
    """Offsets count from the start of the frame; ``segment_size`` is the payload of each segment."""

    flags: int = 0
    gso_type: int = _NO_GSO
    header_size: int = 0
    segment_size: int = 0
    checksum_start: int = 0
    checksum_offset: int = 0

    @classmethod
    def parse(cls, buffer: bytes | bytearray | memoryview, offset: int = 0) -> VnetHeader:
        return cls(*_HEADER.unpack_from(buffer, offset))

    def pack(self) -> bytes:
        return _HEADER.pack(*self)

    @property
    def cuttable(self) -> bool:
        """Whether this is a TCP super-frame."""
        return self.gso_type & ~_CONGESTION in (_TCP4, _TCP6) and self.segment_size > 0


def headers_size(header: VnetHeader, frame: bytes | memoryview) -> int:
    """Bytes of Ethernet, IP and TCP headers that each segment of a super-frame repeats."""
    return header.checksum_start + (frame[header.checksum_start + 12] >> 4) * 4


def segment_count(header: VnetHeader, frame: bytes | memoryview) -> int:
    """Frames on the wire that this one becomes."""
    if not header.cuttable:
        return 1
    return max(1, -(-(len(frame) - headers_size(header, frame)) // header.segment_size))


def finish(header: VnetHeader, frame: bytes) -> bytes:
    """The frame with the checksum filled in that the stack left to the adapter."""
    if not header.flags & NEEDS_CHECKSUM:
        return frame
    start, field = header.checksum_start, header.checksum_start + header.checksum_offset
    # the field already holds the sum of the pseudo-header; a checksum of zero is written as its twin, for UDP's sake
    total = _filled(_sum(frame[start:]))
    return frame[:field] + (total if any(total) else b"\xff\xff") + frame[field + 2 :]


def cut(header: VnetHeader, frame: bytes) -> Iterator[bytes]:
    """Frames ready for the wire, in order: segments of a TCP super-frame, or the one finished frame.

    As large send asks: each but the last carries ``segment_size`` bytes; options are copied; the IPv4 identification
    counts up; CWR only in the first segment, FIN and PSH only in the last.
    """
    if not header.cuttable:
        yield finish(header, frame)
        return
    size, tcp = headers_size(header, frame), header.checksum_start
    ip = _network_offset(frame)
    payload, last = frame[size:], len(frame) - size
    identification = int.from_bytes(frame[ip + 4 : ip + 6], "big")
    sequence = int.from_bytes(frame[tcp + 4 : tcp + 8], "big")
    for number, at in enumerate(range(0, max(1, last), header.segment_size)):
        part = payload[at : at + header.segment_size]
        head = bytearray(frame[:size])
        flags = head[tcp + 13]
        flags &= ~(_CWR if number else 0)
        flags &= ~(0 if at + len(part) >= last else _FIN | _PSH)
        head[tcp + 13] = flags
        head[tcp + 4 : tcp + 8] = ((sequence + at) & 0xFFFFFFFF).to_bytes(4, "big")
        pseudo = _set_lengths(head, ip, tcp, len(part), (identification + number) & 0xFFFF)
        head[tcp + 16 : tcp + 18] = bytes(2)
        head[tcp + 16 : tcp + 18] = _filled(_sum(pseudo + head[tcp:] + part))
        yield bytes(head) + part


def _network_offset(frame: bytes) -> int:
    """Behind the Ethernet header and its VLAN tags."""
    offset = 12
    while frame[offset : offset + 2] in (b"\x81\x00", b"\x88\xa8"):
        offset += 4
    return offset + 2


def _set_lengths(head: bytearray, ip: int, tcp: int, payload: int, identification: int) -> bytes:
    """Write IP length, identification and header checksum; return TCP's pseudo-header."""
    transport = len(head) - tcp + payload
    if head[ip] >> 4 == 4:
        head[ip + 2 : ip + 6] = (tcp - ip + transport).to_bytes(2, "big") + identification.to_bytes(2, "big")
        head[ip + 10 : ip + 12] = bytes(2)
        head[ip + 10 : ip + 12] = _filled(_sum(head[ip:tcp]))
        return bytes(head[ip + 12 : ip + 20]) + struct.pack("!HH", 6, transport)
    head[ip + 4 : ip + 6] = (tcp - ip - 40 + transport).to_bytes(2, "big")
    return bytes(head[ip + 8 : ip + 40]) + struct.pack("!II", transport, 6)


def _sum(data: bytes | bytearray) -> int:
    """Internet sum (RFC 1071): the buffer as one number modulo 65535 is the end-around-carry sum of its words."""
    return int.from_bytes(data if len(data) % 2 == 0 else bytes(data) + b"\0", "big") % 65535


def _filled(total: int) -> bytes:
    return (-total % 65535).to_bytes(2, "big")
