"""The control port: each fault switched on over its socket, and seen by a client of the instrument."""

from __future__ import annotations

import json
import socket

import pytest

from hil.errors import BenchError
from hil.instruments import Switch, open_instrument
from hil.instruments.session import InstrumentLost, WrongInstrument
from hil.journal import Journal
from hil.wait import pause


@pytest.fixture
def do(lab):
    """``do("slot", "freeze")``: one order, answered."""
    host, port = lab.instruments.control.resource.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as control, control.makefile("rw") as lines:

        def order(instrument, verb, **more):
            lines.write(json.dumps({"instrument": instrument, "do": verb, **more}) + "\n")
            lines.flush()
            return json.loads(lines.readline())

        yield order


@pytest.fixture(params=["outlet", "slot", "cable"])
def role(request):
    """VXI-11, and two sockets."""
    return request.param


@pytest.fixture
def unit(lab, role, tmp_path):
    spec = lab.specs[role].model_copy(update={"timeout_s": 0.3})
    unit = open_instrument(role, spec, Journal(), state_dir=tmp_path)
    assert unit.state() is Switch.ON
    yield unit
    unit.close()


def session(unit):
    return unit._contact._session


@pytest.mark.parametrize("kind", ["silent", "half", "fin", "rst", "garbage"])
def test_next_answer(do, role, unit, kind):
    """One spoilt answer is one error; the instrument is itself again afterwards."""
    assert do(role, "next", answers=[kind]) == {"ok": True}
    with pytest.raises(InstrumentLost):
        session(unit).query("*IDN?")
    assert unit.state() is Switch.ON


def test_late(do, role, unit):
    """Late answers are timeouts until they are on time again."""
    do(role, "late", seconds=0.5)
    with pytest.raises(InstrumentLost):
        session(unit).query("*IDN?")
    do(role, "late", seconds=0)
    pause(0.25, why="the late answer to arrive")
    assert unit.state() is Switch.ON


def test_freeze_and_thaw(do, role, unit):
    """Frozen, nothing answers; thawed, the instrument goes on."""
    do(role, "freeze")
    with pytest.raises(BenchError):
        unit.state()
    do(role, "thaw")
    assert unit.state() is Switch.ON


@pytest.mark.parametrize("reset", [False, True])
def test_cut(do, role, unit, reset):
    """A cut connection is opened again without a word to the user."""
    do(role, "cut", reset=reset)
    pause(0.05, why="the end of the connection to arrive")
    assert unit.state() is Switch.ON
    assert session(unit).opens == 2


def test_gone_and_back(do, role, unit):
    """Switched off it is gone, and back on the same address."""
    do(role, "gone")
    pause(0.05, why="the port to close")
    with pytest.raises(InstrumentLost):
        unit.state()
    do(role, "back")
    assert unit.state() is Switch.ON


def test_restart(do, role, unit):
    """After its own power cut a relay unit has every channel open."""
    do(role, "restart")
    pause(0.05, why="the end of the connection to arrive")
    assert unit.state() is Switch.OFF


def test_wrong_serial(do, role, unit):
    """An instrument exchanged behind its address is noticed at the next open."""
    do(role, "serial", serial="OTHER")
    do(role, "cut")
    pause(0.05, why="the end of the connection to arrive")
    with pytest.raises(WrongInstrument, match="OTHER"):
        unit.state()


def test_weld(do, lab, role, unit):
    """Welded, it reads back as commanded and the machine feels nothing."""
    do(role, "weld", on=True)
    unit._switch(False, "off", None, again=False)
    assert unit.state() is Switch.OFF
    assert lab.ends.done == []


@pytest.mark.parametrize(
    "order", [("nobody", "thaw"), ("slot", "explode"), ("meter", "weld"), ("slot", "late")], ids=lambda order: order[1]
)
def test_mistakes_are_answered(do, order):
    """A wrong order is told apart from an obeyed one, and the port goes on."""
    assert "error" in do(*order)
    assert do("slot", "thaw") == {"ok": True}
