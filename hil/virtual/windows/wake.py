"""Which frames a sleeping NIC takes for a call to wake: magic packets, and the patterns that Windows gives it.

Patterns are those of Windows 7 and later for a wired adapter with "wake on pattern match": TCP SYN to each of its own
addresses, and the NetBIOS query for the computer's name. Types are those of MSFT_NetAdapterPowerManagement_WakePattern.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

ETHERTYPE_WAKE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN = 0x0842, 0x0800, 0x86DD, 0x8100
PROTOCOL_TCP, PROTOCOL_UDP = 6, 17
SYNCHRONISATION = b"\xff" * 6
REPETITIONS = 16
BITMAP, MAGIC_PACKET, IPV4_TCP_SYN, IPV6_TCP_SYN = 1, 2, 3, 4
_SYN, _SYN_AND_ACK = 0x02, 0x12
_NETBIOS_NAME_PORT = 137
_HEADER, _IPV4_HEADER, _IPV6_HEADER = 14, 20, 40


def is_magic_packet(frame: bytes, mac: str, password: bytes = b"") -> bool:
    """Six bytes FF and sixteen copies of the MAC (AA-BB-CC-DD-EE-FF), then the SecureOn password if there is one.

    In UDP or under EtherType 0x0842. The frame must be for this adapter, for a group or for all. Source: AMD
    publication 20213, Magic Packet Technology.
    """
    address = bytes.fromhex(mac.replace("-", ""))
    if len(frame) < _HEADER or not (frame[:6] == address or frame[0] & 1):
        return False
    ethertype, payload = int.from_bytes(frame[12:14], "big"), frame[14:]
    if ethertype == ETHERTYPE_VLAN:
        ethertype, payload = int.from_bytes(payload[2:4], "big"), payload[4:]
    is_udp = (ethertype == ETHERTYPE_IPV4 and payload[9:10] == bytes([PROTOCOL_UDP])) or (
        ethertype == ETHERTYPE_IPV6 and payload[6:7] == bytes([PROTOCOL_UDP])
    )
    return (ethertype == ETHERTYPE_WAKE or is_udp) and SYNCHRONISATION + address * REPETITIONS + password in payload


@dataclass(frozen=True)
class Pattern:
    """Bytes that a frame must have where the mask has bits."""

    kind: int
    name: str
    value: bytes
    mask: bytes

    def matches(self, frame: bytes) -> bool:
        return len(frame) >= len(self.mask) and all(
            byte & mask == wanted for byte, mask, wanted in zip(frame, self.mask, self.value, strict=False)
        )


def tcp_syn(address: str) -> Pattern:
    """The first segment of a connection to ``address``, from anybody to any port."""
    target = ipaddress.ip_address(address)
    if target.version == 4:
        fields = {12: b"\x08\x00\x45", 23: bytes([PROTOCOL_TCP]), 30: target.packed}
        flags, kind = _HEADER + _IPV4_HEADER + 13, IPV4_TCP_SYN
    else:
        fields = {12: b"\x86\xdd", 20: bytes([PROTOCOL_TCP]), 38: target.packed}
        flags, kind = _HEADER + _IPV6_HEADER + 13, IPV6_TCP_SYN
    value, mask = _bitmap({**fields, flags: bytes([_SYN])})
    return Pattern(kind, f"TCP SYN to {address}", value, mask[:flags] + bytes([_SYN_AND_ACK]))


def netbios_query(name: str) -> Pattern:
    """A question for the computer's NetBIOS name (RFC 1002, 4.1: each half byte as a letter from A on)."""
    padded = name.upper()[:15].ljust(15).encode("ascii") + b"\x00"
    encoded = b"".join(bytes([0x41 + (byte >> 4), 0x41 + (byte & 15)]) for byte in padded)
    port = _NETBIOS_NAME_PORT.to_bytes(2, "big")
    # destination port; then the name behind twelve bytes of NBNS header, its length first; the suffix may be any
    fields = {12: b"\x08\x00\x45", 23: bytes([PROTOCOL_UDP]), 36: port, 54: b"\x20" + encoded[:30]}
    return Pattern(BITMAP, "NetBIOS name query", *_bitmap(fields))


def patterns_for(addresses: Sequence[str], computer_name: str, most: int) -> tuple[Pattern, ...]:
    """What Windows arms, as far as the adapter has room for it."""
    return (netbios_query(computer_name), *map(tcp_syn, addresses))[:most]


def _bitmap(fields: dict[int, bytes]) -> tuple[bytes, bytes]:
    """Value and mask from bytes by offset."""
    size = max(offset + len(data) for offset, data in fields.items())
    value, mask = bytearray(size), bytearray(size)
    for offset, data in fields.items():
        value[offset : offset + len(data)] = data
        mask[offset : offset + len(data)] = b"\xff" * len(data)
    return bytes(value), bytes(mask)
