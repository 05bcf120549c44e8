"""The virtual NIC as the Windows model sees it: plug, link, power, counters, programs behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hil.errors import BenchError
from hil.virtual.faults.chain import FaultChain
from hil.virtual.nic import netlink
from hil.virtual.nic.channel import Channel
from hil.virtual.nic.namespace import Namespace
from hil.virtual.nic.programs import Programs
from hil.virtual.nic.tap import Offloads, open_tap
from hil.virtual.nic.wire import PARTNER, Wire, ask, set_addresses, set_link

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_ALL_OFFLOADS = Offloads()
_TAP = "nic0"
_TRANSMIT_QUEUE = 4096
"""Frames that wait for the data path: 50 ms of a gigabit line, so that a busy computer does not look like loss."""
_LOSS_PERIOD_S = 0.05


class Nic:
    """One port, its cable and the partner's port, in anonymous network namespaces that die with this process.

    Not thread-safe: call it on the loop's thread. Netlink requests take a few milliseconds each.
    """

    machine_netns: str
    """Path that setns(2) takes while this process lives; valid after open()."""
    partner_netns: str
    machine_interface: str = _TAP
    partner_interface: str = PARTNER

    def __init__(
        self,
        *,
        name: str,
        link_mbps: int,
        true_frames: bool,
        mac: str,
        faults: FaultChain,
        wake: Callable[[bytes], None],
        loop: asyncio.AbstractEventLoop,
        seed: int = 0,
    ) -> None:
        self.name, self.link_mbps, self.true_frames, self._mac = name, link_mbps, true_frames, mac
        self._faults, self._wake, self._loop, self._seed = faults, wake, loop, seed
        self._lossy = faults.overrides("transmit_loss") or faults.overrides("receive_loss")
        self._programs = Programs()
        self._addresses: tuple[str, ...] = ()
        self._baseline: dict[str, int] = {}
        self._plugged = self._asleep = self._listening = False
        self._cable = True
        self._opened: ExitStack | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Lay the cable: namespaces, wire, rate, data path. Raises BenchError that names the missing right."""
        with ExitStack() as stack:
            self._machine = Namespace()
            stack.callback(self._machine.close)
            self._machine.call(lambda: open_tap(_TAP, Offloads())).close()  # refused here rather than at the first plug
            ask(self._machine, "a loopback", lambda ip: set_link(ip, "lo", state="up"))
            self._wire = Wire(self.link_mbps, true_frames=self.true_frames)
            stack.callback(self._wire.close)
            touching = [type(fault) for fault in self._faults.faults if FaultChain([fault]).overrides("corrupt_frame")]
            self._channel = Channel([f"{kind.__module__}:{kind.__qualname__}" for kind in touching], self._seed)
            stack.callback(self._channel.close)
            with self._wire.open_socket() as wire:
                self._channel.command(wire.fileno(), wire=True)
            self._wire.set_link(False)
            self._baseline = self._channel.counters()
            self._loop.add_reader(self._channel.wake, self._hear)
            stack.callback(self._loop.remove_reader, self._channel.wake)
            stack.callback(self._programs.kill_all)
            self._opened = stack.pop_all()
        self.machine_netns, self.partner_netns = self._machine.path, self._wire.partner.path
        if self._lossy:
            self._update_loss()

    def close(self) -> None:
        """Unplug, end every program, let the namespaces go. Idempotent."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            with opened, suppress(BenchError):  # a data path that died took the TAP with it
                self.unplug()

    @property
    def plugged(self) -> bool:
        return self._plugged

    def plug(self, mac: str, mtu: int = 1500, offloads: Offloads = _ALL_OFFLOADS) -> None:
        """The driver started the device: the TAP appears with this MAC (AA-BB-CC-DD-EE-FF) and MTU, link as set.

        Counters start at zero; the addresses of :meth:`set_address` are on it.
        """
        self.unplug()
        self._mac = mac.replace("-", ":").lower()
        with self._machine.call(lambda: open_tap(_TAP, offloads)) as tap:
            self._plugged = True
            self._channel.command(
                tap.fileno(), tap=True, mac=self._mac.replace(":", ""), mode=self._mode, carrier=self._carrier
            )  # fmt: skip
        self._baseline = self._channel.counters()

        def bring_up(ip: IPRoute) -> None:
            set_link(ip, _TAP, address=self._mac, mtu=mtu, txqlen=_TRANSMIT_QUEUE)
            set_link(ip, _TAP, state="up")
            set_addresses(ip, _TAP, self._addresses)

        ask(self._machine, "the adapter's interface", bring_up)
        self._wire.set_link(self._carrier)

    def unplug(self) -> None:
        """The device is gone or its driver halted: the TAP vanishes, connections on it are aborted. Idempotent."""
        if not (self._plugged or self._asleep):
            return
        self._plugged = self._asleep = self._listening = False
        self._channel.command(tap=False, mode="off")
        try:
            self._machine.call(netlink.end_tcp_connections)
        except OSError:
            self._programs.kill_all()  # a kernel that cannot end connections: they go with their programs
        self._wire.set_link(False)

    def set_address(self, addresses: Sequence[str]) -> None:
        """Replace the machine's addresses (CIDR, IPv4 or IPv6); they come back at the next plug too."""
        self._addresses = tuple(addresses)
        if self._plugged:
            ask(self._machine, "the adapter's address", lambda ip: set_addresses(ip, _TAP, self._addresses))

    def set_partner_address(self, addresses: Sequence[str]) -> None:
        """Replace the partner's addresses."""
        self._wire.set_partner_address(addresses)

    def set_link(self, up: bool) -> None:
        """Cable in or out: both ends see the carrier."""
        self._cable = up
        self._apply()

    def set_rate(self, mbps: float) -> None:
        """Rate of the wire in each direction, preamble and gap included (layer 1)."""
        self._wire.set_rate(mbps)

    def suspend(self, listen_for_wake: bool) -> None:
        """Frames no longer reach the host; with ``listen_for_wake`` each one goes to wake(), else the link drops.

        Also without a host (unplugged), as a NIC on standby power does while its machine is off.
        """
        self._asleep, self._listening = True, listen_for_wake
        self._apply()

    def answer(self, frame: bytes) -> None:
        """Send what the hardware answers by itself while the host sleeps."""
        self._channel.command(send=frame.hex())

    def resume(self) -> None:
        """Back to D0."""
        self._asleep = self._listening = False
        self._apply()

    def counters(self) -> dict[str, int]:
        """ReceivedBytes, ReceivedUnicastPackets, ... as Get-NetAdapterStatistics names them, since the last plug.

        Per frame on the wire, Ethernet header included, FCS not: a super-frame counts as what it is cut into.
        """
        words = self._channel.counters()
        counted = {name: words[name] - self._baseline[name] for name in words if not name.startswith("load_")}
        for way in ("Sent", "Received"):
            counted[f"{way}Bytes"] = sum(counted[f"{way}{cast}Bytes"] for cast in ("Unicast", "Multicast", "Broadcast"))
        return counted

    def load_mbps(self) -> float:
        """Layer-1 bits on the wire, both directions, over the last twentieth of a second, in Mbit/s."""
        return self._channel.load_mbps()

    @property
    def datapath_pid(self) -> int:
        """Of the process that moves the frames."""
        return self._channel.pid

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: int | None = asyncio.subprocess.DEVNULL,
        stdout: int | None = asyncio.subprocess.PIPE,
        stderr: int | None = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start a program in the machine's namespace; it dies with this process."""
        return await self._programs.run(self.machine_netns, argv, stdin=stdin, stdout=stdout, stderr=stderr)

    def freeze(self) -> None:
        """The machine sleeps: its programs stop where they are."""
        self._programs.freeze()

    def thaw(self) -> None:
        """The machine is awake again."""
        self._programs.thaw()

    def kill_all(self) -> None:
        """The machine lost power: its programs are gone."""
        self._programs.kill_all()

    @property
    def _carrier(self) -> bool:
        return self._cable and (self._listening if self._asleep else self._plugged)

    @property
    def _mode(self) -> str:
        if self._asleep:
            return "wake" if self._listening else "off"
        return "host" if self._plugged else "off"

    def _apply(self) -> None:
        """Bring data path and both carriers to what cable and power state say."""
        self._channel.command(mode=self._mode, carrier=self._carrier)
        self._wire.set_link(self._carrier)

    def _hear(self) -> None:
        """A frame that came while the NIC listens for wake frames."""
        frame = self._channel.wake.recv(1 << 16)
        if frame:
            self._wake(frame)
        else:
            self._loop.remove_reader(self._channel.wake)  # the data path ended; the next command says so

    def _update_loss(self) -> None:
        """Ask the faults what share is lost at the present load, again and again while the NIC is open."""
        if self._opened is None:
            return
        load = self.load_mbps()
        self._channel.command(
            transmit_loss=self._faults.transmit_loss(0.0, load_mbps=load),
            receive_loss=self._faults.receive_loss(0.0, load_mbps=load),
        )
        self._loop.call_later(_LOSS_PERIOD_S, self._update_loss)
