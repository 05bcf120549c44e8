"""Defects of the path that frames take through driver and hardware, and of its counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hil.clock import Deadline
from hil.virtual.faults import Fault

_LOADED_MBPS = 300
_IPV4, _TCP = b"\x08\x00", 6


class FramesDroppedUnderLoad(Fault):
    """The transmit ring overflows without back-pressure: above 300 Mbit/s two frames in a hundred are not sent."""

    caught_by: ClassVar = ("throughput",)

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 0.02 if load_mbps > _LOADED_MBPS else ratio


class ReceiveRingTooShort(Fault):
    """The receive ring is refilled too late: above 300 Mbit/s one frame in a hundred finds no buffer."""

    caught_by: ClassVar = ("throughput",)

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 0.01 if load_mbps > _LOADED_MBPS else ratio


class TransmitHangs(Fault):
    """A doorbell is lost under load: after half a second above 300 Mbit/s the transmit queue never moves again."""

    caught_by: ClassVar = ("throughput",)
    _BUSY_S = 0.5

    def __init__(self) -> None:
        self._busy: Deadline | None = None

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        if self._busy is None and load_mbps > _LOADED_MBPS:
            self._busy = Deadline(self._BUSY_S)
        return 1.0 if self._busy is not None and self._busy.expired else ratio


class BadChecksumOnTransmit(Fault):
    """The checksum engine loses a carry: every fiftieth TCP segment leaves with a wrong checksum."""

    caught_by: ClassVar = ("throughput",)
    _EVERY = 50

    def __init__(self) -> None:
        self._segments = 0

    def corrupt_frame(self, frame: bytes) -> bytes:
        if frame[12:14] != _IPV4 or frame[23] != _TCP:
            return frame
        self._segments += 1
        if self._segments % self._EVERY:
            return frame
        checksum = 14 + (frame[14] & 0x0F) * 4 + 16
        return frame[:checksum] + bytes([frame[checksum] ^ 0x01]) + frame[checksum + 1 :]


class CountersFrozen(Fault):
    """The statistics block is read from the device once and never again."""

    caught_by: ClassVar = ("link",)

    def __init__(self) -> None:
        self._first: Mapping[str, int] = {}

    def statistics(self, counters: Mapping[str, int]) -> Mapping[str, int]:
        self._first = self._first or counters
        return self._first


class ReceivedFramesCountedTwice(Fault):
    """Received unicast frames are counted by the hardware and again by the driver."""

    caught_by: ClassVar = ("link",)

    def statistics(self, counters: Mapping[str, int]) -> Mapping[str, int]:
        return {**counters, "ReceivedUnicastPackets": 2 * counters.get("ReceivedUnicastPackets", 0)}
