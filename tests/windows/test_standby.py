"""Modern Standby and soft off, driven over the network, and what an adapter is armed for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from desk import Desk

from hil.errors import BenchError, UsageError
from hil.remote import SshSession
from hil.windows import Adapter, Machine, WakePattern, WakeSource

GUARD_S = 2


@pytest.fixture(scope="module")
def tablet(new_desk: Callable[..., Desk]) -> Desk:
    """A machine with Modern Standby."""
    return new_desk(sleep="s0ix")


@pytest.fixture(autouse=True)
def awake_again(tablet: Desk) -> Iterator[None]:
    yield
    tablet.machine.ensure_awake()


def asleep(desk: Desk, wake_after_s: int) -> object:
    machine, meter = desk.machine, desk.instrument("meter")
    suspension = machine.suspend("S0ix", wake_after_s=wake_after_s)
    machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
    return suspension


def test_states_are_told(tablet: Desk) -> None:
    """The states that the machine offers are those that its testbed says: a suite skips by the testbed."""
    assert set(tablet.machine.sleep_states()) == {"S4", "S0ix"} == set(tablet.machine.settings.sleep_states)


def test_button_and_guard(tablet: Desk) -> None:
    """The button ends Modern Standby before the guard, the guard does at its time, and each is told from the other."""
    suspension = asleep(tablet, 60)
    tablet.instrument("button").press()
    wake = tablet.machine.wait_awake(suspension)
    assert (wake.state, wake.source, wake.before_guard) == ("S0ix", WakeSource.BUTTON, True)
    assert tablet.machine.wait_awake(asleep(tablet, GUARD_S)).by_timer


@pytest.mark.parametrize("ended_by", ["button", "guard"])
def test_standby_is_left_alone(tablet: Desk, monkeypatch: pytest.MonkeyPatch, ended_by: str) -> None:
    """Nothing is asked of a machine in Modern Standby before the meter sees it end.

    A question may end the standby itself, and the wake would then be put down to nobody, or to the driver.
    """
    machine, meter = tablet.machine, tablet.instrument("meter")
    suspension = asleep(tablet, GUARD_S if ended_by == "guard" else 60)
    drawn_w: list[float] = []

    def reconnect(timeout_s: float) -> float:
        drawn_w.append(meter.read_w())
        return SshSession.reconnect(machine.ssh, timeout_s)

    monkeypatch.setattr(machine.ssh, "reconnect", reconnect)
    press = threading.Timer(0.5, tablet.instrument("button").press)
    if ended_by == "button":
        press.start()
    wake = machine.wait_awake(suspension)
    assert drawn_w[0] > machine.asleep_below_w
    assert wake.source == (WakeSource.BUTTON if ended_by == "button" else WakeSource.TIMER)


def test_witness_is_needed(tablet: Desk) -> None:
    """Such a machine may answer from its sleep, so silence proves nothing: without a meter there is no verdict."""
    tablet.machine.suspend("S0ix", wake_after_s=GUARD_S)
    with pytest.raises(UsageError, match="witness"):
        tablet.machine.wait_asleep()


def test_soft_off(tablet: Desk) -> None:
    """A shutdown ends in S5 as the meter sees it; the button brings another boot."""
    machine, meter, button = tablet.machine, tablet.instrument("meter"), tablet.instrument("button")
    boot = machine.shut_down(witness=lambda: meter.read_w() < machine.asleep_below_w)
    assert meter.read_w() < 2
    button.press()
    assert machine.wait_booted(after=boot).differs_from(boot)


def test_shutdown_that_does_not_end(tablet: Desk) -> None:
    """A meter that goes on seeing a running machine is an error of the bench, not a machine that is off."""
    impatient = tablet.machine.settings.model_copy(update={"shutdown_timeout_s": 2.0})
    boot = tablet.machine.boot()
    with Machine(impatient, tablet.journal) as machine, pytest.raises(BenchError, match="shut down"):
        machine.shut_down(witness=lambda: False)
    tablet.instrument("button").press()
    tablet.machine.wait_booted(after=boot)


def test_wake_patterns(adapter: Adapter) -> None:
    """What Windows armed is listed by kind, grows with each address, and is gone when switched off."""
    before = adapter.wake_patterns()
    assert WakePattern("magic packet", "Magic Packet") in before
    adapter.add_address("198.18.0.77/32")
    assert "198.18.0.77/32" in adapter.addresses()
    added = set(adapter.wake_patterns()) - set(before)
    assert {pattern.kind for pattern in added} == {"IPv4 TCP SYN"}
    adapter.remove_address("198.18.0.77/32")
    assert adapter.wake_patterns() == before
    assert any(address.startswith("fe80:") for address in adapter.addresses("IPv6"))
    adapter.set_power_management({"WakeOnPattern": False, "WakeOnMagicPacket": False})
    assert adapter.wake_patterns() == ()
    adapter.set_power_management({"WakeOnPattern": True, "WakeOnMagicPacket": True})
    adapter.wait_up()
