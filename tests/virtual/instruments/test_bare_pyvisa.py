"""A plain pyvisa client, without any of our session, talks to the virtual instruments as it would to real ones."""

from __future__ import annotations

from contextlib import suppress

import pytest
import pyvisa

from hil.wait import pause


@pytest.fixture
def visa(lab):
    manager = pyvisa.ResourceManager("@py")
    opened = []

    def open_resource(role):
        opened.append(
            manager.open_resource(
                lab.specs[role].resource, read_termination="\n", write_termination="\n", timeout=2000
            )
        )
        return opened[-1]

    yield open_resource
    for one in opened:
        one.close()
    manager.close()


@pytest.mark.parametrize("role", ["outlet", "slot", "meter", "button", "cable"])
def test_identity_is_the_testbeds(lab, visa, role):
    """Every instrument says who it is, with the serial number that the testbed names."""
    assert visa(role).query("*IDN?").split(",")[2] == lab.specs[role].serial


def test_switching_by_hand(lab, visa):
    """Commands from a terminal reach the machine, and two clients see one state."""
    first, second = visa("slot"), visa("slot")
    first.write("ROUT:OPEN (@1)")
    assert first.query("*OPC?") == "1"
    assert second.query("ROUT:CLOS? (@1)") == "0"
    assert lab.ends.done == [("slot", False)]


def test_cr_lf_is_accepted(visa):
    """pyvisa's default write ending is CR LF; instruments take it."""
    slot = visa("slot")
    slot.write_termination = "\r\n"
    assert slot.query("ROUT:CLOS? (@1)") == "1"


def test_a_message_without_end_is_refused(visa):
    """A client that sends for ever without a line end cannot fill the bench's memory."""
    flood, other = visa("slot"), visa("slot")
    with suppress(ConnectionError):  # it hangs up in the middle
        flood.write_raw(b"x" * 200_000)
    pause(0.05, why="the flood to be read")
    assert other.query("SYST:ERR?").startswith("-363")
