"""The bench of testbeds/virtual-quarch.yaml: a module that times its pins, two feeds on a PDU, and Intel AMT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk import Desk

from hil.instruments import BOUNCE, HAND, Switch
from hil.testbed.load import load
from hil.wait import wait_until

TESTBED = Path(__file__).parents[2] / "testbeds" / "virtual-quarch.yaml"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    described = load(TESTBED)
    assert described.virtual is not None
    assert "timed_slot" in described.capabilities()
    virtual = described.virtual.model_copy(update={"timescale": 0.01})
    with closing(Desk(tmp_path_factory.mktemp("desk"), virtual)) as opened:
        yield opened


@pytest.mark.parametrize("profile", [HAND, BOUNCE], ids=lambda profile: profile.name)
def test_pulled_in_a_profile(desk, profile):
    """Pins that part one after the other, or bounce, end in a NIC that is gone, and back when it is plugged.

    The suites' profiles by hand need a bench that can do them, or nobody ever runs them before a real one does.
    """
    slot, adapter = desk.instrument("slot"), desk.adapter()
    slot.pull(profile=profile)
    adapter.wait_absent(10)
    slot.plug(profile=profile)
    adapter.wait_up(20)


def test_off_and_on_out_of_band(desk):
    """AMT ends Windows whatever it does, the meter sees it, and it boots when AMT says so.

    On a bench without a switched outlet nothing else brings a hung machine back.
    """
    machine, engine, meter = desk.machine, desk.instrument("out_of_band"), desk.instrument("meter")
    before = machine.boot()
    engine.off(lambda: meter.read_w() < 10)
    assert engine.state() is Switch.OFF
    assert not machine.ssh.alive(0.5)
    engine.on(lambda: meter.read_w() > 10)
    machine.reconnect(30)
    assert machine.boot().started > before.started


def test_asleep_is_neither_off_nor_on(desk):
    """While the machine sleeps AMT says so, and wakes it."""
    machine, engine, meter = desk.machine, desk.instrument("out_of_band"), desk.instrument("meter")
    machine.suspend("S3", wake_after_s=60)
    wait_until(lambda: meter.read_w() < 10, what="sleep", timeout_s=20)
    assert engine.state() is Switch.UNKNOWN
    engine.on(lambda: meter.read_w() > 10)
    machine.reconnect(30)
