"""Exact frames out of and into the link partner's port, and its counters."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from hil.clock import Deadline
from hil.errors import BenchError
from hil.traffic.filter import program
from hil.traffic.program import Program

ETH_P_ALL = 3
_ANSWER_TIMEOUT_S = 20.0
_RECORD, _KEPT = struct.Struct("!QBI"), struct.Struct("!QBII")
_OUTGOING, _UNFINISHED = 1, 2


@dataclass(frozen=True)
class PortCounters:
    """What the partner's kernel counted on its port (/proc/net/dev, so in its order)."""

    received_bytes: int
    received_packets: int
    received_errors: int
    received_dropped: int
    received_fifo_errors: int
    received_frame_errors: int
    received_compressed: int
    received_multicast: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_dropped: int
    sent_fifo_errors: int
    collisions: int
    carrier_errors: int
    sent_compressed: int

    def __sub__(self, before: PortCounters) -> PortCounters:
        return PortCounters(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


@dataclass(frozen=True)
class CapturedFrame:
    """A frame without FCS, its VLAN tags in place."""

    data: bytes
    time_ns: int
    """The kernel's stamp at arrival, on the partner's wall clock."""
    outgoing: bool
    checksum_pending: bool
    """The partner's own frame, taken before its checksum was filled: no verdict on the checksum is possible."""


@dataclass(frozen=True)
class KeptFrame:
    """The beginning of a frame that crossed the port, either way; ``size_bytes`` is what the whole frame had."""

    data: bytes
    size_bytes: int
    time_ns: int
    """By the partner's wall clock."""
    outgoing: bool
    age_s: float
    """When it was asked for."""


@dataclass(frozen=True)
class Kept:
    """What a ring held; ``lost`` counts frames that it missed since it was started."""

    frames: tuple[KeptFrame, ...]
    lost: int


class Capture:
    """Frames that the port sees while the ``with`` block of :meth:`Port.capture` lasts, and those left at its end."""

    def __init__(self, port: Port) -> None:
        self._port, self._frames = port, list[CapturedFrame]()
        self._ended = False
        self.lost = 0
        """Frames that the capture itself missed; a verdict on loss needs 0 here."""

    def frames(self) -> tuple[CapturedFrame, ...]:
        """All so far, in order of arrival."""
        if not self._ended:
            self._take(end=False)
        return tuple(self._frames)

    def end(self) -> None:
        self._take(end=True)
        self._ended = True

    def _take(self, *, end: bool) -> None:
        answer, data = self._port.ask("take", end=end)
        self.lost, at = answer["lost"], 0
        while at < len(data):
            time_ns, flags, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size + size
            outgoing, pending = bool(flags & _OUTGOING), bool(flags & _UNFINISHED)
            self._frames.append(CapturedFrame(data[at - size : at], time_ns, outgoing, pending))


def agent_source() -> str:
    """The program that does the work at the partner's end; its one argument is the interface."""
    return (files("hil.traffic") / "port_agent.py").read_text(encoding="utf-8")


class Port:
    """One interface of the link partner, through a running port agent. Not thread-safe."""

    def __init__(self, agent: Program, where: str) -> None:
        self._agent, self._where, self._rest = agent, where, b""
        try:
            self._answer("open")
        except BaseException:
            agent.close()
            raise

    def send(self, frames: Iterable[bytes]) -> int:
        """Send frames in order, at line rate; how many went out. Fewer than given means that the link went away."""
        answer, _ = self.ask("send", b"".join(struct.pack("!I", len(frame)) + frame for frame in frames))
        return int(answer["sent"])

    @contextmanager
    def capture(
        self, *, ethertype: int = ETH_P_ALL, outgoing: bool = False, limit: int = 100_000
    ) -> Iterator[Capture]:
        """Capture what arrives (and what leaves, if asked), promiscuously, ``limit`` frames at most.

        Receive offloads of the port are off meanwhile, so that frames are as they were on the wire.
        """
        self.ask("capture", ethertype=ethertype, outgoing=outgoing, limit=limit)
        capture = Capture(self)
        try:
            yield capture
        finally:
            capture.end()

    def start_ring(self, most_bytes: int) -> None:
        """Keep the newest frames from now on, but for bulk data (:mod:`hil.traffic.filter`)."""
        self.ask("ring", filter=program(), most_bytes=most_bytes)

    def kept(self, seconds: float) -> Kept:
        """What the ring kept of the last seconds."""
        answer, data = self.ask("kept", seconds=seconds)
        frames, at = list[KeptFrame](), 0
        while at < len(data):
            time_ns, flags, size_bytes, held = _KEPT.unpack_from(data, at)
            at += _KEPT.size + held
            age_s = (answer["now_ns"] - time_ns) / 1e9
            frames.append(KeptFrame(data[at - held : at], size_bytes, time_ns, bool(flags & _OUTGOING), age_s))
        return Kept(tuple(frames), answer["lost"])

    def counters(self) -> PortCounters:
        answer, _ = self.ask("counters")
        return PortCounters(*answer["counters"])

    @cached_property
    def mac(self) -> str:
        """AA-BB-CC-DD-EE-FF."""
        return str(self.ask("facts")[0]["mac"])

    @property
    def mtu(self) -> int:
        return int(self.ask("facts")[0]["mtu"])

    @property
    def carrier(self) -> bool:
        """Whether the port has a link and may send."""
        return bool(self.ask("facts")[0]["carrier"])

    def set_mtu(self, mtu: int) -> None:
        self.ask("set_mtu", mtu=mtu)

    def close(self) -> None:
        self._agent.close()

    def ask(self, verb: str, data: bytes = b"", **arguments: object) -> tuple[dict[str, Any], bytes]:
        """One request and its answer. Raises BenchError with what the partner's kernel said."""
        head = json.dumps({"do": verb, "size": len(data), **arguments}).encode() + b"\n"
        try:
            self._agent.write(head + data)
        except OSError as error:
            raise self._lost(verb, error.strerror or str(error)) from error
        return self._answer(verb)

    def _answer(self, verb: str) -> tuple[dict[str, Any], bytes]:
        deadline = Deadline(_ANSWER_TIMEOUT_S)
        while b"\n" not in self._rest:
            self._rest += self._read(verb, deadline)
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        parts, missing = [self._rest], answer["size"] - len(self._rest)
        while missing > 0:
            parts.append(self._read(verb, deadline))
            missing -= len(parts[-1])
        self._rest = b""
        if "error" in answer:
            raise BenchError(
                f"the link partner's port to {verb}", seen=answer["error"], where=self._where,
                next_step="packet sockets need root or CAP_NET_RAW there" if "permitted" in answer["error"] else "",
            )  # fmt: skip
        return answer, b"".join(parts)

    def _read(self, verb: str, deadline: Deadline) -> bytes:
        try:
            data = self._agent.read(1 << 20, deadline.remaining_s)
        except TimeoutError as error:
            raise self._lost(verb, f"no answer in {deadline.timeout_s:g} s") from error
        if not data:
            said = self._agent.finish(_ANSWER_TIMEOUT_S).stderr.decode("utf-8", "replace").strip()
            raise self._lost(verb, said.splitlines()[-1] if said else "it ended")
        return data

    def _lost(self, verb: str, seen: str) -> BenchError:
        return BenchError(f"the link partner's port to {verb}", seen=seen, where=self._where)
