"""What a sleeping NIC answers for its host: ARP requests, and neighbour solicitations for its IPv6 addresses."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection

_ARP, _IPV6 = b"\x08\x06", b"\x86\xdd"
_ARP_REQUEST = b"\x00\x01\x08\x00\x06\x04\x00\x01"
_ICMP, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
_SOLICITED_AND_OVERRIDE = 0x60000000
_MIN_FRAME_BYTES = 60


def arp_reply(frame: bytes, mac: str, addresses: Collection[str]) -> bytes | None:
    """The answer to a request for one of ``addresses`` (IPv4); None for any other frame. RFC 826."""
    if len(frame) < 42 or frame[12:14] != _ARP or frame[14:22] != _ARP_REQUEST:
        return None
    if str(ipaddress.IPv4Address(frame[38:42])) not in addresses:
        return None
    own, asker = bytes.fromhex(mac.replace("-", "")), frame[22:32]
    answer = asker[:6] + own + _ARP + _ARP_REQUEST[:-1] + b"\x02" + own + frame[38:42] + asker
    return answer.ljust(_MIN_FRAME_BYTES, b"\0")


def advertisement(frame: bytes, mac: str, addresses: Collection[str]) -> bytes | None:
    """The answer to a solicitation for one of ``addresses`` (IPv6); None for any other frame. RFC 4861, 4.3 and 4.4."""
    if len(frame) < 78 or frame[12:14] != _IPV6 or frame[20] != _ICMP or frame[54] != _SOLICITATION:
        return None
    source, target = frame[22:38], frame[62:78]
    if str(ipaddress.IPv6Address(target)) not in addresses or not any(source):
        return None
    own = bytes.fromhex(mac.replace("-", ""))
    body = struct.pack("!I", _SOLICITED_AND_OVERRIDE) + target + b"\x02\x01" + own
    message = bytes([_ADVERTISEMENT, 0]) + bytes(2) + body
    pseudo = target + source + struct.pack("!IxxxB", len(message), _ICMP)
    message = message[:2] + struct.pack("!H", _checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), _ICMP, 255) + target + source
    return frame[6:12] + own + _IPV6 + header + message


def _checksum(data: bytes) -> int:
    """One's complement sum of 16-bit words (RFC 1071); ``data`` has an even length."""
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    return -sum(words) % 0xFFFF
