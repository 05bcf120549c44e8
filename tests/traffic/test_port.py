"""Exact frames through the partner's port."""

from __future__ import annotations

import time

import pytest
from virtual_wire import MAC, VirtualWire, eventually

from hil.errors import BenchError
from hil.journal import Journal
from hil.testbed import model
from hil.traffic import LocalPartner
from hil.traffic.frames import ETHERTYPE_EXPERIMENTAL, ethernet

SEND = """
import socket, sys
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
port.bind(("nic0", 0))
for word in sys.argv[1:]:
    port.send(bytes.fromhex(word))
"""


def test_frames_arrive_as_they_were_sent(wire: VirtualWire) -> None:
    """Captured frames are byte for byte what crossed, tags in place, in order, stamped by the kernel.

    Kernels strip the outer tag on the way; a capture without it would pass a driver that never sent one.
    """
    frames = [
        ethernet(wire.partner.mac, MAC, ETHERTYPE_EXPERIMENTAL, bytes([number]) * size, vlan=vlan)
        for number, (size, vlan) in enumerate([(1, None), (46, 0x6064), (1400, None), (1500, 0x0FFF)])
    ]
    started_ns = time.time_ns()
    with wire.partner.capture() as capture:
        wire.inside_machine(SEND, *(frame.hex() for frame in frames))
        seen = eventually(lambda: len(found := [one for one in capture.frames() if one.data in frames]) == 4 and found)
    assert [one.data for one in seen] == frames
    assert capture.lost == 0
    stamps = [one.time_ns for one in seen]
    assert stamps == sorted(stamps)
    assert all(started_ns <= stamp <= time.time_ns() for stamp in stamps)


def test_own_frames_only_if_asked_for(wire: VirtualWire) -> None:
    """What the partner itself sends is captured on request, and marked; else the capture holds arrivals only."""
    frame = ethernet(MAC, wire.partner.mac, ETHERTYPE_EXPERIMENTAL, b"mine")
    for outgoing in (True, False):
        with wire.partner.capture(outgoing=outgoing) as capture:
            assert wire.partner.send([frame] * 3) == 3
        own = [one for one in capture.frames() if one.data == frame]
        assert [one.outgoing for one in own] == ([True] * 3 if outgoing else [])


def test_capture_is_bounded_and_says_so(wire: VirtualWire) -> None:
    """A capture that is full counts what it missed: no verdict on loss from a capture that lost frames itself."""
    frame = ethernet(wire.partner.mac, MAC, ETHERTYPE_EXPERIMENTAL, b"many")
    with wire.partner.capture(ethertype=ETHERTYPE_EXPERIMENTAL, limit=10) as capture:
        wire.inside_machine(SEND, *[frame.hex()] * 25)
        eventually(lambda: len(capture.frames()) + capture.lost >= 25)
    assert (len(capture.frames()), capture.lost) == (10, 15)


def test_send_counts_what_went_out(wire: VirtualWire) -> None:
    """Each frame sent is one on the port's counter; without a link nothing is sent, and that is told."""
    before = wire.partner.counters()
    assert wire.partner.send([ethernet(MAC, wire.partner.mac, ETHERTYPE_EXPERIMENTAL, b"x")] * 500) == 500
    assert (wire.partner.counters() - before).sent_packets >= 500
    wire.do(wire.nic.set_link, False)
    try:
        assert not wire.partner.carrier
        assert wire.partner.send([bytes(60)]) == 0
    finally:
        wire.do(wire.nic.set_link, True)
    assert eventually(lambda: wire.partner.carrier)


def test_facts_of_the_port(wire: VirtualWire) -> None:
    """MAC and MTU are the port's own; an MTU that is set is read back."""
    assert len(bytes.fromhex(wire.partner.mac.replace("-", ""))) == 6
    wire.partner.set_mtu(9000)
    assert wire.partner.mtu == 9000
    wire.partner.set_mtu(1500)
    assert wire.partner.mtu == 1500


@pytest.mark.parametrize(
    ("change", "seen"),
    [({"interface": "eth77"}, "No such device"), ({"netns": "/proc/self/ns/nothing"}, "network namespace")],
)
def test_a_wrong_testbed_is_told(wire: VirtualWire, change: dict[str, str], seen: str) -> None:
    """A wrong interface or namespace is a BenchError that names it, at the first use."""
    described = model.LocalPartner(
        netns=wire.nic.partner_netns, interface=wire.nic.partner_interface, address="198.18.0.2/24"
    )
    partner = LocalPartner(described.model_copy(update=change), Journal())
    with pytest.raises(BenchError, match=seen) as caught:
        partner.counters()
    assert next(iter(change.values())) in str(caught.value)
    partner.close()
