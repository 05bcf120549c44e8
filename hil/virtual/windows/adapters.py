"""Network adapters: the NDIS side of a Net devnode, from its driver key to the NIC's hardware and wire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from hil.virtual.nic import Offloads
from hil.virtual.windows import settings as advanced
from hil.virtual.windows.settings import Setting
from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.nic import Nic
    from hil.virtual.windows.hardware import Port
    from hil.virtual.windows.low_power import LowPower
    from hil.virtual.windows.state import Devnode
    from hil.virtual.windows.system import Windows

NEGOTIATION_S = 2.0
"""From a started device to a link, copper at 1 Gbit/s and above."""

_NAMESPACE = UUID("6b1f3f0a-8f7b-4e55-9d2c-2d8f1f5a7c11")

ETHERNET_HEADER_BYTES = 14

WAKE_KEYWORDS = {
    "ArpOffload": "*PMARPOffload", "NSOffload": "*PMNSOffload", "WakeOnMagicPacket": "*WakeOnMagicPacket",
    "WakeOnPattern": "*WakeOnPattern", "SelectiveSuspend": "*SelectiveSuspend",
    "D0PacketCoalescing": "*PacketCoalescing", "DeviceSleepOnDisconnect": "*DeviceSleepOnDisconnect",
    "RsnRekeyOffload": "*PMWiFiRekeyOffload",
}  # fmt: skip
"""Property of Get-NetAdapterPowerManagement to the standardized keyword behind it."""


@dataclass
class Adapter:
    """One interface. It exists while its devnode has a driver, started or not."""

    windows: Windows
    node: Devnode
    port: Port
    name: str
    index: int
    luid_index: int
    guid: str = ""
    """Braced, upper case."""
    mac: str = ""
    """Current address, AA-BB-CC-DD-EE-FF."""
    link_up: bool = False
    wake_enabled: bool = True
    """The devnode may wake the machine (powercfg /deviceenablewake)."""
    may_turn_off: bool = True
    low_power: LowPower | None = None
    """While the adapter is in D3 for a sleeping machine."""
    _negotiation: asyncio.Task[None] | None = None
    _plugged: tuple[str, int, Offloads] | None = None

    def __post_init__(self) -> None:
        self.guid = "{" + str(uuid5(_NAMESPACE, f"{self.node.instance_id}/{self.luid_index}")).upper() + "}"
        self.mac = self.port.mac

    @property
    def description(self) -> str:
        return self.node.description

    @property
    def luid(self) -> int:
        """NET_LUID of an Ethernet interface (IfType 6 in the top 16 bits)."""
        return (6 << 48) | (self.luid_index << 24)

    @property
    def nic(self) -> Nic | None:
        return self.windows.bench.nic if self.port.wired else None

    @property
    def settings(self) -> dict[str, Setting]:
        return advanced.read(self.windows.registry, self.node.driver_key)

    def value(self, keyword: str, default: str = "") -> str:
        setting = self.settings.get(keyword)
        return setting.value if setting else default

    @property
    def mtu(self) -> int:
        """Bytes of an IP packet; *JumboPacket counts the Ethernet header, not the checksum."""
        return max(1500, int(self.value("*JumboPacket", "1514")) - ETHERNET_HEADER_BYTES)

    @property
    def link_mbps(self) -> int:
        """What the adapter reports, whatever the wire really gives."""
        forced = {"1": 10, "2": 10, "3": 100, "4": 100, "6": 1000, "7": 10000}.get(self.value("*SpeedDuplex", "0"))
        return min(self.port.link_mbps, forced) if forced else self.port.link_mbps

    # start and stop, called by Devices

    def started(self, reason: str) -> None:
        """The miniport is initialised: read the settings, load the hardware, wait for the link."""
        faults = self.windows.bench.faults if self.port.under_test else None
        self.low_power = None
        if faults:
            self._keep(faults.settings({name: found.value for name, found in self.settings.items()}, reason=reason))
        address = _station_address(self.value("NetworkAddress")) or self.port.mac
        self.mac = faults.mac(address, reason=reason) if faults else address
        if self.nic and faults:
            self.nic.set_rate(faults.link_mbps(float(self.link_mbps), reason=reason))
            self._plug()
            self.windows.network.apply(self)
        self.negotiate()

    def stopped(self) -> None:
        """Halted or gone: the stack loses the interface at once."""
        self._stop_negotiation()
        self.link_up, self._plugged, self.low_power = False, None, None
        if self.nic:
            self.nic.unplug()

    def asleep(self, low_power: LowPower) -> None:
        """D3: no frame reaches the host."""
        self._stop_negotiation()
        self.link_up, self.low_power = False, low_power
        if self.nic:
            self.nic.suspend(low_power.listens)

    def resumed(self) -> None:
        """D0 again, before the miniport's settings are restored."""
        self.low_power = None
        if self.nic:
            self.nic.resume()

    def negotiate(self) -> None:
        """Bring the link up as the cable allows, after the time that autonegotiation takes."""
        self._stop_negotiation()
        if self.port.cable:
            self._negotiation = self.windows.bench.loop.create_task(self._negotiate())

    def cable_changed(self, connected: bool) -> None:
        if self.nic:
            self.nic.set_link(connected)
        if not connected:
            self._stop_negotiation()
            self.link_up = False
        elif self.node.started:
            self.negotiate()

    async def _negotiate(self) -> None:
        await async_pause(self.windows.bench.scale(NEGOTIATION_S))
        self.link_up = True

    def _stop_negotiation(self) -> None:
        if self._negotiation:
            self._negotiation.cancel()
            self._negotiation = None

    def _keep(self, values: Mapping[str, str]) -> None:
        for keyword, setting in self.settings.items():
            if values.get(keyword, setting.value) != setting.value:
                advanced.write(self.windows.registry, self.node.driver_key, keyword, values[keyword])

    def _plug(self) -> None:
        """Make the stack's interface; one that is unchanged (a resume) keeps its sockets."""
        values = {name: found.value for name, found in self.settings.items()}
        offloads = Offloads(
            checksum=values.get("*TCPChecksumOffloadIPv4", "3") != "0",
            lso_v4=values.get("*LsoV2IPv4", "0") == "1",
            lso_v6=values.get("*LsoV2IPv6", "0") == "1",
        )
        wanted = (self.mac, self.mtu, offloads)
        if self.nic and self._plugged != wanted:
            self.nic.unplug()
            self.nic.plug(*wanted)
            self._plugged = wanted

    # what it reports

    def statistics(self) -> dict[str, int]:
        """Counters since the miniport started, by the names of Get-NetAdapterStatistics."""
        counted = self.nic.counters() if self.nic and self.node.started else {}
        return dict(self.windows.bench.faults.statistics(counted)) if self.port.under_test else counted


def _station_address(text: str) -> str:
    """What the user chose, AA-BB-CC-DD-EE-FF; empty for a group address and for what is no address."""
    digits = text.replace("-", "").upper()
    if not re.fullmatch("[0-9A-F]{12}", digits) or int(digits[:2], 16) & 1:
        return ""
    return "-".join(digits[place : place + 2] for place in range(0, 12, 2))
