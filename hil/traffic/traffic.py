"""Load between the machine and its link partner: measured for a time, or in the background of a test."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

from hil.clock import Deadline
from hil.errors import BenchError, DutError, HilError, LinkLost, UsageError
from hil.traffic import iperf3, line
from hil.traffic.iperf3 import Direction, TcpResult, UdpResult
from hil.traffic.packets import resolve
from hil.traffic.partner import Partner
from hil.traffic.program import Finished, Program
from hil.wait import pause

if TYPE_CHECKING:
    from hil.journal import Journal
    from hil.testbed import model

_FIRST_PORT, _PORTS = 5201, 200
_CONNECT_S = 10.0
_RETRY_S = 0.05
_END_MARGIN_S = 15.0
"""Beyond the time asked for: connecting, exchange of results, slow ends."""
_STOP_S = 3.0
_FLOWING_S = 0.1
"""So much of the line's time must have been filled before background load counts as flowing."""
_FLOWING_POLL_S = 0.02
_QUESTIONS = 3
"""So often the adapter is asked for its address before it counts as dead."""
_STALL_S, _STALL_BYTES = 0.05, 10_000
_STREAM_LIMIT = 128
_DLL_NOT_FOUND = 0xC0000135
"""STATUS_DLL_NOT_FOUND: how a program ends that Windows could not load."""


