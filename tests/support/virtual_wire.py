"""A virtual NIC on an event loop of its own, with a plain Linux as its machine: what the wire's tests stand on."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from hil import netns
from hil.errors import BenchError
from hil.journal import Journal
from hil.testbed import model
from hil.traffic import LocalPartner, Traffic
from hil.virtual.faults import Fault
from hil.virtual.faults.chain import FaultChain
from hil.virtual.nic import Nic, Offloads

T = TypeVar("T")
MAC = "02-1D-0F-00-00-01"
MACHINE, PARTNER = "198.18.0.1", "198.18.0.2"


class LocalServer:
    """A program in the machine's namespace, in the shape of hil.windows.RunningProcess."""

    def __init__(self, namespace: str, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            netns.argv(namespace, argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        self._said = b""

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def stdout(self) -> bytes:
        if not self.running:
            self.stop()
        return self._said

    def stop(self) -> None:
        self._process.kill()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._said = self._process.communicate()[0]


class LinuxMachine:
    """Runs iperf3 where the Windows machine would run iperf3.exe."""

    where = "the machine's namespace"

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.started: list[LocalServer] = []

    def start(self, exe: str, *args: str) -> LocalServer:
        self.started.append(LocalServer(self._namespace, [exe.rpartition("\\")[2].removesuffix(".exe"), *args]))
        return self.started[-1]


@dataclass
class LinuxLink:
    status: str = "Up"


class LinuxAdapter:
    """``link`` is what Windows would say of it."""

    def __init__(self, link_mbps: int) -> None:
        self.link_mbps = link_mbps
        self.wanted = model.Adapter(hardware_id="PCI\\VEN_1D0F", link_mbps=link_mbps, address=f"{MACHINE}/24")
        self.link = LinuxLink()

    def info(self) -> LinuxLink:
        return self.link


class VirtualWire:
    """``do(nic.method, ...)`` calls on the loop's thread, as the bench does."""

    def __init__(self, link_mbps: int = 1000, true_frames: bool = True, faults: Sequence[Fault] = ()) -> None:
        self.loop = asyncio.new_event_loop()
        self.woken: list[bytes] = []
        self.nic = Nic(
            name="test", link_mbps=link_mbps, true_frames=true_frames, mac=MAC, faults=FaultChain(faults),
            wake=self.woken.append, loop=self.loop,
        )  # fmt: skip
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self.do(self.nic.open)
        except BaseException:
            self._end_loop()
            raise
        self.do(self.nic.set_address, [f"{MACHINE}/24", "fd00::1/64"])
        self.do(self.nic.set_partner_address, [f"{PARTNER}/24", "fd00::2/64"])
        self.plug()
        self.journal = Journal()
        described = model.LocalPartner(
            netns=self.nic.partner_netns, interface=self.nic.partner_interface, address=f"{PARTNER}/24"
        )
        self.partner = LocalPartner(described, self.journal)
        self.machine = LinuxMachine(self.nic.machine_netns)
        self.adapter = LinuxAdapter(link_mbps)
        self.traffic = Traffic(self.machine, self.adapter, self.partner, model.Tools(), self.journal)

    def do(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        async def on_loop() -> T:
            return call(*arguments, **named)

        return self.wait(on_loop())

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def plug(self, mac: str = MAC, mtu: int = 1500, offloads: Offloads = Offloads()) -> None:  # noqa: B008
        self.do(self.nic.plug, mac, mtu, offloads)

    def inside_machine(self, code: str, *arguments: str) -> str:
        """Run Python in the machine's namespace; what it printed."""
        return self._python(self.nic.machine_netns, code, arguments)

    def inside_partner(self, code: str, *arguments: str) -> str:
        return self._python(self.nic.partner_netns, code, arguments)

    def close(self) -> None:
        self.partner.close()
        self.do(self.nic.close)
        self._end_loop()

    def _end_loop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @staticmethod
    def _python(namespace: str, code: str, arguments: Sequence[str]) -> str:
        argv = netns.argv(namespace, ["python3", "-c", code, *arguments])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def virtual_wire(**options: Any) -> Iterator[VirtualWire]:
    """Skips the test, with the cause, where this computer refuses TAP devices or namespaces."""
    try:
        wire = VirtualWire(**options)
    except BenchError as error:
        pytest.skip(str(error))
    try:
        yield wire
    finally:
        wire.close()


def eventually(check: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    """The first truthy value; the last one when time is over."""
    end = time.monotonic() + timeout_s
    while not (value := check()) and time.monotonic() < end:
        time.sleep(0.01)
    return value


def checksum_errors(frame: bytes) -> list[str]:
    """Which checksums of an IPv4 or IPv6 frame are wrong, by RFC 1071 word for word."""
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        at += 4
    kind, ip = frame[at : at + 2], at + 2
    if kind == b"\x08\x00":
        end, transport = ip + int.from_bytes(frame[ip + 2 : ip + 4], "big"), ip + (frame[ip] & 15) * 4
        protocol, addresses = frame[ip + 9], frame[ip + 12 : ip + 20]
        wrong = [] if _folded(frame[ip:transport]) == 0xFFFF else ["IPv4 header"]
    elif kind == b"\x86\xdd":
        end, transport = ip + 40 + int.from_bytes(frame[ip + 4 : ip + 6], "big"), ip + 40
        protocol, addresses = frame[ip + 6], frame[ip + 8 : ip + 40]
        wrong = []
    else:
        return []
    if protocol in (6, 17):
        pseudo = addresses + (end - transport).to_bytes(4, "big") + protocol.to_bytes(4, "big")
        wrong += [] if _folded(pseudo + frame[transport:end]) == 0xFFFF else [{6: "TCP", 17: "UDP"}[protocol]]
    return wrong


def _folded(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total

