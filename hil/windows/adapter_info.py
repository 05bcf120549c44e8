"""What Windows reports of a network adapter, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


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
class WakePattern:
    """One that Windows has set on the adapter (MSFT_NetAdapterPowerManagement_WakePattern)."""

    kind: str
    """bitmap, magic packet, IPv4 TCP SYN, IPv6 TCP SYN, EAPOL, wildcard"""
    name: str


PATTERN_KINDS = {
    1: "bitmap", 2: "magic packet", 3: "IPv4 TCP SYN", 4: "IPv6 TCP SYN", 5: "EAPOL", 6: "wildcard",
}  # fmt: skip


@dataclass(frozen=True)
class DriverInfo:
    """The driver that is bound; the image is the one in memory, None when none is loaded."""

    inf: str
    """Published name, oem3.inf."""
    provider: str
    version: str
    date: date | None
    signer: str
    service: str
    image_path: str | None
    image_sha256: str | None


def info_of(row: Mapping[str, Any]) -> AdapterInfo:
    """From a row of Get-NetAdapter."""
    return AdapterInfo(
        name=str(row["Name"]),
        description=str(row["InterfaceDescription"]),
        instance_id=str(row["PnPDeviceID"]),
        interface_index=int(row["InterfaceIndex"]),
        mac=mac_text(str(row["MacAddress"] or "")),
        permanent_mac=mac_text(str(row["PermanentAddress"] or "")),
        status=str(row["Status"]),
        link_mbps=int(row["Speed"] or 0) / 1e6,
        mtu=int(row["MtuSize"] or 0),
        full_duplex=bool(row["FullDuplex"]),
    )


def mac_text(mac: str) -> str:
    """AA-BB-CC-DD-EE-FF from any common notation; an empty string stays empty."""
    digits = "".join(character for character in mac if character.isalnum()).upper()
    return "-".join(digits[start : start + 2] for start in range(0, len(digits), 2))
