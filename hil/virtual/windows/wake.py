"""Which frames a sleeping NIC takes for a call to wake: magic packets."""

from __future__ import annotations

ETHERTYPE_WAKE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN = 0x0842, 0x0800, 0x86DD, 0x8100
PROTOCOL_UDP = 17
SYNCHRONISATION = b"\xff" * 6
REPETITIONS = 16


def is_magic_packet(frame: bytes, mac: str) -> bool:
    """Six bytes FF and sixteen copies of the MAC (AA-BB-CC-DD-EE-FF), in UDP or under EtherType 0x0842.

    The frame must be for this adapter, for a group or for all. Source: AMD publication 20213, Magic Packet Technology.
    """
    address = bytes.fromhex(mac.replace("-", ""))
    if len(frame) < 14 or not (frame[:6] == address or frame[0] & 1):
        return False
    ethertype, payload = int.from_bytes(frame[12:14], "big"), frame[14:]
    if ethertype == ETHERTYPE_VLAN:
        ethertype, payload = int.from_bytes(payload[2:4], "big"), payload[4:]
    is_udp = (ethertype == ETHERTYPE_IPV4 and payload[9:10] == bytes([PROTOCOL_UDP])) or (
        ethertype == ETHERTYPE_IPV6 and payload[6:7] == bytes([PROTOCOL_UDP])
    )
    return (ethertype == ETHERTYPE_WAKE or is_udp) and SYNCHRONISATION + address * REPETITIONS in payload
