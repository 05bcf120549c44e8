"""iperf3: its command lines, and what its JSON says. The client runs on the link partner, the server on the machine.

Directions are the machine's: ``send`` is data from the machine to the partner (``-R`` on the client).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from hil.errors import BenchError

Direction = Literal["send", "receive", "both"]
CLIENT = "iperf3"
SERVER = r"C:\hil\tools\iperf3.exe"
"""Where the bench puts it on the machine."""
BACKGROUND_S = 3600
"""Load without an end is bounded by this, so that a client that cannot be reached any more ends by itself."""
_CONNECT_TIMEOUT_MS = 2000
_SOCKET_BUFFER = "4M"
"""For UDP: with the default buffer 0.5 to 1.5 % is lost at any rate, on the receiving socket and not on the line."""
_FLAGS: dict[Direction, list[str]] = {"send": ["-R"], "receive": [], "both": ["--bidir"]}


@dataclass(frozen=True)
class TcpResult:
    """Goodput as the receiving end counted it; ``None`` where a direction was not asked for, or nobody told.

    ``broken`` is why the connection ended before its time; the figures are then those up to that moment, as the
    partner alone knows them.
    """

    direction: Direction
    streams: int
    seconds: float
    sent_mbps: float | None
    """From the machine to the partner."""
    received_mbps: float | None
    """From the partner to the machine."""
    retransmits: int | None
    """Of the sending end, if its system counts them (Windows does not)."""
    cpu_machine_percent: float
    """Processor time of iperf3 itself, in percent of one processor."""
    cpu_partner_percent: float
    broken: str = ""

    @property
    def mbps(self) -> float:
        """The direction asked for; of both, the worse one."""
        return min((rate for rate in (self.sent_mbps, self.received_mbps) if rate is not None), default=0.0)


@dataclass(frozen=True)
class UdpResult:
    """One direction of datagrams at an offered rate; ``mbps`` is UDP payload that arrived."""

    direction: Direction
    offered_mbps: float
    seconds: float
    mbps: float
    sent_datagrams: int
    lost_datagrams: int
    out_of_order: int
    jitter_ms: float
    cpu_machine_percent: float
    cpu_partner_percent: float

    @property
    def loss_ratio(self) -> float:
        return self.lost_datagrams / self.sent_datagrams if self.sent_datagrams else 1.0


def server_arguments(address: str, port: int) -> list[str]:
    """One test, then end."""
    return ["-s", "-1", "-B", address, "-p", str(port), "--forceflush"]


def tcp_client(address: str, port: int, *, streams: int, seconds: int, direction: Direction) -> list[str]:
    """Congestion control by name, since what the system prefers (BBR, for one) may not fill a short link."""
    return [*_client(address, port, seconds), "-C", "cubic", "-P", str(streams), *_FLAGS[direction]]


def udp_client(address: str, port: int, *, mbps: float, seconds: int, direction: Direction) -> list[str]:
    rate = str(round(mbps * 1e6))
    return [*_client(address, port, seconds), "-u", "-b", rate, "-w", _SOCKET_BUFFER, *_FLAGS[direction]]


def _client(address: str, port: int, seconds: int) -> list[str]:
    head = [CLIENT, "-c", address, "-p", str(port), "-t", str(seconds), "-J", "-i", "0"]
    return [*head, "--connect-timeout", str(_CONNECT_TIMEOUT_MS)]


def report(output: bytes, *, where: str) -> dict[str, Any]:
    """The client's JSON. Raises BenchError for anything else."""
    try:
        found = json.loads(output)
    except ValueError as error:
        raise BenchError("a report of iperf3", seen=repr(output[:200]), where=where) from error
    if not isinstance(found, dict):
        raise BenchError("a report of iperf3", seen=repr(output[:200]), where=where)
    return found


_SILENT = (
    "timed out", "No route to host", "control socket has closed", "unable to send", "unable to receive",
    "unable to read", "unable to write", "Connection reset", "Broken pipe",
)  # fmt: skip
"""What iperf3 says (iperf_error.c, and strerror in the C locale) when the other end was not heard, or no more."""


def silent(report: dict[str, Any]) -> bool:
    """Whether the client gave up because the other end was not heard, or no more."""
    error = str(report.get("error", ""))
    return any(words in error for words in _SILENT)


def refused(report: dict[str, Any]) -> bool:
    """Whether the client found nobody at the port: the server is not there yet."""
    error = str(report.get("error", ""))
    return "unable to connect" in error or "busy" in error


def tcp_result(report: dict[str, Any], *, direction: Direction, streams: int) -> TcpResult:
    """From the client's report, whole or cut short."""
    end = report.get("end") or {}
    forward = backward = _rate(end, "sum_received", "sum_sent")
    if direction == "both":
        backward = _rate(end, "sum_received_bidir_reverse", "sum_sent_bidir_reverse")
    processor = end.get("cpu_utilization_percent") or {}
    sent = [part for name, part in end.items() if name.startswith("sum_sent")]
    retransmits = [part["retransmits"] for part in sent if "retransmits" in part]
    return TcpResult(
        direction=direction,
        streams=streams,
        seconds=_number(end.get("sum_received") or {}, "seconds"),
        sent_mbps=None if direction == "receive" else backward,
        received_mbps=None if direction == "send" else forward,
        retransmits=sum(retransmits) if retransmits else None,
        cpu_machine_percent=_number(processor, "remote_total"),
        cpu_partner_percent=_number(processor, "host_total"),
        broken=str(report.get("error", "")),
    )


def udp_result(report: dict[str, Any], *, direction: Direction, offered_mbps: float) -> UdpResult:
    """Raises KeyError for a report without the sums of UDP."""
    end = report["end"]
    total, processor = end["sum"], end.get("cpu_utilization_percent") or {}
    seconds, sent, lost = _number(total, "seconds"), int(total["packets"]), int(total["lost_packets"])
    size = report["start"]["test_start"]["blksize"]
    return UdpResult(
        direction=direction,
        offered_mbps=offered_mbps,
        seconds=seconds,
        mbps=(sent - lost) * size * 8 / seconds / 1e6 if seconds else 0.0,
        sent_datagrams=sent,
        lost_datagrams=lost,
        out_of_order=sum(int(stream["udp"].get("out_of_order", 0)) for stream in end.get("streams", ())),
        jitter_ms=_number(total, "jitter_ms"),
        cpu_machine_percent=_number(processor, "remote_total"),
        cpu_partner_percent=_number(processor, "host_total"),
    )


def _rate(end: dict[str, Any], *names: str) -> float | None:
    """Mbit/s of the first sum that counted anything: the receiver's, or the sender's if the other end never told."""
    for name in names:
        part = end.get(name) or {}
        if part.get("bytes"):
            return _number(part, "bits_per_second") / 1e6
    return 0.0 if end else None


def _number(part: dict[str, Any], name: str) -> float:
    return float(part.get(name) or 0.0)
