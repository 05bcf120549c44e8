"""Frames built by hand, compared with what an independent library makes and reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_wire import checksum_errors

from hil.traffic.frames import ethernet, mac_bytes, magic_packet

MACS = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex("-").upper())


@given(MACS, st.sampled_from([None, "01-02-03-04-05-06", "192.168.0.1", b"\x01\x02\x03\x04"]))
def test_magic_packet_holds_the_pattern(mac: str, secureon: str | bytes | None) -> None:
    """Six bytes FF, sixteen times the MAC, then the password: what the NIC's comparator looks for.

    One repetition too few, and a fleet stays asleep at night.
    """
    raw = magic_packet(mac, secureon)
    assert raw[:6] == b"\xff" * 6
    assert raw[12:14] == b"\x08\x42"
    assert raw[14:116] == b"\xff" * 6 + mac_bytes(mac) * 16
    password = {None: b"", "01-02-03-04-05-06": bytes(range(1, 7)), "192.168.0.1": bytes([192, 168, 0, 1])}
    assert raw[116:] == (secureon if isinstance(secureon, bytes) else password[secureon])


def test_magic_packet_in_udp_is_a_good_datagram() -> None:
    """As UDP to port 9 it dissects as such, with right lengths and checksum, so that routers carry it."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    mac = "02-1D-0F-00-00-01"
    raw = magic_packet(mac, udp=True)
    seen = Ether(raw)
    assert (seen.dst, seen[IP].dst, seen[UDP].dport) == ("ff:ff:ff:ff:ff:ff", "255.255.255.255", 9)
    assert bytes(seen[UDP].payload) == b"\xff" * 6 + mac_bytes(mac) * 16
    assert seen[IP].len == len(raw) - 14
    assert [wrong for wrong in checksum_errors(raw) if wrong != "UDP"] == []
    assert seen[UDP].chksum == 0  # none, as IPv4 allows


def test_wrong_patterns_can_be_made() -> None:
    """Fifteen repetitions are fifteen: suites need frames that must not wake."""
    mac = "02-1D-0F-00-00-01"
    assert mac_bytes(mac) * 16 not in magic_packet(mac, repetitions=15)
    assert mac_bytes(mac) * 15 in magic_packet(mac, repetitions=15)


@given(MACS, MACS, st.integers(0, 0xFFFF), st.binary(max_size=1500), st.one_of(st.none(), st.integers(0, 0xFFFF)))
def test_ethernet_layout(target: str, source: str, ethertype: int, payload: bytes, vlan: int | None) -> None:
    """Addresses, tag, type and payload stand where IEEE 802.3 and 802.1Q have them; never shorter than 60 bytes."""
    frame = ethernet(target, source, ethertype, payload, vlan=vlan)
    at = 12 if vlan is None else 16
    assert frame[:12] == mac_bytes(target) + mac_bytes(source)
    assert vlan is None or frame[12:16] == b"\x81\x00" + vlan.to_bytes(2, "big")
    assert int.from_bytes(frame[at : at + 2], "big") == ethertype
    assert frame[at + 2 :].ljust(60, b"\0").startswith(payload)
    assert len(frame) == max(60, at + 2 + len(payload))


@pytest.mark.parametrize("mac", ["", "02-1D-0F-00-00", "02-1D-0F-00-00-01-02", "zz-1D-0F-00-00-01"])
def test_no_mac_is_refused(mac: str) -> None:
    """A mistyped MAC is an error where it is typed, not a frame to nobody."""
    with pytest.raises(ValueError):
        magic_packet(mac)


@pytest.mark.parametrize("secureon", [b"12345", "1.2.3", "AA-BB"])
def test_no_password_is_refused(secureon: str | bytes) -> None:
    """SecureOn passwords have four or six bytes; others would never match."""
    with pytest.raises(ValueError):
        magic_packet("02-1D-0F-00-00-01", secureon)
