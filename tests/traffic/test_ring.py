"""The ring of newest frames that a failed test leaves: what it keeps, what it drops, and that others can read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_wire import MAC, VirtualWire

from hil.traffic import KeptFrame, Partner, open_partner
from hil.traffic.filter import SNAP, program
from hil.traffic.frames import ethernet, magic_packet
from hil.traffic.pcapng import write_pcapng

MOST_BYTES = 200_000


@pytest.fixture
def ring(wire: VirtualWire) -> Iterator[Partner]:
    """A partner of its own with a ring, as a run opens it beside the test's."""
    partner = open_partner(wire.partner.settings, wire.journal)
    partner.start_ring(MOST_BYTES)
    yield partner
    partner.close()


def judged(frame: bytes) -> int:
    """How many bytes of a frame the filter keeps, by a reading of classic BPF of our own."""
    accumulator = index = at = 0
    code = program()
    while True:
        kind, if_so, if_not, constant = code[at]
        at += 1
        if kind == 0x06:
            return constant
        if kind in (0x28, 0x30, 0x50):
            start = constant + (index if kind == 0x50 else 0)
            size = 2 if kind == 0x28 else 1
            if start + size > len(frame):
                return 0
            accumulator = int.from_bytes(frame[start : start + size], "big")
        elif kind == 0x80:
            accumulator = len(frame)
        elif kind == 0xB1:
            if constant >= len(frame):
                return 0
            index = 4 * (frame[constant] & 0x0F)
        else:
            held = {0x15: accumulator == constant, 0x25: accumulator > constant, 0x45: bool(accumulator & constant)}
            at += if_so if held[kind] else if_not


@given(st.binary(max_size=2000))
def test_any_frame_is_judged(frame: bytes) -> None:
    """Whatever crosses the wire, the program ends inside itself: a kernel refuses one that would not."""
    assert judged(frame) in (0, SNAP)


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        ("Ether()/ARP()", True),
        ("Ether()/IP()/ICMP()/Raw(bytes(1400))", True),
        ("Ether()/IP()/TCP(flags='S')", True),
        ("Ether()/IP()/TCP(flags='FA')", True),
        ("Ether()/IP(options=IPOption_NOP())/TCP(flags='R')", True),
        ("Ether()/IP()/TCP(flags='A')", False),
        ("Ether()/IP(options=IPOption_NOP())/TCP(flags='PA')/Raw(bytes(1000))", False),
        ("Ether()/IP()/UDP()/Raw(bytes(102))", True),
        ("Ether()/IP()/UDP()/Raw(bytes(1448))", False),
        ("Ether()/IP(frag=100)/UDP()", False),
        ("Ether()/IPv6()/TCP(flags='S')", True),
        ("Ether()/IPv6()/TCP(flags='A')/Raw(bytes(1400))", False),
        ("Ether()/IPv6()/UDP()/Raw(bytes(1400))", False),
        ("Ether()/IPv6()/ICMPv6ND_NS()", True),
    ],
)
def test_bulk_is_dropped(layers: str, kept: bool) -> None:
    """What opens, ends and troubles a link is kept; the data that fills it is not, or a gigabit would cost a core."""
    from scapy.layers import inet, inet6, l2
    from scapy.packet import Raw

    frame = bytes(eval(layers, {**vars(l2), **vars(inet), **vars(inet6), "Raw": Raw}))
    assert (judged(frame) > 0) is kept


def test_keeps_what_crossed_the_port(wire: VirtualWire, ring: Partner, tmp_path: Path) -> None:
    """A magic packet to the machine and its own frames are in the file that scapy reads, long ones cut short.

    Whoever gets the bundle of a lost wake must see whether the packet was on the wire.
    """
    from scapy.utils import rdpcap

    magic, long = magic_packet(MAC), ethernet(MAC, wire.partner.mac, 0x88B5, bytes(1400))
    assert wire.partner.send([magic, long]) == 2
    kept = ring.kept(60)
    ours = [frame for frame in kept.frames if frame.data in (magic, long[:SNAP])]
    assert [(frame.size_bytes, frame.outgoing) for frame in ours] == [(len(magic), True), (1414, True)]
    assert all(0 <= frame.age_s < 60 for frame in ours) and kept.lost == 0
    write_pcapng(tmp_path / "ring.pcapng", ours, wire.partner.interface)
    read = rdpcap(str(tmp_path / "ring.pcapng"))
    assert [(bytes(packet), packet.wirelen) for packet in read] == [(magic, len(magic)), (long[:SNAP], 1414)]
    assert float(read[0].time) == pytest.approx(ours[0].time_ns / 1e9, abs=1e-5)
    assert ring.kept(0).frames == ()


def test_stays_within_its_bound(wire: VirtualWire, ring: Partner) -> None:
    """A flood of frames leaves the newest: hours beside a test must not fill the partner's memory."""
    flood = [ethernet(MAC, wire.partner.mac, 0x88B5, number.to_bytes(4, "big") + bytes(196)) for number in range(3000)]
    for part in range(0, len(flood), 500):
        assert wire.partner.send(flood[part : part + 500]) == 500
        ring.kept(0)
    kept = [frame.data for frame in ring.kept(60).frames if frame.data[12:14] == b"\x88\xb5"]
    assert kept == [frame[:SNAP] for frame in flood[-len(kept) :]]
    assert 900 < len(kept) <= MOST_BYTES // SNAP


def test_tcp_leaves_its_handshake_only(wire: VirtualWire, ring: Partner) -> None:
    """Seconds of load at line rate leave the few segments that open and end connections."""
    result = wire.traffic.tcp(streams=2, seconds=1, direction="send")
    kept = [frame for frame in ring.kept(60).frames if frame.data[12:14] == b"\x08\x00" and frame.data[23] == 6]
    assert result.mbps > 100
    assert 6 <= len(kept) <= 40


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 1 << 62), st.booleans()), max_size=5))
def test_whatever_was_kept_can_be_read(tmp_path_factory: pytest.TempPathFactory, frames: list) -> None:
    """Any bytes of any length come back as they were, so that no file of a bench is refused by a reader."""
    from scapy.utils import RawPcapNgReader

    path = tmp_path_factory.mktemp("pcapng") / "x.pcapng"
    write_pcapng(path, [KeptFrame(data, len(data) + 7, at_ns, out, 0.0) for data, at_ns, out in frames], "eth0")
    with RawPcapNgReader(str(path)) as reader:
        assert [(data, about.wirelen) for data, about in reader] == [(data, len(data) + 7) for data, _, _ in frames]

