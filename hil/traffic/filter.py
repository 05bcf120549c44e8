"""Which frames a ring keeps: all that tells what became of a link, and none of what merely fills it.

A classic BPF program (Linux, Documentation/networking/filter.rst) that the kernel runs on each frame, so that bulk data
never reaches a process. Dropped are TCP segments that neither open nor end a connection, UDP frames longer than
``UDP_MOST`` and later fragments of IPv4. What is left, ARP, neighbour discovery, ICMP, magic packets, DHCP, link
protocols and frames of other types, is cut after ``SNAP`` bytes, which a magic packet in UDP with a password fits in.
"""

from __future__ import annotations

SNAP = 160
UDP_MOST = 400
Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant: struct sock_filter."""

_LOAD_HALF, _LOAD_BYTE, _LOAD_LENGTH = 0x28, 0x30, 0x80
_LOAD_BYTE_AT_X, _X_IPV4_HEADER = 0x50, 0xB1
_EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x15, 0x25, 0x45, 0x06
_IPV4, _IPV6, _TCP, _UDP = 0x0800, 0x86DD, 6, 17
_FIN_SYN_RST, _FRAGMENT_OFFSET = 0x07, 0x1FFF
_KEEP, _DROP = "keep", "drop"


def program() -> list[Instruction]:
    """For a packet socket of type SOCK_RAW: offsets count from the destination address."""
    return _assembled(
        ("", _LOAD_HALF, 12, "", ""),
        ("", _EQUAL, _IPV4, "ipv4", ""),
        ("", _EQUAL, _IPV6, "", _KEEP),
        ("", _LOAD_BYTE, 20, "", ""),
        ("", _EQUAL, _UDP, "udp", ""),
        ("", _EQUAL, _TCP, "", _KEEP),
        ("", _LOAD_BYTE, 67, "", ""),
        ("", _ANY_BIT, _FIN_SYN_RST, _KEEP, _DROP),
        ("ipv4", _LOAD_HALF, 20, "", ""),
        ("", _ANY_BIT, _FRAGMENT_OFFSET, _DROP, ""),
        ("", _LOAD_BYTE, 23, "", ""),
        ("", _EQUAL, _UDP, "udp", ""),
        ("", _EQUAL, _TCP, "", _KEEP),
        ("", _X_IPV4_HEADER, 14, "", ""),
        ("", _LOAD_BYTE_AT_X, 14 + 13, "", ""),
        ("", _ANY_BIT, _FIN_SYN_RST, _KEEP, _DROP),
        ("udp", _LOAD_LENGTH, 0, "", ""),
        ("", _GREATER, UDP_MOST, _DROP, _KEEP),
        (_KEEP, _RETURN, SNAP, "", ""),
        (_DROP, _RETURN, 0, "", ""),
    )


def _assembled(*lines: tuple[str, int, int, str, str]) -> list[Instruction]:
    """From lines of label, code, constant and where to go if so and if not; no label means the next line."""
    places = {label: number for number, (label, *_) in enumerate(lines) if label}

    def distance(number: int, label: str) -> int:
        return places[label] - number - 1 if label else 0

    return [
        (code, distance(number, so), distance(number, otherwise), constant)
        for number, (_, code, constant, so, otherwise) in enumerate(lines)
    ]
