"""The guarded session on USB: pyvisa-py and pyusb as they are, above an instrument that stands in libusb's place."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import usb.backend.libusb1
from usb_instrument import PRODUCT, RESOURCE, SERIAL, VENDOR, UsbInstrument

from hil.errors import UsageError
from hil.instruments import Switch, open_instrument
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.testbed.model import Instrument

SHORT_S = 0.2


@pytest.fixture
def state():
    return {"on": False, "errors": []}


@pytest.fixture
def instrument(monkeypatch, state):
    """A Rigol supply on USB; pyusb finds it where it would find libusb."""

    def answer(message):
        if message == "*IDN?":
            return f"RIGOL TECHNOLOGIES,DP832,{state.get('serial', SERIAL)},00.01"
        if message.endswith("SYST:ERR?"):
            return state["errors"].pop(0) if state["errors"] else '0,"No error"'
        if message.startswith(":OUTP CH1,"):
            state["on"] = message.endswith("ON")
        known = {"*ESR?": "0", ":OUTP? CH1": "ON" if state["on"] else "OFF", "LONG?": "x" * 5000, "SILENT?": None}
        return known.get(message, message) if "?" in message else None

    found = UsbInstrument(answer)
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda **_: found)
    return found


@pytest.fixture
def unit(instrument, session):
    unit = session(RESOURCE, serial=SERIAL)
    assert unit.identity.model == "DP832"
    return unit


def test_supply_on_usb(instrument, state, journal, tmp_path):
    """A supply is found by vendor, product and serial number, and switched as over any other line."""
    spec = Instrument(role="supply", family="rigol-dp800", resource=RESOURCE, serial=SERIAL)
    supply = open_instrument("rail", spec, journal, state_dir=tmp_path)
    supply.on()
    assert (supply.state(), state["on"]) == (Switch.ON, True)
    supply.off()
    assert not state["on"]
    supply.close()


def test_long_messages(instrument, unit):
    """Messages and answers longer than a packet, and answers in many transfers, arrive whole."""
    long = "N" + "A" * 300 + "?"
    assert unit.query(long) == long
    assert unit.query("LONG?") == "x" * 5000
    instrument.most = 100
    assert unit.query("LONG?") == "x" * 5000


def test_refusal(state, unit):
    """The error queue is read after each set."""
    state["errors"] = ['-113,"Undefined header"']
    with pytest.raises(InstrumentRefused, match="-113"):
        unit.command(":NONSENSE 1")


@pytest.mark.parametrize("fault", ["silent", "deaf"])
def test_ends_at_the_deadline(instrument, unit, fault):
    """An instrument that does not answer, or takes no message, costs its timeout; then it is cleared, and itself again.

    pyvisa-py waits for the abort of a failed transfer, for 5 s each step.
    """
    instrument.deaf = fault == "deaf"
    started = time.monotonic()
    with pytest.raises(InstrumentLost, match="timed out"):
        unit.query("SILENT?", timeout_s=SHORT_S)
    assert time.monotonic() - started < 4
    instrument.deaf = False
    assert unit.query("VOLT?") == "VOLT?"
    assert (instrument.cleared, unit.opens) == (2, 2)


def test_late_answer_is_never_taken_for_the_next(instrument, unit):
    """The answer to a question that was given up waits in the instrument, and is cleared before the next is asked."""
    instrument.late = 1
    with pytest.raises(InstrumentLost):
        unit.query("FIRST?", timeout_s=SHORT_S)
    assert unit.query("SECOND?") == "SECOND?"


def test_answer_to_another_question(instrument, unit):
    """An answer whose tag is not the question's is refused: pyvisa-py does not look at it."""
    instrument.wrong_tag = True
    with pytest.raises(InstrumentLost, match="an answer to question"):
        unit.query("VOLT?")
    instrument.wrong_tag = False
    assert unit.query("VOLT?") == "VOLT?"


def test_stall(instrument, unit):
    """A halted endpoint is one error, and cleared at the next open."""
    instrument.stalls = True
    with pytest.raises(InstrumentLost, match="Pipe error"):
        unit.query("VOLT?")
    assert unit.query("VOLT?") == "VOLT?"


def test_unplugged_and_back(instrument, unit):
    """Without its cable it is lost at once, and found again when it is back."""
    instrument.plugged = False
    for seen in ("No such device", "no such USBTMC device"):
        with pytest.raises(InstrumentLost, match=seen):
            unit.query("VOLT?")
    instrument.plugged = True
    assert unit.query("VOLT?") == "VOLT?"


def test_wrong_serial(instrument, state, session):
    """Another one on the bus is not found; one whose firmware says another number is refused."""
    with pytest.raises(InstrumentLost, match="no such USBTMC device"):
        _ = session(RESOURCE.replace(SERIAL, "DP8A0000")).identity
    state["serial"] = "DP8A9999"
    with pytest.raises(WrongInstrument, match="DP8A9999"):
        _ = session(RESOURCE, serial=SERIAL).identity


def test_no_permission(instrument, session):
    """A device that this user may not open is told with the rule that lets him, not as one that is not there."""
    instrument.permitted = False
    with pytest.raises(UsageError, match=f"udev.*{VENDOR:04x}") as refused:
        _ = session(RESOURCE).identity
    assert f"{PRODUCT:#06x}" in str(refused.value)


@pytest.mark.parametrize(("hidden", "wanted"), [("usb", "pyusb"), ("usb.backend.libusb1", "libusb")])
def test_missing_library(hidden, wanted):
    """Without pyusb or libusb the person is told which is missing and how to get it."""
    code = f"""
import sys
from importlib import util
from hil.errors import UsageError
from hil.instruments.session import Session
from hil.journal import Journal
if {hidden!r} == "usb":
    found = util.find_spec
    util.find_spec = lambda name, *more: None if name == "usb" else found(name, *more)
    sys.modules["usb"] = None
else:
    import usb.backend.libusb0, usb.backend.libusb1, usb.backend.openusb
    for backend in (usb.backend.libusb0, usb.backend.libusb1, usb.backend.openusb):
        backend.get_backend = lambda find_library=None: None
    sys.modules["libusb_package"] = None
try:
    Session("rail", {RESOURCE!r}, Journal()).identity
except UsageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"{wanted}, for instruments on USB" in done.stdout, done.stderr
    assert "hil[usb]" in done.stdout
