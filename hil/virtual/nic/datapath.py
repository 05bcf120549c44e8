"""The moving of frames between the host's TAP and the wire, in a process of its own.

A process, because a thread would share the interpreter lock with the bench's event loop: with a busy loop the same
code in a thread carried 2 Mbit/s. It obeys one-message commands on a socket, answers each when it is in force, and
ends when that socket does. Counters are 64-bit words in shared memory. :mod:`hil.virtual.nic.channel` is the other end.
"""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import time
from typing import Any

from hil import netns
from hil.virtual.faults import Fault, load
from hil.virtual.nic.segment import HEADER_SIZE, VnetHeader, cut, headers_size, segment_count

_CASTS = ("Unicast", "Multicast", "Broadcast")
COUNTERS = (
    *(f"{way}{cast}{unit}" for way in ("Sent", "Received") for unit in ("Packets", "Bytes") for cast in _CASTS),
    "OutboundDiscardedPackets", "OutboundPacketErrors", "ReceivedDiscardedPackets", "ReceivedPacketErrors",
    "load_kbps", "load_until_ns",
)  # fmt: skip
"""Words of the shared memory: counters as Get-NetAdapterStatistics names them, then the load and when it was true."""
LOAD_WINDOW_NS = 50_000_000
FRAMING = 24
"""Bytes of preamble, start delimiter, FCS and gap that a frame costs on the wire beyond what a socket sees."""

_SENT, _RECEIVED = 0, 6
_SEND_DROP, _SEND_ERROR, _RECEIVE_DROP, _RECEIVE_ERROR, _LOAD, _LOAD_UNTIL = range(12, 18)
_BATCH = 32
_TAG = 4
_MIN_FRAME = 60
_BROADCAST = b"\xff" * 6
_AUXDATA = struct.Struct("=IIIHHHH")
"""tpacket_auxdata: status, length, captured, MAC offset, network offset, VLAN TCI, VLAN TPID."""
_VLAN_VALID = 0x10
_TUNSETCARRIER = 0x400454E2
_FULL = (errno.ENOBUFS, errno.EAGAIN)
_NO_LINK = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.EIO)


