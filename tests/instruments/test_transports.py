"""The guarded session over SOCKET, HiSLIP and VXI-11: the same promises on each, against the virtual instruments."""

from __future__ import annotations

import threading

import pytest
import pyvisa
from misbehaving_peer import spent

from hil.instruments.session import InstrumentLost, InstrumentRefused
from hil.virtual.faults import Fault
from hil.virtual.instruments.hislip_server import HislipServer
from hil.virtual.instruments.relay import RelayUnit, Wiring
from hil.virtual.instruments.server import Mishap, SocketServer
from hil.virtual.instruments.vxi11_server import Vxi11Server
from hil.wait import pause

HELD_S = 4.0
"""What a busy computer may add to a deadline; whoever is held is held for ever."""
ASK, SET = "ROUT:CLOS? (@1)", "ROUT:OPEN (@1)"


@pytest.fixture(params=[SocketServer, HislipServer, Vxi11Server], ids=["socket", "hislip", "vxi11"])
def server(request, lab):
    wiring = Wiring("slot", 1, lab.ends.set_slot, on=True, move_s=0.001)
    unit = RelayUnit("HIL Lab", "Relays", "R-1", wirings=(wiring,), numbers=range(1, 5), faults=Fault())
    server = request.param(unit)
    lab.serve(server)
    return server


@pytest.fixture
def unit(server, session):
    unit = session(server.resource, timeout_s=0.6, serial="R-1")
    assert unit.identity.model == "Relays"
    return unit


@pytest.fixture
def mishap(lab, server):
    return lambda *kinds: lab.call(lambda: server.habits.mishaps.extend(kinds))


def test_query_and_command(unit, lab):
    """Questions and sets reach the instrument and its wire."""
    assert unit.query(ASK) == "1"
    unit.command(SET)
    assert unit.query("*OPC?;:" + ASK) == "1;0"
    assert lab.ends.done == [("slot", False)]


def test_refusal_is_told(unit):
    """The error queue is read after each set, on every transport."""
    with pytest.raises(InstrumentRefused, match="-222"):
        unit.command("ROUT:OPEN (@99)")


def test_long_answer(unit, server):
    """An answer of many kilobytes arrives whole."""
    answer = unit.query(";".join(["*IDN?"] * 2000))
    assert answer.count("HIL Lab") == 2000


@pytest.mark.parametrize("kind", [Mishap.FIN, Mishap.RST], ids=lambda kind: kind.value)
def test_connection_ends_while_waiting(unit, mishap, kind):
    """The end of the connection is noticed at once, and costs no processor time."""
    mishap(kind)
    with spent() as cost, pytest.raises(InstrumentLost):
        unit.query(ASK)
    assert cost.wall_s < HELD_S
    assert cost.cpu_s < 0.1
    assert unit.query(ASK) == "1"


@pytest.mark.parametrize("kind", [Mishap.SILENT, Mishap.HALF], ids=lambda kind: kind.value)
def test_answer_that_does_not_come_whole(unit, mishap, kind):
    """A silent instrument and half an answer end at the deadline, idle; the next answer is the right one."""
    mishap(kind)
    with spent() as cost, pytest.raises(InstrumentLost):
        unit.query(ASK, timeout_s=0.25)
    assert 0.2 < cost.wall_s < HELD_S
    assert cost.cpu_s < 0.1
    assert unit.query("*IDN?").startswith("HIL Lab")


def test_late_answer(unit, lab, server):
    """An answer that comes after the deadline is never taken for the next."""
    lab.call(lambda: setattr(server.habits, "late_s", 0.8))
    with pytest.raises(InstrumentLost):
        unit.query(ASK)
    lab.call(lambda: setattr(server.habits, "late_s", 0.0))
    pause(0.3, why="the late answer to arrive")
    assert [unit.query("*IDN?")[:3], unit.query(ASK)] == ["HIL", "1"]


@pytest.mark.parametrize("reset", [False, True])
def test_connection_that_ended_in_between(unit, lab, server, reset):
    """A set after an idle drop goes out once, on a fresh connection."""
    lab.run(server.drop_clients(reset=reset))
    pause(0.05, why="the end of the connection to arrive")
    unit.command(SET)
    assert unit.query("*OPC?") == "1"
    assert lab.ends.done == [("slot", False)]
    assert unit.opens == 2


def test_frozen_instrument(unit, lab, server):
    """A frozen instrument costs one timeout for the question and one for the attempt to open again."""
    lab.call(server.habits.thawed.clear)
    for _ in range(2):
        with spent() as cost, pytest.raises(InstrumentLost):
            unit.query(ASK)
        assert cost.wall_s < HELD_S
        assert cost.cpu_s < 0.1
    lab.call(server.habits.thawed.set)
    assert unit.query(ASK) == "1"


def test_instrument_that_is_gone(unit, lab, server):
    """An instrument that is switched off is an error that names its address, at once."""
    lab.run(server.close())
    pause(0.05, why="the port to close")
    with spent() as cost, pytest.raises(InstrumentLost, match=r"127\.0\.0\.1"):
        unit.query(ASK)
    assert cost.wall_s < HELD_S


def test_garbage(unit, mishap):
    """Bytes that belong to no protocol end in the same error family."""
    mishap(Mishap.GARBAGE)
    with pytest.raises(InstrumentLost):
        unit.query(ASK)
    assert unit.query(ASK) == "1"


def test_one_client_only(lab, server, unit, session):
    """An instrument that takes one client refuses the second, who is told to look for the first."""
    lab.call(lambda: setattr(server.habits, "one_client", True))
    with pytest.raises(InstrumentLost, match="another client"):
        _ = session(server.resource).query(ASK)
    assert unit.query(ASK) == "1"


def test_threads(unit):
    """Four threads, each with its own questions."""
    wrong = []

    def ask(number):
        for _ in range(30):
            answer = unit.query(f"DIAG:REL:CYCL? (@1);*ESE {number};*ESE?")
            if answer != f"0;{number}":
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bare_pyvisa(server):
    """A plain pyvisa client talks to the server on each transport."""
    manager = pyvisa.ResourceManager("@py")
    visa = manager.open_resource(server.resource, read_termination="\n", write_termination="\n", timeout=2000)
    assert visa.query("*IDN?").startswith("HIL Lab,Relays")
    visa.write(SET)
    assert visa.query("*OPC?") == "1"
    visa.close()
    manager.close()
