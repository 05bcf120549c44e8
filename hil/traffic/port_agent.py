"""The link partner's hand on its port: sends and captures exact frames, counts. Runs there, on the standard library.

Sent as it is to a partner over SSH (python3 3.9 or later), started in the namespace of a local one; port.py is the
other end. On both pipes: one line of JSON whose ``size`` says how many bytes follow it. Frames are packed as length
(4 bytes, network order) and bytes; captured ones as time (8, ns since the epoch), flags (1), length and bytes; those of
the ring as time, flags, length on the wire (4), length and bytes.
"""

from __future__ import annotations

import array
import collections
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

_SOL_PACKET, _ADD_MEMBERSHIP, _STATISTICS, _AUXDATA, _IGNORE_OUTGOING = 263, 1, 6, 8, 23
_PROMISCUOUS, _ATTACH_FILTER = 1, 26
_TIMESTAMP_NS = 35  # SO_TIMESTAMPNS: a stamp of the kernel, at arrival
_CHECKSUM_PENDING, _VLAN_VALID = 0x08, 0x10  # TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID
_GET_MTU, _SET_MTU, _GET_MAC, _ETHTOOL = 0x8921, 0x8922, 0x8927, 0x8946
_GET_LINK = 0x0A
_GET_GRO, _SET_GRO, _GET_FEATURES, _SET_FEATURES, _LRO = 0x2B, 0x2C, 0x25, 0x26, 1 << 15
_OUTGOING, _UNFINISHED = 1, 2
_BUFFER = 8 << 20
_AUX = struct.Struct("=IIIHHHH")
_STAMP = struct.Struct("@qq")
_KEPT = struct.Struct("!QBII")
_EVERY_TYPE = 3  # ETH_P_ALL


Request = dict[str, Any]
Answer = tuple[dict[str, Any], bytes]


