"""The virtual NIC as the Windows model sees it: plug, link, power, counters, programs behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hil.virtual.faults.chain import FaultChain


@dataclass(frozen=True)
class Offloads:
    """What the driver offers the stack above it; without large send the stack cuts by itself."""

    checksum: bool = True
    lso_v4: bool = True
    lso_v6: bool = True


class Nic:
    """One port, its cable and the partner's port, in anonymous network namespaces that die with this process."""

    machine_netns: str
    """Path that setns(2) takes while this process lives; valid after open()."""
    partner_netns: str
    machine_interface: str
    partner_interface: str

    def __init__(
        self,
        *,
        name: str,
        link_mbps: int,
        true_frames: bool,
        mac: str,
        faults: FaultChain,
        wake: Callable[[bytes], None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None: ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def open(self) -> None:
        """Lay the cable: namespaces, wire, rate. Raises BenchError that names the missing right."""

    def close(self) -> None:
        """Unplug, end every program, let the namespaces go. Idempotent."""

    @property
    def plugged(self) -> bool: ...

    def plug(self, mac: str, mtu: int = 1500, offloads: Offloads = Offloads()) -> None:
        """The driver started the device: the TAP appears with this MAC (AA-BB-CC-DD-EE-FF) and MTU, link as set."""

    def unplug(self) -> None:
        """The device is gone or its driver halted: the TAP vanishes, sockets on it die. Idempotent."""

    def set_address(self, addresses: Sequence[str]) -> None:
        """Replace the machine's addresses (CIDR, IPv4 or IPv6); they come back at the next plug too."""

    def set_partner_address(self, addresses: Sequence[str]) -> None:
        """Replace the partner's addresses."""

    def set_link(self, up: bool) -> None:
        """Cable in or out: both ends see the carrier."""

    def set_rate(self, mbps: float) -> None:
        """Rate of the wire in each direction, preamble and gap included (layer 1)."""

    def suspend(self, listen_for_wake: bool) -> None:
        """Frames no longer reach the host; with ``listen_for_wake`` each one goes to wake(), else the link drops."""

    def resume(self) -> None:
        """Back to D0."""

    def counters(self) -> dict[str, int]:
        """ReceivedBytes, ReceivedUnicastPackets, ... as Get-NetAdapterStatistics names them, per frame on the wire."""
        ...

    def load_mbps(self) -> float:
        """Bits a second on the wire, both directions, over the last fraction of a second, in Mbit/s."""
        ...

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: int | None = asyncio.subprocess.DEVNULL,
        stdout: int | None = asyncio.subprocess.PIPE,
        stderr: int | None = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start a program in the machine's namespace; it dies with this process."""
        ...

    def freeze(self) -> None:
        """The machine sleeps: its programs stop where they are."""

    def thaw(self) -> None:
        """The machine is awake again."""

    def kill_all(self) -> None:
        """The machine lost power: its programs are gone."""
