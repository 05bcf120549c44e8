"""The NIC under test as Windows sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from hil.testbed import model

if TYPE_CHECKING:
    from hil.windows.device import Device
    from hil.windows.machine import Machine


@dataclass(frozen=True)
class AdapterInfo:
    """As Get-NetAdapter reports it."""

    name: str
    description: str
    instance_id: str
    interface_index: int
    mac: str
    permanent_mac: str
    status: str
    """Up, Disconnected, Disabled, Not Present ..."""
    link_mbps: float
    mtu: int
    full_duplex: bool


@dataclass(frozen=True)
class Statistics:
    """Counters since the device started (Get-NetAdapterStatistics)."""

    received_bytes: int
    received_unicast_packets: int
    received_multicast_packets: int
    received_broadcast_packets: int
    received_discarded_packets: int
    received_packet_errors: int
    sent_bytes: int
    sent_unicast_packets: int
    sent_multicast_packets: int
    sent_broadcast_packets: int
    outbound_discarded_packets: int
    outbound_packet_errors: int


@dataclass(frozen=True)
class DriverInfo:
    """The driver that is bound; ``image_sha256`` is of the image in memory, None when none is loaded."""

    inf: str
    provider: str
    version: str
    date: date | None
    signer: str
    service: str
    image_path: str | None
    image_sha256: str | None


class Adapter:
    """One NIC, held by its device instance: its name may change with a reinstall, its instance id does not."""

    device: Device
    machine: Machine
    instance_id: str
    name: str
    mac: str
    link_mbps: int
    """Nominal rate, from the testbed."""

    @classmethod
    def find(cls, machine: Machine, wanted: model.Adapter) -> Adapter:
        """By hardware id, and MAC when given.

        Raises DeviceMissing for none; UsageError for two that match (both listed), and for the one that carries SSH.
        """
        raise NotImplementedError

    def info(self) -> AdapterInfo:
        """Raises DeviceMissing when Windows shows no such adapter now."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Advanced properties: keyword (``*JumboPacket``) to registry value, lists joined by a comma."""
        raise NotImplementedError

    def set(self, keyword: str, value: str | int, *, restart: bool = True) -> None: ...
    def reset(self, *keywords: str) -> None:
        """Back to the default of the INF; all of them when none is named."""

    def statistics(self) -> Statistics:
        raise NotImplementedError

    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def restart(self) -> None: ...
    def wait_up(self, timeout_s: float | None = None) -> AdapterInfo:
        """Until device, driver and link are up. Raises DutError with the problem code, or LinkLost."""
        raise NotImplementedError

    def wait_down(self, timeout_s: float = 5.0) -> None: ...
    def wait_absent(self, timeout_s: float | None = None) -> float:
        """Until the devnode is gone; seconds that took. Raises DutError when it stays."""
        raise NotImplementedError

    def wait_present(self, timeout_s: float | None = None) -> float:
        raise NotImplementedError

    def present(self) -> bool:
        raise NotImplementedError

    def problem(self) -> int:
        """Device problem code, 0 when it works (cm-prob-*.md)."""
        raise NotImplementedError

    def driver(self) -> DriverInfo:
        raise NotImplementedError

    def power_management(self) -> dict[str, str]:
        """Setting (``WakeOnMagicPacket``) to Enabled, Disabled or Unsupported."""
        raise NotImplementedError

    def set_power_management(self, settings: Mapping[str, bool], *, restart: bool = True) -> None: ...
    def addresses(self) -> list[str]:
        """IPv4 addresses with prefix."""
        raise NotImplementedError
