"""Frames as bytes, without FCS: what a packet socket takes and gives. For anything richer, build with scapy layers."""

from __future__ import annotations

import struct

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_WAKE_ON_LAN = 0x0842
ETHERTYPE_EXPERIMENTAL = 0x88B5
"""IEEE 802 local experimental ethertype 1: no stack answers it."""
BROADCAST = "FF-FF-FF-FF-FF-FF"
MIN_FRAME_BYTES = 60
_ANY_SOURCE = "02-00-00-00-00-01"
_DISCARD_PORT = 9


def mac_bytes(mac: str) -> bytes:
    """AA-BB-CC-DD-EE-FF or AA:BB:CC:DD:EE:FF. Raises ValueError for anything else."""
    raw = bytes.fromhex(mac.replace("-", "").replace(":", ""))
    if len(raw) != 6:
        raise ValueError(f"a MAC address has six bytes: {mac!r}")
    return raw


def ethernet(target: str, source: str, ethertype: int, payload: bytes, *, vlan: int | None = None) -> bytes:
    """A frame, padded to the least that a wire carries; ``vlan`` is a tag control word (priority, DEI, identifier)."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    frame = mac_bytes(target) + mac_bytes(source) + tag + struct.pack("!H", ethertype) + payload
    return frame.ljust(MIN_FRAME_BYTES, b"\0")


def magic_packet(
    mac: str,
    secureon: str | bytes | None = None,
    *,
    repetitions: int = 16,
    udp: bool = False,
    target: str = BROADCAST,
    source: str = _ANY_SOURCE,
) -> bytes:
    """The frame that wakes the NIC with this MAC: six bytes FF, then the MAC sixteen times, then the SecureOn password.

    AMD, Magic Packet Technology (1995), section 2. ``secureon`` is 4 or 6 bytes, or written as a MAC or IPv4 address.
    In a raw frame of ethertype 0x0842, or in a UDP datagram to port 9. Fewer ``repetitions`` must not wake anything.
    """
    pattern = b"\xff" * 6 + mac_bytes(mac) * repetitions + _password(secureon)
    if not udp:
        return ethernet(target, source, ETHERTYPE_WAKE_ON_LAN, pattern)
    datagram = struct.pack("!HHHH", _DISCARD_PORT, _DISCARD_PORT, 8 + len(pattern), 0) + pattern
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    checksum = -int.from_bytes(header, "big") % 65535
    header = header[:10] + checksum.to_bytes(2, "big") + header[12:]
    return ethernet(target, source, ETHERTYPE_IPV4, header + datagram)


def _password(secureon: str | bytes | None) -> bytes:
    if secureon is None:
        return b""
    if isinstance(secureon, str):
        secureon = bytes(map(int, secureon.split("."))) if "." in secureon else mac_bytes(secureon)
    if len(secureon) not in (4, 6):
        raise ValueError(f"a SecureOn password has four or six bytes, not {len(secureon)}")
    return secureon
