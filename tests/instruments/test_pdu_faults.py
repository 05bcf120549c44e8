"""PDUs whose connection, answers or contacts fail, ordered over the control port and met by the clients of a run."""

from __future__ import annotations

import json
import socket
import time

import pytest
from instrument_lab import InstrumentLab

from hil.errors import BenchError
from hil.instruments import Switch, open_instrument
from hil.instruments.roles import Effect
from hil.instruments.session import InstrumentLost, WrongInstrument
from hil.instruments.switching import EffectMissing, Timing
from hil.wait import wait_until

SNMP = ["apc-rpdu2", "raritan-px"]
HTTP = ["netio", "dli-pro"]
"""Two tables for each client; what the others say differs, not how it is carried."""
TIMEOUT_S = 0.3


@pytest.fixture(params=[*SNMP, *HTTP])
def family(request):
    return request.param


@pytest.fixture
def lab(family):
    lab = InstrumentLab(outlet_family=family, instruments=("outlet",))
    lab.instruments.servers["outlet"].pdu.move_s = 0.02
    yield lab
    lab.close()


@pytest.fixture
def outlet(lab, journal, tmp_path):
    """A run's outlet."""
    spec = lab.specs["outlet"].model_copy(update={"timeout_s": TIMEOUT_S})
    outlet = open_instrument("mains", spec, journal, state_dir=tmp_path)
    outlet._timing = Timing(confirm_s=0.3, witness_s=0.2)
    return outlet


@pytest.fixture
def do(lab):
    """``do("freeze")``: one order to the outlet, obeyed."""
    host, port = lab.instruments.control.resource.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as control, control.makefile("rw") as lines:

        def order(verb, **more):
            lines.write(json.dumps({"instrument": "outlet", "do": verb, **more}) + "\n")
            lines.flush()
            assert json.loads(lines.readline()) == {"ok": True}

        yield order


def mains(lab):
    """What the machine felt, without what the capacitors bridged."""
    return [on for what, on in lab.ends.done if what == "mains"]


def switched_off(lab):
    wait_until(lambda: mains(lab) == [False], what="the mains off, once", timeout_s=2)


SPOILT = [
    *((family, kind) for family in SNMP for kind in ("silent", "lost", "half", "garbage", "twice")),
    *((family, kind) for family in HTTP for kind in ("silent", "half", "garbage", "twice", "fin", "rst")),
]


@pytest.mark.parametrize(("family", "kind"), SPOILT, indirect=["family"])
def test_spoilt_answer_to_a_set(lab, outlet, do, family, kind):
    """Whatever becomes of the first answers, the outlet is off in the end, was switched once, and is read rightly.

    A PDU's controller is a slow computer on a busy network: an answer that is lost must cost neither night nor machine.
    """
    # over HTTP that of the position is not spoilt, that of the set is; over SNMP the first two of three
    do("next", answers=["pass", kind] if family in HTTP else [kind, kind])
    outlet.off()
    assert outlet.state() is Switch.OFF
    switched_off(lab)


def test_late_answers(lab, outlet, do):
    """Answers that all come too late are an error at the deadline, and the next one in time is not an old one."""
    do("late", seconds=TIMEOUT_S + 0.2)
    started = time.process_time()
    with pytest.raises(BenchError):
        outlet.state()
    assert time.process_time() - started < 0.2
    do("late", seconds=0)
    outlet.off()
    assert outlet.state() is Switch.OFF


def test_frozen_with_a_command(lab, outlet, do):
    """A command that a frozen controller kept is carried out at the thaw: until then the position is not known.

    Without this, mains would go in the middle of the next test.
    """
    do("freeze")
    with pytest.raises(BenchError):
        outlet._contact.set(False)
    assert mains(lab) == []
    do("thaw")
    outlet.on()
    wait_until(lambda: mains(lab) in ([False, True], []), what="the last word to count", timeout_s=2)
    assert outlet.state() is Switch.ON


def test_gone_and_back(outlet, do):
    """A controller that is off is an error, not an outlet that is off; back on its address it is used again."""
    do("gone")
    with pytest.raises(InstrumentLost):
        outlet.state()
    do("back")
    assert outlet.state() is Switch.ON


def test_set_that_is_ignored(outlet, do):
    """Locked or write-protected it says yes and does nothing: the read-back finds it."""
    do("ignore", on=True)
    with pytest.raises(BenchError, match="reads back on"):
        outlet.off()


def test_welded(lab, outlet, do, family):
    """A welded contact reads back as commanded where the unit has no eye on it: the witness finds it.

    Digital Loggers' physical state is measured, so that its read-back does.
    """
    do("weld", on=True)
    witness = Effect("the meter to read no power", lambda: lab.ends.watts() < 1)
    with pytest.raises(BenchError, match="reads back on") if family == "dli-pro" else pytest.raises(EffectMissing):
        outlet.off(witness)
    assert mains(lab) == []


def test_controller_restarts(lab, outlet, do):
    """The controller of a PDU restarts, its relays stay: the machine feels nothing and the outlet can be switched."""
    do("restart")
    assert outlet.state() is Switch.ON
    outlet.off()
    switched_off(lab)


@pytest.mark.parametrize("family", ["apc-rpdu2", *HTTP], indirect=True)
def test_another_unit_in_its_place(outlet, do, family):
    """A unit that was exchanged is noticed when its predecessor's answers ended; nothing is switched."""
    do("serial", serial="OTHER")
    do("next", answers=["silent"] * (1 if family in HTTP else 3))
    with pytest.raises(WrongInstrument, match="OTHER"):
        outlet.off()
