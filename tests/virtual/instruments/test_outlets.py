"""Each unit that may switch the mains of a virtual bench, with two feeds, by the client that a run uses."""

from __future__ import annotations

import json
import socket
from typing import get_args

import pytest
from instrument_lab import InstrumentLab

from hil.errors import BenchError
from hil.instruments import Feeds, Switch, open_instrument
from hil.instruments.session import InstrumentLost, Sessions
from hil.instruments.switching import Timing
from hil.journal import Journal
from hil.testbed.model import Virtual
from hil.wait import wait_until

FAMILIES = get_args(Virtual.model_fields["outlet_family"].annotation)


@pytest.fixture
def lab_of():
    """``lab_of(outlet_family="netio")``: the virtual instruments of such a bench."""
    started = []

    def start(**config):
        lab = InstrumentLab(**config)
        started.append(lab)
        if hasattr(lab.instruments.servers["outlet"], "pdu"):
            lab.instruments.servers["outlet"].pdu.move_s = 0.02
        return lab

    yield start
    for one in started:
        one.close()


@pytest.fixture
def opened(tmp_path):
    """``opened(lab, "outlet")``: the role object, closed afterwards."""
    open_ones = []

    def open_role(lab, name):
        open_ones.append(open_instrument(name, lab.specs[name], Journal(), state_dir=tmp_path))
        return open_ones[-1]

    yield open_role
    for one in open_ones:
        one.close()


def order(lab, **words):
    host, port = lab.instruments.control.resource.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as control, control.makefile("rw") as lines:
        lines.write(json.dumps(words) + "\n")
        lines.flush()
        return json.loads(lines.readline())


@pytest.mark.parametrize("family", FAMILIES)
def test_two_feeds(lab_of, opened, family):
    """The machine runs on either feed, dies when both are off, and a run sees them as one outlet."""
    lab = lab_of(outlet_family=family, feeds=2)
    feeds = [opened(lab, name) for name in ("outlet", "outlet_2")]
    mains = Feeds("mains", feeds)
    feeds[0].off()
    assert (mains.state(), lab.ends.mains) == (Switch.UNKNOWN, True)
    mains.off()
    wait_until(lambda: not lab.ends.mains, what="the power supplies to run out", timeout_s=2)
    mains.on()
    assert (mains.state(), lab.ends.mains) == (Switch.ON, True)


@pytest.mark.parametrize(
    ("family", "verb", "seen"),
    [("netio", "ignore", "on"), ("dli-pro", "weld", "on"), ("raritan-px", "unknown", "unknown")],
)
def test_faults_of_a_pdu(lab_of, opened, family, verb, seen):
    """What a PDU says it did is read back, and what cannot be read is no success."""
    lab = lab_of(outlet_family=family)
    outlet = opened(lab, "outlet")
    outlet._timing = Timing(confirm_s=0.2)
    assert order(lab, instrument="outlet", do=verb, on=True) == {"ok": True}
    with pytest.raises(BenchError, match=f"reads back {seen}"):
        outlet.off()


def test_slow_pdu(lab_of, opened):
    """A delay that is set in the PDU is waited out."""
    lab = lab_of(outlet_family="shelly-gen2")
    assert order(lab, instrument="outlet", do="delay", seconds=0.1) == {"ok": True}
    opened(lab, "outlet").off()
    wait_until(lambda: not lab.ends.mains, what="the power supply to run out", timeout_s=2)


def test_one_client_at_a_time(lab_of, opened, tmp_path):
    """Instruments that take one client refuse the second, and are free again when the first has gone."""
    lab = lab_of(one_client=True)
    first = opened(lab, "slot")
    with pytest.raises(InstrumentLost):
        opened(lab, "slot")
    first.close()
    wait_until(lambda: not lab.instruments.servers["slot"]._clients, what="the first to be gone", timeout_s=2)
    assert opened(lab, "slot").state() is Switch.ON


def test_channels_of_one_unit_share_a_connection(lab_of, tmp_path):
    """Two feeds on a unit that takes one client are both switched: the bench has one session for each unit."""
    lab, sessions = lab_of(one_client=True, feeds=2), Sessions()
    feeds = [
        open_instrument(name, lab.specs[name], Journal(), state_dir=tmp_path, sessions=sessions)
        for name in ("outlet", "outlet_2")
    ]
    Feeds("mains", feeds).off()
    wait_until(lambda: not lab.ends.mains, what="the power supplies to run out", timeout_s=2)
    feeds[0].close()
    feeds[1].on()
    assert lab.ends.mains
    feeds[1].close()
