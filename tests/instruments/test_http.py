"""PDUs, relays and management controllers over HTTP."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from hil.errors import BenchError
from hil.instruments import Switch, open_instrument
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.testbed.model import Instrument, Secret
from hil.virtual.instruments.http_pdu import HttpPdu
from hil.virtual.instruments.pdu import Pdu

FIRST_CHANNEL = {"netio": "1", "shelly-gen2": "0", "dli-pro": "0", "redfish": "1"}
SERIAL = {"netio": "24A42C000001", "shelly-gen2": "shellypro1-0001", "dli-pro": "DLI0001", "redfish": "BMC0001"}


@pytest.fixture
def pdu(lab):
    """``pdu()``: a running server."""
    started = []

    def start(**options):
        server = HttpPdu(Pdu({1: lab.ends.set_mains}, move_s=0.05), **options)
        lab.run(server.start())
        started.append(server)
        return server

    yield start
    for server in started:
        lab.run(server.close())


def entry(server, family, **changes):
    role = "out_of_band" if family == "redfish" else "outlet"
    spec = Instrument(
        role=role, family=family, resource=server.resource, channel=FIRST_CHANNEL[family], serial=SERIAL[family],
        timeout_s=0.5,
    )  # fmt: skip
    return spec.model_copy(update=changes)


@pytest.fixture(params=FIRST_CHANNEL)
def family(request):
    return request.param


def test_on_and_off(lab, pdu, journal, family):
    """Each make switches the outlet that its numbering means, and waits for the contact."""
    outlet = open_instrument("mains", entry(pdu(), family), journal)
    assert outlet.state() is Switch.ON
    outlet.off()
    assert outlet.state() is Switch.OFF
    outlet.on()
    assert lab.ends.done == [("mains", False), ("mains", True)]


def test_answer_200_that_did_not_switch(pdu, journal, family):
    """A locked or write-protected outlet answers as if it obeyed: the read-back finds it."""
    server = pdu()
    server.pdu.ignores_sets = True
    outlet = open_instrument("mains", entry(server, family), journal)
    outlet._timing = replace(outlet._timing, confirm_s=0.2)
    with pytest.raises(BenchError, match="reads back on"):
        outlet.off()


def test_wrong_serial(pdu, journal, family):
    """Another unit under the address is refused before anything is switched."""
    with pytest.raises(WrongInstrument, match="0002"):
        open_instrument("mains", entry(pdu(), family, serial="0002"), journal)


def test_digest_logon(lab, pdu, journal, tmp_path, records):
    """The password goes by digest, and is not on the journal."""
    password = tmp_path / "password"
    password.write_text("hunter22\n")
    server = pdu(user="admin", password="hunter22")
    outlet = open_instrument("mains", entry(server, "dli-pro", user="admin", secret=Secret(file=password)), journal)
    outlet.off()
    assert lab.ends.done == [("mains", False)]
    assert not any("hunter22" in str(record) for record in records)


def test_wrong_password(pdu, journal, tmp_path):
    """A refused logon is said as such, not as an outlet that is off."""
    password = tmp_path / "password"
    password.write_text("wrong")
    server = pdu(user="admin", password="hunter22")
    with pytest.raises(InstrumentRefused, match="401"):
        open_instrument("mains", entry(server, "netio", user="admin", secret=Secret(file=password)), journal)


def test_late_answer_ends_at_the_deadline(pdu, journal):
    """A PDU that hangs costs its timeout."""
    server = pdu()
    server.habits.late_s = 30.0
    started = time.monotonic()
    with pytest.raises(InstrumentLost):
        open_instrument("mains", entry(server, "netio"), journal)
    assert time.monotonic() - started < 10


def test_nobody_there(journal, pdu, lab):
    """A closed port is an error that names the address."""
    server = pdu()
    lab.run(server.close())
    with pytest.raises(InstrumentLost, match=str(server.port)):
        open_instrument("mains", entry(server, "netio"), journal)


def test_not_json(peer, journal):
    """A web page instead of JSON is an error, not a position."""

    def page(connection):
        connection.line()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

    spec = Instrument(role="outlet", family="netio", resource=f"http://127.0.0.1:{peer(page).port}", timeout_s=0.5)
    with pytest.raises(InstrumentLost, match="JSON"):
        open_instrument("mains", spec, journal)


def test_outlet_that_does_not_exist(pdu, journal, family):
    """A channel that the unit does not have is unknown or refused, never off."""
    if family == "redfish":
        with pytest.raises(InstrumentRefused, match="404"):
            open_instrument("mains", entry(pdu(), family, channel="9"), journal)
        return
    outlet = open_instrument("mains", entry(pdu(), family, channel="9"), journal)
    outlet._timing = replace(outlet._timing, confirm_s=0.1)
    with pytest.raises(BenchError):
        outlet.off()


def test_states_in_between_are_waited_out(pdu, journal):
    """PoweringOn is not on: a set returns when the controller says On."""
    server = pdu()
    bmc = open_instrument("bmc", entry(server, "redfish"), journal)
    bmc.off()
    server.passing = "PoweringOn"
    assert bmc.state() is Switch.UNKNOWN
    threading.Timer(0.3, lambda: setattr(server, "passing", None)).start()
    started = time.monotonic()
    bmc.on()
    assert time.monotonic() - started >= 0.25


def test_labgrids_own_driver(lab, pdu, journal):
    """labgrid's power module, in a process of its own, switches the same PDU through our contact."""
    pytest.importorskip("labgrid", reason="the extra labgrid is not installed")
    server = pdu()
    resource = f"shelly_gen2@{server.resource}"
    spec = Instrument(role="outlet", family="labgrid", resource=resource, channel="0", timeout_s=20)
    outlet = open_instrument("mains", spec, journal)
    assert outlet.state() is Switch.ON
    outlet.off()
    assert outlet.state() is Switch.OFF
    assert lab.ends.done == [("mains", False)]
