"""Frames into a file that Wireshark, tshark and scapy open: pcapng (IETF draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from hil.traffic.filter import SNAP
from hil.traffic.port import KeptFrame

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET, _NANOSECONDS = 1, 9
_NAME, _RESOLUTION, _FLAGS = 2, 9, 2
_INBOUND, _OUTBOUND = 1, 2
_LENGTH_UNKNOWN = -1


def write_pcapng(path: Path, frames: Iterable[KeptFrame], interface: str) -> None:
    """One section with one interface; OSError passes through."""
    name = _option(_NAME, interface.encode("utf-8")) + _option(_RESOLUTION, bytes([_NANOSECONDS]))
    with path.open("wb") as file:
        file.write(_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, _LENGTH_UNKNOWN)))
        file.write(_block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, SNAP) + name + _END))
        for frame in frames:
            file.write(_packet(frame))


def _packet(frame: KeptFrame) -> bytes:
    head = struct.pack("<IIIII", 0, frame.time_ns >> 32, frame.time_ns & 0xFFFFFFFF, len(frame.data), frame.size_bytes)
    way = _option(_FLAGS, struct.pack("<I", _OUTBOUND if frame.outgoing else _INBOUND))
    return _block(_PACKET, head + _padded(frame.data) + way + _END)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


_END = _option(0, b"")