class ServerProcess(Protocol):
    """A program on the machine, as :class:`hil.windows.RunningProcess` is one."""

    @property
    def running(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def stdout(self) -> bytes: ...
    def stop(self) -> None: ...


class ServerMachine(Protocol):
    """What traffic needs of the machine."""

    where: str

    def start(self, exe: str, *args: str) -> ServerProcess: ...


class LinkState(Protocol):
    """What Windows says of the adapter."""

    @property
    def status(self) -> str: ...


class TrafficAdapter(Protocol):
    """What traffic needs of the adapter under test."""

    wanted: model.Adapter
    link_mbps: int

    def info(self) -> LinkState: ...


class Traffic:
    """TCP and UDP by iperf3 (client on the partner, server on the machine), and the sums to judge them by."""

    def __init__(
        self, machine: ServerMachine, adapter: TrafficAdapter, partner: Partner, tools: model.Tools, journal: Journal
    ) -> None:
        self.machine, self.adapter, self.partner, self.tools, self.journal = machine, adapter, partner, tools, journal
        self._ports = itertools.cycle(range(_FIRST_PORT, _FIRST_PORT + _PORTS))

    @overload
    def tcp(self, streams: int = 1, seconds: None = None, direction: Direction = "send") -> TcpLoad: ...
    @overload
    def tcp(self, streams: int = 1, *, seconds: float, direction: Direction = "send") -> TcpResult: ...
    def tcp(
        self, streams: int = 1, seconds: float | None = None, direction: Direction = "send"
    ) -> TcpResult | TcpLoad:
        """With ``seconds``: run and return the figures. Without: a ``with`` block of background load.

        ``direction`` is the machine's. Raises BenchError when iperf3 is missing or does not start. When data does not
        flow, or a measured connection breaks, as :meth:`failure` judges it; a background one may break, and its result
        says so.
        """
        if not 1 <= streams <= _STREAM_LIMIT:
            raise UsageError(f"1 to {_STREAM_LIMIT} TCP streams", seen=str(streams))
        load = TcpLoad(self, streams, direction, iperf3.BACKGROUND_S if seconds is None else math.ceil(seconds))
        return load if seconds is None else load.measure()

    def udp(self, mbps: float, seconds: float, direction: Direction = "send") -> UdpResult:
        """Datagrams offered at ``mbps`` (UDP payload) in one direction. Raises as :meth:`tcp` does."""
        if direction == "both":
            raise UsageError("one direction for UDP", seen="both", next_step="measure send and receive by themselves")
        what = f"udp {direction} at {mbps:g} Mbit/s"
        with self.journal.span("traffic", what, seconds=seconds) as seen:
            port = next(self._ports)
            whole_s = math.ceil(seconds)
            argv = iperf3.udp_client(self.address, port, mbps=mbps, seconds=whole_s, direction=direction)
            report = self.run_client(argv, port, seconds)
            try:
                result = iperf3.udp_result(report, direction=direction, offered_mbps=mbps)
            except KeyError as error:
                raise BenchError(
                    f"the sums of {what}", seen=f"no {error} in the report", where=self.partner.where
                ) from error
            seen.update(asdict(result), loss_ratio=result.loss_ratio)
        return result

    @staticmethod
    def ceiling(mtu: int = 1500, *, timestamps: bool = True, vlan: bool = False) -> float:
        """Share of the line rate that TCP payload over IPv4 can have: 0.9415 at MTU 1500 with timestamps."""
        return line.tcp_ceiling(mtu, timestamps=timestamps, vlan=vlan)

    # for the loads of this module

    @property
    def address(self) -> str:
        """Of the machine's adapter."""
        return self.adapter.wanted.address.partition("/")[0]

    def next_port(self) -> int:
        return next(self._ports)

    def start_server(self, port: int) -> ServerProcess:
        return self.machine.start(iperf3.SERVER, *iperf3.server_arguments(self.address, port))

    def run_client(self, argv: list[str], port: int, seconds: float) -> dict[str, Any]:
        """Server and client to their end; again while the server is not up yet. Raises :meth:`failure`."""
        wanted = "an iperf3 run to its end"
        server, deadline = self.start_server(port), Deadline(_CONNECT_S)
        try:
            while True:
                try:
                    finished = self.partner.run(argv, timeout_s=seconds + _END_MARGIN_S)
                except TimeoutError as error:
                    raise self.failure(server, wanted, f"none in {seconds + _END_MARGIN_S:g} s", argv) from error
                report = self.report_of(finished, argv)
                if "error" not in report:
                    return report
                if not iperf3.refused(report) or deadline.expired:
                    raise self.failure(server, wanted, str(report["error"]), argv, silent=iperf3.silent(report))
                self.server_must_run(server)
                pause(_RETRY_S, why="the iperf3 server to listen")
        finally:
            server.stop()

    def report_of(self, finished: Finished, argv: list[str]) -> dict[str, Any]:
        """Raises BenchError when the client was no iperf3 at all."""
        if finished.not_started:
            raise BenchError(
                "iperf3 on the link partner",
                seen=finished.stderr.decode("utf-8", "replace").strip() or f"exit code {finished.exit_code}",
                where=self.partner.where,
                next_step="install it there (apt-get install iperf3)",
            )
        return iperf3.report(finished.stdout or finished.stderr, where=f"{self.partner.where}: {' '.join(argv)}")

    def server_must_run(self, server: ServerProcess) -> None:
        if not server.running:
            code, said = server.exit_code, server.stdout.decode("utf-8", "replace").strip()
            ended = "it ended" + (f" with exit code 0x{code:X}" if code is not None else "")
            step = f"name the program as tools.iperf3 in the testbed, and give the adapter {self.address}"
            if code == _DLL_NOT_FOUND:
                ended += ", a DLL is missing"
                step = "put the DLLs of this iperf3, such as cygwin1.dll, beside the program that tools.iperf3 names"
            raise BenchError(
                "an iperf3 server on the machine", seen=f"{said}; {ended}" if said else ended,
                where=f"{iperf3.SERVER} on {self.machine.where}", next_step=step,
            )  # fmt: skip

    def moved_bytes(self) -> int:
        """Through the partner's port so far, both ways."""
        now = self.partner.counters()
        return now.received_bytes + now.sent_bytes

    def failure(
        self, server: ServerProcess, wanted: str, seen: str, argv: list[str], *, silent: bool = True
    ) -> HilError:
        """Whose failure it is that no data came, or no more (``silent``), or that iperf3 gave another reason.

        The device's when Windows sees no link on it, when it does not answer for its own address, or when the server
        waits and hears nothing; else the bench's. Raises what asking for that meets.
        """
        told = {"where": f"{self.address}, from {self.partner.where}", "tried": " ".join(argv)}
        if b"listening" not in server.stdout:
            self.server_must_run(server)
        status = self.adapter.info().status
        if status != "Up":
            return LinkLost(wanted, seen=f"{seen}; the adapter is {status}", **told)
        if not self.partner.carrier:
            return BenchError(
                wanted, seen=f"{seen}; the adapter is Up, but the partner's port has no link",
                next_step="look at what is between them, and at the partner's port", **told,
            )  # fmt: skip
        dead = not any(resolve(self.partner, self.address) for _ in range(_QUESTIONS))
        if not (dead or silent):
            return BenchError(wanted, seen=seen, **told)
        if not dead:
            self.server_must_run(server)
        unanswered = f", and does not answer {_QUESTIONS} questions for {self.address}" if dead else ""
        return DutError(
            wanted, seen=f"{seen}; the adapter is Up{unanswered}",
            next_step="read in the kept frames who fell silent; where traffic never flowed, look at cable and firewall",
            **told,
        )  # fmt: skip


class TcpLoad:
    """TCP in the background of a ``with`` block, already flowing when it begins, ended when it ends.

    ``result`` is there afterwards. A connection that breaks, because the test pulled the NIC or the mains, is told by
    ``result.broken`` and raises nothing.
    """

    result: TcpResult

    def __init__(self, traffic: Traffic, streams: int, direction: Direction, seconds: int) -> None:
        self._traffic, self._streams, self._direction, self._seconds = traffic, streams, direction, seconds
        self._port = traffic.next_port()
        wanted = {"streams": streams, "seconds": seconds}
        self._argv = iperf3.tcp_client(traffic.address, self._port, direction=direction, **wanted)

    @property
    def what(self) -> str:
        return f"tcp {self._direction}, {self._streams} streams"

    def measure(self) -> TcpResult:
        """In the foreground, to its end."""
        with self._traffic.journal.span("traffic", self.what, seconds=self._seconds) as seen:
            report = self._traffic.run_client(self._argv, self._port, self._seconds)
            result = iperf3.tcp_result(report, direction=self._direction, streams=self._streams)
            seen.update(asdict(result), mbps=result.mbps)
        return result

    def __enter__(self) -> Self:
        self._server = self._traffic.start_server(self._port)
        try:
            self._client = self._flowing()
        except BaseException:
            self._server.stop()
            raise
        self._traffic.journal.event("traffic", f"{self.what} flows")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stalled = ""
        try:
            stalled = self._stalled()
            self._client.terminate()
            result = self._result_of(self._client.finish(_STOP_S))
            self.result = replace(result, broken=result.broken or stalled)
        except (TimeoutError, OSError, BenchError) as cause:
            told = {"error": stalled or f"the client told nothing: {cause}"}
            self.result = iperf3.tcp_result(told, direction=self._direction, streams=self._streams)
        finally:
            self._client.close()
            self._server.stop()
        self._traffic.journal.event("traffic", f"{self.what} ended", **asdict(self.result), mbps=self.result.mbps)

    def _result_of(self, finished: Finished) -> TcpResult:
        report = self._traffic.report_of(finished, self._argv)
        if "the client has terminated" in str(report.get("error")):
            del report["error"]  # our own doing, at the end of the block
        return iperf3.tcp_result(report, direction=self._direction, streams=self._streams)

    def _flowing(self) -> Program:
        """A client whose data moves: started again while the server is not up yet."""
        partner, deadline = self._traffic.partner, Deadline(_CONNECT_S)
        while True:
            client = partner.start(self._argv)
            try:
                self._wait_flowing(client)
                if client.running:
                    return client
                report = self._traffic.report_of(client.finish(_STOP_S), self._argv)
                if not iperf3.refused(report) or deadline.expired:
                    silent = iperf3.silent(report)
                    raise self._failure(str(report.get("error", "it ended")), silent=silent)
            except BaseException:
                client.close()
                raise
            client.close()
            self._traffic.server_must_run(self._server)
            pause(_RETRY_S, why="the iperf3 server to listen")

    def _wait_flowing(self, client: Program) -> None:
        """Until data moves, or the client has ended."""
        before, deadline = self._traffic.moved_bytes(), Deadline(_CONNECT_S)
        enough = self._traffic.adapter.link_mbps * 1e6 / 8 * _FLOWING_S
        while client.running and (moved := self._traffic.moved_bytes() - before) <= enough:
            if deadline.expired:
                raise self._failure(f"{moved} bytes in {_CONNECT_S:g} s", silent=True)
            pause(_FLOWING_POLL_S, why="data to flow")

    def _failure(self, seen: str, *, silent: bool) -> HilError:
        return self._traffic.failure(self._server, f"{self.what} to flow", seen, self._argv, silent=silent)

    def _stalled(self) -> str:
        """Why the data stopped before the block did, when it had."""
        if not self._client.running:
            return ""  # its own report tells
        before = self._traffic.moved_bytes()
        pause(_STALL_S, why="to see whether data still moves")
        moved = self._traffic.moved_bytes() - before
        return "" if moved > _STALL_BYTES else f"no data moved any more: {moved} bytes in the last {_STALL_S:g} s"
