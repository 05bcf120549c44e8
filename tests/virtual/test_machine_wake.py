"""Which frames wake a sleeping machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.virtual.windows.wake import is_magic_packet

MAC, OTHER = bytes.fromhex("021d0f000001"), bytes.fromhex("0242ac110002")
NAME = "02-1D-0F-00-00-01"
BROADCAST = b"\xff" * 6


def ethernet(payload: bytes, *, destination: bytes = BROADCAST, ethertype: int = 0x0842) -> bytes:
    return destination + OTHER + ethertype.to_bytes(2, "big") + payload


def magic(address: bytes = MAC, repetitions: int = 16) -> bytes:
    return BROADCAST + address * repetitions


def udp_v4(payload: bytes, protocol: int = 17) -> bytes:
    ip = bytes([0x45, 0, *(28 + len(payload)).to_bytes(2, "big"), 0, 0, 0, 0, 64, protocol, 0, 0, *bytes(8)])
    return ip + bytes([0, 9, 0, 9, *(8 + len(payload)).to_bytes(2, "big"), 0, 0]) + payload


def udp_v6(payload: bytes) -> bytes:
    return bytes([0x60, 0, 0, 0, *(8 + len(payload)).to_bytes(2, "big"), 17, 64, *bytes(32)]) + bytes(8) + payload


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(magic()),
        ethernet(magic(), destination=MAC),
        ethernet(b"\0" * 30 + magic() + b"\0" * 20),
        ethernet(udp_v4(magic()), ethertype=0x0800),
        ethernet(udp_v6(magic()), ethertype=0x86DD),
        ethernet(b"\0\x05\x08\x42" + magic(), ethertype=0x8100),
        ethernet(magic() + b"password"[:6]),
    ],
    ids=["0x0842", "unicast", "offset", "UDP over IPv4", "UDP over IPv6", "VLAN", "with password"],
)
def test_magic_packets_wake(frame):
    """Six FF and sixteen copies of the MAC wake, wherever they stand and however they are carried.

    Tools send them in UDP, by broadcast or straight to the NIC.
    """
    assert is_magic_packet(frame, NAME)


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(magic(OTHER)),
        ethernet(magic(repetitions=15)),
        ethernet(magic()[1:]),
        ethernet(magic(), destination=OTHER),
        ethernet(udp_v4(magic(), protocol=6), ethertype=0x0800),
        ethernet(magic(), ethertype=0x88B5),
        b"",
        BROADCAST,
    ],
    ids=["other MAC", "15 copies", "5 FF", "for another", "TCP", "other EtherType", "empty", "short"],
)
def test_other_frames_do_not(frame):
    """Another's magic packet, one copy too few, or the right bytes in a frame that is none do not wake.

    A machine that wakes by its neighbours' traffic drains its battery.
    """
    assert not is_magic_packet(frame, NAME)


@given(st.binary(max_size=200))
def test_noise_does_not_wake(frame):
    """No short random frame wakes, and none breaks the reader.

    The sleeping NIC sees all that is on the wire.
    """
    assert not is_magic_packet(frame, NAME)


@given(st.binary(min_size=6, max_size=6), st.binary(max_size=64), st.binary(max_size=64))
def test_any_address_wakes_its_own_machine(address, before, after):
    """The rule holds for every MAC and any bytes around the pattern.

    Patterns inside the address (FF, repeated bytes) must not confuse the search.
    """
    name = "-".join(f"{byte:02X}" for byte in address)
    assert is_magic_packet(ethernet(before + magic(address) + after), name)
