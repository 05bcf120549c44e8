"""Which frames wake a sleeping machine, and what a sleeping NIC answers for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.netbios import NBNSHeader, NBNSQueryRequest
from scapy.packet import Packet

from hil.virtual.windows.presence import advertisement, arp_reply
from hil.virtual.windows.wake import Pattern, is_magic_packet, netbios_query, patterns_for, tcp_syn

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


PASSWORD = bytes.fromhex("a1b2c3d4e5f6")
ADDRESS, LINK_LOCAL = "198.18.0.1", "fe80::1d:fff:fe00:1"
TO_NIC = Ether(dst="02:1d:0f:00:00:01", src="02:42:ac:11:00:02")
FROM_PARTNER, FROM_NEIGHBOUR = IP(src="198.18.0.2", dst=ADDRESS), IPv6(src="fe80::2", dst=LINK_LOCAL)


def test_secureon():
    """With a password set, the packet must carry it right behind the copies of the MAC.

    A filter that only looks for the copies gives no protection at all.
    """
    with_password = ethernet(magic() + PASSWORD)
    assert is_magic_packet(with_password, NAME, PASSWORD)
    assert not is_magic_packet(ethernet(magic()), NAME, PASSWORD)
    assert not is_magic_packet(ethernet(magic() + PASSWORD[::-1]), NAME, PASSWORD)
    assert is_magic_packet(with_password, NAME)


def query(name: str) -> Packet:
    asked = NBNSHeader() / NBNSQueryRequest(QUESTION_NAME=name)
    return Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src="198.18.0.2", dst="198.18.0.255") / UDP(sport=137, dport=137) / asked


@pytest.mark.parametrize(
    ("pattern", "frame", "near_misses"),
    [
        (
            tcp_syn(ADDRESS),
            TO_NIC / FROM_PARTNER / TCP(dport=445, flags="S"),
            [
                TO_NIC / IP(src="198.18.0.2", dst="198.18.0.0") / TCP(dport=445, flags="S"),
                TO_NIC / FROM_PARTNER / TCP(dport=445, flags="SA"),
                TO_NIC / FROM_PARTNER / UDP(dport=445),
                TO_NIC / FROM_PARTNER / ICMP(),
            ],
        ),
        (
            tcp_syn(LINK_LOCAL),
            TO_NIC / FROM_NEIGHBOUR / TCP(dport=3389, flags="SEC"),
            [
                TO_NIC / IPv6(src="fe80::2", dst="fe80::1d:fff:fe00:2") / TCP(flags="S"),
                TO_NIC / FROM_NEIGHBOUR / TCP(flags="A"),
            ],
        ),
        (netbios_query("HIL-VM"), query("HIL-VM"), [query("HIL-VN"), query("HIL-V"), query("HIL-VM2")]),
    ],
    ids=["IPv4", "IPv6", "NetBIOS"],
)
def test_patterns(pattern: Pattern, frame: Packet, near_misses: list[Packet]):
    """Each pattern takes the packet that another implementation builds, and nothing that is almost it.

    The frames are scapy's: the model's bytes alone would prove the model by itself.
    """
    assert pattern.matches(bytes(frame))
    assert not any(pattern.matches(bytes(miss)) for miss in near_misses)


@given(st.integers(0, 10_000))
def test_every_masked_bit_counts(number):
    """A frame that differs in one bit under the mask is no match, in one outside of it, it still is.

    Wake suites flip single bits and rely on this.
    """
    pattern = tcp_syn(ADDRESS)
    frame = bytearray(bytes(TO_NIC / FROM_PARTNER / TCP(dport=445, flags="S")))
    bit = number % (8 * len(pattern.mask))
    frame[bit // 8] ^= 1 << bit % 8
    assert pattern.matches(bytes(frame)) is not bool(pattern.mask[bit // 8] & 1 << bit % 8)


def test_patterns_end_with_the_table():
    """More addresses than places: the first ones are armed, the rest is left out.

    The suite finds the end of the table by giving the adapter addresses.
    """
    addresses = [f"198.18.0.{number}" for number in range(1, 20)]
    armed = patterns_for(addresses, "HIL-VM", 12)
    assert len(armed) == 12
    assert [pattern.name for pattern in armed[:2]] == ["NetBIOS name query", "TCP SYN to 198.18.0.1"]


def test_arp_is_answered():
    """A request for the NIC's address is answered with its MAC to who asked; one for another address is not.

    The switch and the router keep the way to a sleeping machine by this.
    """
    asked = bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc="02:42:ac:11:00:02", psrc="198.18.0.2", pdst=ADDRESS))
    reply = arp_reply(asked, NAME, [ADDRESS])
    assert reply is not None
    told = Ether(reply)[ARP]
    assert (told.op, told.hwsrc, told.psrc) == (2, "02:1d:0f:00:00:01", ADDRESS)
    assert (told.hwdst, told.pdst) == ("02:42:ac:11:00:02", "198.18.0.2")
    assert len(reply) >= 60
    assert arp_reply(asked, NAME, ["198.18.0.9"]) is None
    assert arp_reply(reply, NAME, [ADDRESS]) is None


def test_solicitation_is_answered():
    """A solicitation for the NIC's address gets an advertisement with its MAC and a right checksum.

    scapy computes the checksum of the same packet anew.
    """
    header = Ether(dst="33:33:ff:00:00:01") / IPv6(src="fe80::2", dst="ff02::1:ff00:1", hlim=255)
    asked = header / ICMPv6ND_NS(tgt=LINK_LOCAL) / ICMPv6NDOptSrcLLAddr(lladdr="02:42:ac:11:00:02")
    reply = advertisement(bytes(asked), NAME, [LINK_LOCAL])
    assert reply is not None
    told = Ether(reply)
    assert (told[IPv6].src, told[IPv6].dst, told[IPv6].hlim) == (LINK_LOCAL, "fe80::2", 255)
    assert (told[ICMPv6ND_NA].tgt, told[ICMPv6ND_NA].S, told[ICMPv6ND_NA].O) == (LINK_LOCAL, 1, 1)
    assert told[ICMPv6NDOptDstLLAddr].lladdr == "02:1d:0f:00:00:01"
    sent = told[ICMPv6ND_NA].cksum
    del told[ICMPv6ND_NA].cksum
    assert Ether(bytes(told))[ICMPv6ND_NA].cksum == sent
    assert advertisement(bytes(asked), NAME, ["fe80::9"]) is None


@given(st.binary(max_size=120))
def test_noise_is_not_answered(frame):
    """Random bytes get no answer and break neither reader.

    A sleeping NIC that answers wrongly takes addresses from others.
    """
    assert arp_reply(frame, NAME, [ADDRESS]) is None
    assert advertisement(frame, NAME, [LINK_LOCAL]) is None