class Agent:
    """One interface; requests are answered in order."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.port.bind((interface, 0))
        self.tap: socket.socket | None = None
        self.captured: list[bytes] = []
        self.room = self.lost = 0
        self.offloads = (0, 0)
        self.ring: socket.socket | None = None
        self.kept: collections.deque[bytes] = collections.deque()
        self.kept_bytes = self.most_bytes = self.ring_lost = 0

    def serve(self) -> None:
        """Until standard input ends."""
        while True:
            waited = [0, *(one.fileno() for one in (self.tap, self.ring) if one is not None)]
            ready = select.select(waited, [], [])[0]
            self.drain()
            self.drain_ring()
            if 0 in ready:
                line = _line()
                if not line:
                    return
                request = json.loads(line)
                try:
                    answer, data = getattr(self, "do_" + request["do"])(request, _exactly(request.get("size", 0)))
                except OSError as error:
                    answer, data = {"error": str(error)}, b""
                os.write(1, json.dumps(dict(answer, size=len(data))).encode() + b"\n")
                _write(data)

    def do_facts(self, _request: Request, _data: bytes) -> Answer:
        raw = self.ioctl(_GET_MAC, bytes(16))[18:24]
        (mtu,) = struct.unpack_from("=i", self.ioctl(_GET_MTU, bytes(16)), 16)
        return {"mac": raw.hex("-").upper(), "mtu": mtu, "carrier": bool(self.ethtool(_GET_LINK))}, b""

    def do_set_mtu(self, request: Request, _data: bytes) -> Answer:
        self.ioctl(_SET_MTU, struct.pack("=i12x", request["mtu"]))
        return {}, b""

    def do_counters(self, _request: Request, _data: bytes) -> Answer:
        with open("/proc/net/dev") as table:
            for line in table:
                name, _, words = line.partition(":")
                if name.strip() == self.interface:
                    return {"counters": [int(word) for word in words.split()]}, b""
        return {"error": "no interface " + self.interface}, b""

    def do_send(self, _request: Request, data: bytes) -> Answer:
        sent, at, cause = 0, 0, ""
        while at < len(data):
            (size,) = struct.unpack_from("!I", data, at)
            try:
                self.port.send(data[at + 4 : at + 4 + size])
            except OSError as error:
                cause = str(error)
                break
            sent, at = sent + 1, at + 4 + size
        return {"sent": sent, "cause": cause}, b""

    def do_capture(self, request: Request, _data: bytes) -> Answer:
        """Start; receive offloads go off, or super-frames would be captured that no wire ever saw."""
        self.offloads = self.set_offloads(0, 0)
        tap = self.listen(request["ethertype"], outgoing=request["outgoing"])
        self.captured, self.room, self.lost, self.tap = [], int(request["limit"]), 0, tap
        return {}, b""

    def do_take(self, request: Request, _data: bytes) -> Answer:
        """What was captured since the last time; the end of the capture if asked."""
        self.drain()
        if request["end"] and self.tap is not None:
            self.tap.close()
            self.tap = None
            self.set_offloads(*self.offloads)
        taken, self.captured = self.captured, []
        return {"lost": self.lost}, b"".join(taken)

    def do_ring(self, request: Request, _data: bytes) -> Answer:
        """Keep from now on the newest frames that the filter passes, as much of each as it says."""
        code = b"".join(struct.pack("=HBBI", *one) for one in request["filter"])
        self.ring = self.listen(_EVERY_TYPE, outgoing=True, code=code)
        self.most_bytes = int(request["most_bytes"])
        return {}, b""

    def do_kept(self, request: Request, _data: bytes) -> Answer:
        """What was kept in the last seconds; ``now_ns`` is this computer's clock."""
        self.drain_ring()
        now_ns = time.time_ns()
        oldest_ns = now_ns - int(request["seconds"] * 1e9)
        data = b"".join(one for one in self.kept if _KEPT.unpack_from(one)[0] >= oldest_ns)
        return {"lost": self.ring_lost, "now_ns": now_ns}, data

    def listen(self, ethertype: int, *, outgoing: bool, code: bytes = b"") -> socket.socket:
        """A packet socket that hears all, or what a filter passes, with times and VLAN tags beside each frame."""
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        tap.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        tap.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        tap.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 0 if outgoing else 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if code:
            held = ctypes.create_string_buffer(code, len(code))
            program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
            tap.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
        index = socket.if_nametoindex(self.interface)
        tap.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=iHH8x", index, _PROMISCUOUS, 0))
        tap.setblocking(False)
        tap.bind((self.interface, ethertype))
        return tap

    def drain_ring(self) -> None:
        if self.ring is None:
            return
        for frame, length, stamp, flags in _frames(self.ring):
            self.kept.append(_KEPT.pack(stamp, flags, length, len(frame)) + frame)
            self.kept_bytes += len(self.kept[-1])
            while self.kept_bytes > self.most_bytes:
                self.kept_bytes -= len(self.kept.popleft())
        self.ring_lost += _lost(self.ring)

    def drain(self) -> None:
        if self.tap is None:
            return
        for frame, _, stamp, flags in _frames(self.tap):
            if self.room <= 0:
                self.lost += 1
                continue
            self.captured.append(struct.pack("!QBI", stamp, flags, len(frame)) + frame)
            self.room -= 1
        self.lost += _lost(self.tap)

    def set_offloads(self, gro: int, lro: int) -> tuple[int, int]:
        """Generic and large receive offload; what they were before."""
        before_gro, flags = self.ethtool(_GET_GRO), self.ethtool(_GET_FEATURES)
        before_lro = int(bool(flags & _LRO))
        if before_gro != gro:
            self.ethtool(_SET_GRO, gro)
        if before_lro != lro:
            self.ethtool(_SET_FEATURES, flags | _LRO if lro else flags & ~_LRO)
        return before_gro, before_lro

    def ethtool(self, command: int, value: int = 0) -> int:
        words = array.array("I", [command, value])
        self.ioctl(_ETHTOOL, struct.pack("@P8x", words.buffer_info()[0]))
        return words[1]

    def ioctl(self, number: int, argument: bytes) -> bytes:
        return fcntl.ioctl(self.port, number, struct.pack("16s", self.interface.encode()) + argument)


def _frames(tap: socket.socket) -> Iterator[tuple[bytes, int, int, int]]:
    """What waits in a packet socket: frame with its VLAN tag, the length that it had, time, flags."""
    for _ in range(4096):
        try:
            frame, ancillary, _, address = tap.recvmsg(1 << 17, 256)
        except OSError:
            return  # empty, or the link went down: the socket lives on
        stamp, length, flags = 0, len(frame), _OUTGOING if address[2] == socket.PACKET_OUTGOING else 0
        for level, name, data in ancillary:
            if (level, name) == (_SOL_PACKET, _AUXDATA):
                status, length, _, _, _, tci, tpid = _AUX.unpack_from(data)
                flags |= _UNFINISHED if status & _CHECKSUM_PENDING else 0
                if status & _VLAN_VALID:
                    frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
                    length += 4
            elif name == _TIMESTAMP_NS:
                seconds, nanoseconds = _STAMP.unpack_from(data)
                stamp = seconds * 1000000000 + nanoseconds
        yield frame, length, stamp, flags


def _lost(tap: socket.socket) -> int:
    """Frames that found the socket full since the last look."""
    return int(struct.unpack("=II", tap.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1])


def _line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def _exactly(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            sys.exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while len(view):
        view = view[os.write(1, view) :]


def main() -> None:
    """The interface is the one argument; the first line out says that the port is open, or why not."""
    try:
        agent = Agent(sys.argv[1])
    except OSError as error:
        os.write(1, json.dumps({"error": str(error), "size": 0}).encode() + b"\n")
        return
    os.write(1, b'{"size": 0}\n')
    agent.serve()


if __name__ == "__main__":
    main()
