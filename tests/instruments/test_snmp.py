"""PDUs and switch ports by SNMP, against an agent that encodes its messages by itself."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError, UsageError
from hil.instruments import Switch, open_instrument
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.instruments.snmp import SnmpAgent, _parse
from hil.testbed.model import Instrument, Secret
from hil.virtual.instruments import snmp_agent as virtual
from hil.virtual.instruments.pdu import Pdu
from hil.virtual.instruments.server import Mishap
from hil.wait import pause, wait_until

FAMILIES = {
    "rPDU": ("apc-pdu", "outlet", virtual.APC_RPDU),
    "rPDU2": ("apc-pdu", "outlet", virtual.APC_RPDU2),
    "PX2": ("raritan-px", "outlet", virtual.RARITAN_PX2),
    "port": ("switch-port", "cable", virtual.SWITCH_PORT),
}


@pytest.fixture
def agent(lab):
    """``agent(tree)``: a running agent."""
    started = []

    def start(tree, **options):
        server = virtual.SnmpServer(Pdu({1: lab.ends.set_mains}, move_s=0.05, **options), tree, "s3cret")
        lab.run(server.start())
        started.append(server)
        return server

    yield start
    for server in started:
        lab.run(server.close())


@pytest.fixture
def entry(tmp_path):
    """``entry(server, family)``: its testbed entry, with the community in a file."""
    community = tmp_path / "community"
    community.write_text("s3cret\n")

    def make(server, family="apc-pdu", role="outlet", **changes):
        spec = Instrument(
            role=role, family=family, resource=server.resource, secret=Secret(file=community), timeout_s=0.6
        )
        return spec.model_copy(update=changes)

    return make


@pytest.mark.parametrize(("family", "role", "tree"), FAMILIES.values(), ids=FAMILIES)
def test_each_tree(lab, agent, entry, journal, family, role, tree):
    """On and off mean what they say in every tree, and the relay's slow move is waited for."""
    outlet = open_instrument("mains", entry(agent(tree), family, role), journal)
    off, on = (outlet.off, outlet.on) if role == "outlet" else (outlet.disconnect, outlet.connect)
    assert outlet.state() is Switch.ON
    off()
    assert outlet.state() is Switch.OFF
    on()
    assert lab.ends.done == [("mains", False), ("mains", True)]


def test_unknown_tree_is_refused(agent, entry, journal):
    """An agent whose numbers are not known is refused: another APC tree means the opposite by the same number."""
    cpdu = replace(virtual.APC_RPDU, object_id="1.3.6.1.4.1.318.1.3.4.50")
    with pytest.raises(WrongInstrument, match=r"318\.1\.3\.4\.50"):
        open_instrument("mains", entry(agent(cpdu)), journal)


def test_serial_number_from_the_description(agent, entry, journal):
    """Two PDUs of one kind are told apart by the serial number that the card describes itself with."""
    server = agent(virtual.APC_RPDU2)
    right = open_instrument("mains", entry(server, serial="3F0000A00001"), journal)
    assert str(right.identity) == "APC, AP8932, serial 3F0000A00001"
    with pytest.raises(WrongInstrument, match="3F0000A00002"):
        open_instrument("mains", entry(server, serial="3F0000A00002"), journal)


def test_lost_datagrams(lab, agent, entry, journal):
    """One lost datagram in each direction of time does not fail a set."""
    server = agent(virtual.APC_RPDU2)
    outlet = open_instrument("mains", entry(server), journal)
    server.habits.mishaps.append(Mishap.LOST)
    outlet.off()
    assert lab.ends.done == [("mains", False)]


def test_wrong_community_is_silence(agent, entry, journal, tmp_path, records):
    """The message says that silence may mean a wrong community, and the community is not on the journal."""
    wrong = tmp_path / "wrong"
    wrong.write_text("publ1c")
    started = time.monotonic()
    with pytest.raises(InstrumentLost, match="community"):
        open_instrument("mains", entry(agent(virtual.APC_RPDU2), secret=Secret(file=wrong)), journal)
    assert time.monotonic() - started < 5
    assert not any("publ1c" in str(record) for record in records)


def test_no_community(agent, entry, journal):
    """A testbed without the community is the person's to mend."""
    with pytest.raises(UsageError, match="secret"):
        open_instrument("mains", entry(agent(virtual.APC_RPDU2), secret=None), journal)


def test_late_answer(agent, entry, journal):
    """An answer that comes after its deadline is not taken for the next question's."""
    server = agent(virtual.APC_RPDU2)
    outlet = open_instrument("mains", entry(server), journal)
    server.habits.late_s = 0.7
    with pytest.raises(BenchError):
        outlet._contact.read()
    server.habits.late_s = 0.0
    pause(0.2, why="the late answer to arrive")
    outlet.off()
    assert outlet.state() is Switch.OFF


def test_outlet_that_does_not_exist(agent, entry, journal):
    """A channel beyond the PDU's is an error of its own."""
    with pytest.raises(InstrumentRefused, match="noSuchName"):
        open_instrument("mains", entry(agent(virtual.APC_RPDU2), channel="99"), journal)


@pytest.mark.parametrize("tree", [virtual.APC_RPDU, virtual.APC_RPDU2], ids=["rPDU", "rPDU2"])
def test_command_that_waits_in_the_unit(lab, agent, entry, journal, tree):
    """A delayed off that an earlier user left behind is cancelled at open: it would cut the mains in our run."""
    server = agent(tree, later_s=0.2)
    earlier = SnmpAgent("earlier", server.resource, "s3cret", journal, 1.0)
    earlier.set(f"{tree.control}.1", tree.later_off)
    earlier.set(f"{tree.control}.2", tree.later_off)
    outlet = open_instrument("mains", entry(server), journal)
    outlet.on()
    wait_until(lambda: not server.pdu.relays[2].contact, what="the other outlet's command", timeout_s=2)
    assert outlet.state() is Switch.ON
    assert lab.ends.done == []


def test_slow_unit(lab, agent, entry, journal):
    """A unit set to wait before it switches is waited for: acknowledged is not done."""
    outlet = open_instrument("mains", entry(agent(virtual.RARITAN_PX2, delay_s=0.3), family="raritan-px"), journal)
    started = time.monotonic()
    outlet.off()
    assert time.monotonic() - started >= 0.3
    assert lab.ends.done == [("mains", False)]


def test_state_that_is_neither(agent, entry, journal):
    """outletUnknown is not off: a set to off is made, and reports that it cannot be confirmed."""
    server = agent(virtual.APC_RPDU2, unknown=True)
    outlet = open_instrument("mains", entry(server), journal)
    assert outlet.state() is Switch.UNKNOWN
    outlet._timing = replace(outlet._timing, confirm_s=0.2)
    with pytest.raises(BenchError, match="reads back unknown"):
        outlet.off()


def test_set_that_is_ignored(agent, entry, journal):
    """A PDU that acknowledges and does nothing is found by the read-back."""
    outlet = open_instrument("mains", entry(agent(virtual.APC_RPDU, ignores_sets=True)), journal)
    outlet._timing = replace(outlet._timing, confirm_s=0.2)
    with pytest.raises(BenchError, match="reads back on"):
        outlet.off()


@given(st.binary(max_size=120))
def test_any_datagram_is_read_or_refused(datagram):
    """Whatever arrives on the socket is a response or a ValueError."""
    try:
        _parse(datagram)
    except ValueError:
        return
