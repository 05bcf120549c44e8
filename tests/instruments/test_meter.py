"""Watts from the virtual meter: fresh, bounded, and honest about readings that have no number."""

from __future__ import annotations

import threading

import pytest
from instrument_lab import InstrumentLab

from hil.errors import BenchError, WakeFailed
from hil.instruments import open_instrument
from hil.virtual.faults.instrument import MeterFreezes, MeterStuckAtZero
from hil.wait import wait_until


@pytest.fixture
def meter(lab, journal):
    meter = open_instrument("meter", lab.specs["meter"], journal)
    meter.read_w()  # it has found its range
    yield meter
    meter.close()


def test_reads_what_the_machine_draws(lab, meter):
    """Within noise of half a percent, over three decades of power."""
    for watts in (60.0, 350.0, 2.5):
        lab.ends.mains_w = watts
        meter.wait_above(watts * 0.99, 3)
        assert meter.wait_below(watts * 1.01 + 0.1, 3) == pytest.approx(watts, rel=0.01, abs=0.1)


def test_range_change_is_waited_out(lab, meter):
    """While the meter changes its range it has no number; a reading waits for the next one instead of failing."""
    lab.ends.mains_w = 60.0
    meter.wait_above(50, 3)
    lab.ends.mains_w = 2000.0
    meter.wait_above(1900, 3)


def test_mean_counts_each_refresh_once(meter):
    """Power over an interval comes from distinct samples at the meter's own pace."""
    power = meter.measure(0.55)
    assert 5 <= power.samples <= 7
    assert power.least_w <= power.mean_w <= power.most_w


def test_over_range_is_not_a_number_of_watts(lab, meter):
    """A range chosen too small says so, and is never averaged in."""
    lab.ends.mains_w = 2000.0
    meter._session.command(":INP:CURR:RANG 0.5")
    wait_until(lambda: meter._session.query(":NUM:NORM:VAL? 1") == "INF", what="the next refresh", timeout_s=2)
    with pytest.raises(BenchError, match="over range"):
        meter.read_w()


def test_waiting_for_sleep_that_does_not_come(meter):
    """The deadline names the last reading."""
    with pytest.raises(BenchError, match=r"60|59"):
        meter.wait_below(5.0, 0.3)


def test_a_machine_that_stirs_is_found(lab, meter):
    """One reading above the limit in the window is enough: the machine woke."""
    lab.ends.mains_w = 2.0
    meter.wait_below(4.0, 3)
    threading.Timer(0.3, lambda: setattr(lab.ends, "mains_w", 40.0)).start()
    with pytest.raises(WakeFailed, match=r"(40|39).* W after 0\.[3-9]"):
        meter.stays_below(5.0, 0.8)


def test_stays_below(lab, meter):
    """A machine that sleeps on is quiet for the whole window."""
    lab.ends.mains_w = 2.0
    meter.wait_below(4.0, 3)
    assert meter.stays_below(5.0, 0.3).most_w < 5.0


def test_frozen_meter_is_no_witness(journal):
    """The fault that the power suite must catch: the reading no longer follows the machine."""
    lab = InstrumentLab([MeterFreezes()])
    meter = open_instrument("meter", lab.specs["meter"], journal)
    meter.read_w()
    lab.ends.mains_w = 2.0
    with pytest.raises(BenchError):
        meter.wait_below(5.0, 0.4)
    meter.close()
    lab.close()


def test_meter_that_follows(meter):
    """A running machine is seen to run, and no two readings are the same: the meter may be the witness of sleep."""
    assert meter.confirm_above(10.0).least_w > 10.0


@pytest.mark.parametrize(("fault", "seen"), [(MeterStuckAtZero, "times 0 W"), (MeterFreezes, r"times (60|59)\.\d+ W")])
def test_stuck_meter_is_caught_while_the_machine_runs(journal, fault, seen):
    """Every sleep would be believed, or none: the bench is at fault, and not the device."""
    lab = InstrumentLab([fault()])
    meter = open_instrument("meter", lab.specs["meter"], journal)
    meter.read_w()
    with pytest.raises(BenchError, match=seen):
        meter.confirm_above(10.0)
    meter.close()
    lab.close()