class DataPath:
    """Both directions, one thread. A frame's buffer starts with room for the VLAN tag that the kernel set aside."""

    def __init__(
        self, control: socket.socket, wake: socket.socket, memory: int, seed: int, faults: list[Fault]
    ) -> None:
        self._control, self._wake = control, wake
        self._words = memoryview(mmap.mmap(memory, len(COUNTERS) * 8)).cast("Q")
        self._faults, self._chance = faults, random.Random(seed)
        self._buffer = bytearray(_TAG + HEADER_SIZE + (1 << 17))
        self._view = memoryview(self._buffer)
        self._tap: int | None = None
        self._wire: socket.socket | None = None
        self._waiting: list[bytes] = []
        self._mode = "off"
        self._mac = b""
        self._transmit_loss = self._receive_loss = 0.0
        self._window_bytes, self._window_ns = 0, time.monotonic_ns()
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def run(self) -> None:
        """Until the control socket ends."""
        while True:
            for file, events in self._poll.poll():
                if file == self._control.fileno():
                    if not self._obey():
                        return
                    break  # descriptors may have changed
                if file == self._tap:
                    self._transmit()
                elif events & select.POLLOUT:
                    self._flush()
                else:
                    self._receive()

    # commands

    def _obey(self) -> bool:
        message, files, _, _ = socket.recv_fds(self._control, 4096, 1)
        if not message:
            return False
        command: dict[str, Any] = json.loads(message)
        if command.get("wire"):
            self._wire = socket.socket(fileno=files[0])
            self._wire.setblocking(False)
        if "tap" in command:
            self._replace_tap(files[0] if command["tap"] else None)
        if "carrier" in command and self._tap is not None:
            fcntl.ioctl(self._tap, _TUNSETCARRIER, struct.pack("=i", command["carrier"]))
        self._mode = command.get("mode", self._mode)
        self._mac = bytes.fromhex(command["mac"]) if "mac" in command else self._mac
        self._transmit_loss = command.get("transmit_loss", self._transmit_loss)
        self._receive_loss = command.get("receive_loss", self._receive_loss)
        if "send" in command:
            self._send(memoryview(bytes(HEADER_SIZE) + bytes.fromhex(command["send"])), VnetHeader())
        self._listen()
        self._control.send(b"done")
        return True

    def _replace_tap(self, tap: int | None) -> None:
        if self._tap is not None:
            if not self._waiting:
                self._poll.unregister(self._tap)
            os.close(self._tap)
        self._tap = tap
        self._waiting.clear()
        if tap is not None:
            self._poll.register(tap, select.POLLIN)

    def _listen(self) -> None:
        if self._wire is not None:
            self._poll.register(self._wire, select.POLLOUT | select.POLLIN if self._waiting else select.POLLIN)

    # from the host to the wire

    def _transmit(self) -> None:
        assert self._tap is not None
        view = self._view[_TAG:]
        for _ in range(_BATCH):
            try:
                size = os.readv(self._tap, [view])
            except OSError:
                return  # empty, or the device is going away
            if self._mode != "host":
                continue
            header = VnetHeader.parse(view)
            if self._faults or self._transmit_loss > 0:
                for frame in cut(header, bytes(view[HEADER_SIZE:size])):
                    self._send_single(frame)
            else:
                self._send(view[:size], header)
            if self._waiting:
                break
        if self._waiting:
            self._poll.unregister(self._tap)
            self._listen()

    def _send_single(self, frame: bytes) -> None:
        if self._chance.random() < self._transmit_loss:
            return
        for fault in self._faults:
            frame = fault.corrupt_frame(frame)
        self._send(memoryview(bytes(HEADER_SIZE) + frame), VnetHeader())

    def _send(self, data: memoryview, header: VnetHeader) -> None:
        """To the wire, or to what waits until it has room."""
        assert self._wire is not None
        if len(data) < HEADER_SIZE + _MIN_FRAME:
            data = memoryview(bytes(data).ljust(HEADER_SIZE + _MIN_FRAME, b"\0"))
        if self._waiting:
            self._waiting.append(bytes(data))
            return
        try:
            self._wire.send(data)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                self._waiting.append(bytes(data))
                return
            self._words[_SEND_DROP if error.errno in (*_FULL, *_NO_LINK) else _SEND_ERROR] += 1
        else:
            self._count(_SENT, header, data[HEADER_SIZE:])

    def _flush(self) -> None:
        """The wire took what it had: give it what waits, then listen to the host again."""
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._send(memoryview(data), VnetHeader.parse(data))
        if not self._waiting:
            self._listen()
            if self._tap is not None:
                self._poll.register(self._tap, select.POLLIN)

    # from the wire to the host

    def _receive(self) -> None:
        assert self._wire is not None
        for _ in range(_BATCH):
            try:
                size, ancillary, _, _ = self._wire.recvmsg_into([self._view[_TAG:]], 64)
            except OSError:
                return  # empty, or the link went down
            if self._mode == "off":
                continue
            data = self._tagged(size, ancillary) if ancillary else self._view[_TAG : _TAG + size]
            target = bytes(data[HEADER_SIZE : HEADER_SIZE + 6])
            if target != self._mac and not target[0] & 1:
                continue
            if self._mode == "wake":
                self._offer(data[HEADER_SIZE:])
            else:
                self._deliver(data)

    def _tagged(self, size: int, ancillary: list[tuple[int, int, bytes]]) -> memoryview:
        """The frame as it was on the wire: its outer VLAN tag back in place."""
        status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(ancillary[0][2])
        if not status & _VLAN_VALID:
            return self._view[_TAG : _TAG + size]
        header = VnetHeader.parse(self._buffer, _TAG)
        if header.checksum_start:
            moved = header.checksum_start + _TAG
            header = header._replace(checksum_start=moved, header_size=header.header_size + _TAG)
        addresses = self._buffer[_TAG + HEADER_SIZE : _TAG + HEADER_SIZE + 12]
        start = header.pack() + addresses + struct.pack("!HH", tpid or 0x8100, tci)
        self._buffer[: len(start)] = start
        return self._view[: size + _TAG]

    def _offer(self, frame: memoryview) -> None:
        try:
            self._wake.send(frame)
        except OSError:
            return  # more frames than a sleeping machine can look at

    def _deliver(self, data: memoryview) -> None:
        header = VnetHeader.parse(data)
        if self._receive_loss <= 0:
            self._to_host(data, header)
            return
        for frame in cut(header, bytes(data[HEADER_SIZE:])):
            if self._chance.random() < self._receive_loss:
                self._words[_RECEIVE_DROP] += 1
            else:
                self._to_host(memoryview(bytes(HEADER_SIZE) + frame), VnetHeader())

    def _to_host(self, data: memoryview, header: VnetHeader) -> None:
        assert self._tap is not None
        try:
            os.writev(self._tap, [data])
        except OSError as error:
            self._words[_RECEIVE_DROP if error.errno in (*_FULL, *_NO_LINK) else _RECEIVE_ERROR] += 1
        else:
            self._count(_RECEIVED, header, data[HEADER_SIZE:])

    # counters

    def _count(self, way: int, header: VnetHeader, frame: memoryview) -> None:
        """One frame, or as many as the super-frame is on the wire."""
        frames, size = 1, len(frame)
        if header.cuttable:
            frames = segment_count(header, frame)
            size += (frames - 1) * headers_size(header, frame)
        cast = way
        if frame[0] & 1:
            cast += 2 if frame[:6] == _BROADCAST else 1
        self._words[cast] += frames
        self._words[cast + 3] += size
        self._measure_load(size + frames * FRAMING)

    def _measure_load(self, size: int) -> None:
        """Publish the load of each window; one that began before a silence is no window."""
        self._window_bytes += size
        now = time.monotonic_ns()
        span = now - self._window_ns
        if span < LOAD_WINDOW_NS:
            return
        if span < 2 * LOAD_WINDOW_NS:
            self._words[_LOAD] = self._window_bytes * 8_000_000 // span
            self._words[_LOAD_UNTIL] = now
        self._window_bytes, self._window_ns = 0, now


def main() -> None:
    """Started by channel.py: descriptors of control, wake and counters, seed, then faults that touch frames."""
    control, wake, memory, seed = (int(word) for word in sys.argv[1:5])
    faults = [load(path) for path in sys.argv[5:]]
    netns.prefer()  # hardware does not wait for its turn
    DataPath(socket.socket(fileno=control), socket.socket(fileno=wake), memory, seed, faults).run()


if __name__ == "__main__":
    main()
