"""Packets that a sleeping NIC must know, on a wire between two real kernels."""

from __future__ import annotations

from virtual_wire import MAC, MACHINE, VirtualWire, checksum_errors

from hil.traffic.packets import netbios_query, ping, resolve, tcp


def test_who_answers(wire: VirtualWire) -> None:
    """A real stack's answers to ARP and neighbour solicitation are found, and silence for an address of nobody.

    The same question goes to sleeping NICs, where nobody else can check the answer.
    """
    assert resolve(wire.partner, MACHINE) == MAC
    assert resolve(wire.partner, "fd00::1") == MAC
    assert resolve(wire.partner, "198.18.0.99", timeout_s=0.2) is None
    assert resolve(wire.partner, "fd00::99", timeout_s=0.2) is None


def test_real_stack_takes_them(wire: VirtualWire) -> None:
    """The partner's packets are right to the last checksum: a real stack refuses the SYN and answers the ping.

    A NIC that checks checksums before it matches would sleep through anything else.
    """
    frames = [tcp(MAC, MACHINE, wire.partner, port=9), ping(MAC, MACHINE, wire.partner)]
    with wire.partner.capture(ethertype=0x0800) as capture:
        assert wire.partner.send(frames) == 2
        wire.inside_machine("import time; time.sleep(0.2)")
    answers = [frame.data for frame in capture.frames()]
    assert any(frame[23] == 6 and frame[47] & 0x04 for frame in answers), "no RST"
    assert any(frame[23] == 1 and frame[34] == 0 for frame in answers), "no echo reply"


def test_name_query(wire: VirtualWire) -> None:
    """The query goes to all, to the NetBIOS name port of the partner's network, with a right checksum."""
    frame = netbios_query("HIL-VM", wire.partner)
    assert frame[:6] == b"\xff" * 6
    assert frame[30:34] == bytes([198, 18, 0, 255])
    assert frame[36:38] == (137).to_bytes(2, "big")
    assert checksum_errors(frame) == []


def test_sleeping_nic(wire: VirtualWire) -> None:
    """The NIC answers while its host sleeps, and listens on without a host, as on standby power."""
    reply = tcp(wire.partner.mac, "198.18.0.2", wire.partner)
    wire.do(wire.nic.suspend, True)
    with wire.partner.capture() as capture:
        wire.do(wire.nic.answer, reply)
        wire.inside_machine("import time; time.sleep(0.1)")
    assert reply in [frame.data for frame in capture.frames()]
    wire.do(wire.nic.unplug)
    assert not wire.partner.carrier
    wire.do(wire.nic.suspend, True)
    wire.woken.clear()
    assert wire.partner.send([ping(MAC, MACHINE, wire.partner)]) == 1
    wire.inside_machine("import time; time.sleep(0.1)")
    assert wire.woken
    wire.plug()
    assert resolve(wire.partner, MACHINE) == MAC
