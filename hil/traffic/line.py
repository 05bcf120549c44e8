"""What a line of a given rate can carry: sums, no measurement. Rates are layer 1 unless the name says otherwise."""

from __future__ import annotations

_ETHERNET, _FCS, _PREAMBLE_AND_GAP, _VLAN = 14, 4, 20, 4
_IPV4, _IPV6, _UDP, _TCP, _TIMESTAMPS = 20, 40, 8, 20, 12


def frames_per_second(mbps: float, frame_bytes: int) -> float:
    """Frames a second at line rate; ``frame_bytes`` counts the FCS, as RFC 2544 does (64 ... 1518)."""
    return mbps * 1e6 / (8 * (frame_bytes + _PREAMBLE_AND_GAP))


def tcp_ceiling(mtu: int = 1500, *, timestamps: bool = True, vlan: bool = False, ipv6: bool = False) -> float:
    """Share of the line rate that is left to TCP payload when every segment is full.

    0.9415 for IPv4 at MTU 1500 with TCP timestamps (RFC 7323): 1448 of 1538 bytes.
    """
    headers = (_IPV6 if ipv6 else _IPV4) + _TCP + (_TIMESTAMPS if timestamps else 0)
    return (mtu - headers) / _on_wire(mtu, vlan)


def udp_ceiling(mtu: int = 1500, *, vlan: bool = False, ipv6: bool = False) -> float:
    """Share of the line rate that is left to UDP payload in full datagrams: 1472 of 1538 bytes for IPv4 at 1500."""
    return (mtu - (_IPV6 if ipv6 else _IPV4) - _UDP) / _on_wire(mtu, vlan)


def _on_wire(mtu: int, vlan: bool) -> int:
    return mtu + _ETHERNET + (_VLAN if vlan else 0) + _FCS + _PREAMBLE_AND_GAP
