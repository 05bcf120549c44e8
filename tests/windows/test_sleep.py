"""Sleep and wake of the virtual machine, with its meter and button as witnesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from desk import Desk

from hil.clock import now_s
from hil.errors import BenchError, DutError, UsageError, WakeFailed
from hil.remote import SshSession
from hil.wait import pause
from hil.windows import Adapter, Machine, WakeSource, tools

GUARD_S = 2


@pytest.fixture(autouse=True)
def awake_again(desk: Desk) -> Iterator[None]:
    yield
    desk.machine.ensure_awake()


def asleep(desk: Desk, state: str, wake_after_s: int) -> object:
    meter, machine = desk.instrument("meter"), desk.machine
    suspension = machine.suspend(state, wake_after_s=wake_after_s)  # type: ignore[arg-type]
    machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
    return suspension


def test_guard_wakes(desk: Desk) -> None:
    """Without anything else the timer ends the sleep, and is named as the source: no bench is lost to a dead NIC."""
    wake = desk.machine.wait_awake(asleep(desk, "S3", GUARD_S))
    assert (wake.state, wake.source) == ("S3", WakeSource.TIMER)
    assert wake.by_timer
    assert not wake.before_guard


@pytest.mark.parametrize("state", ["S3", "S4"])
def test_button_wakes(desk: Desk, state: str) -> None:
    """The button ends S3 and S4 before the guard; the state that was reached is told by Windows, not by our request."""
    suspension = asleep(desk, state, 60)
    desk.instrument("button").press()
    wake = desk.machine.wait_awake(suspension)
    assert (wake.state, wake.source, wake.before_guard) == (state, WakeSource.BUTTON, True)
    assert wake.latency_s < 10
    assert desk.machine.tool("hostname").exit_code == 0


def test_latency_ends_with_the_first_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the harness does after the first logon, before it can ask for the records, is no part of the latency.

    It is held against what users wait for; seconds of PowerShell starting would hide a resume that became slow.
    """
    preparation_s = 1.5

    def slowly(session: SshSession) -> bool:
        pause(preparation_s, why="a slow disk")
        return send_module(session)

    send_module = tools.send_module
    monkeypatch.setattr(tools, "send_module", slowly)
    suspension = asleep(desk, "S3", 60)
    desk.instrument("button").press()
    called_s = now_s()
    wake = desk.machine.wait_awake(suspension)
    assert 0 < wake.latency_s < now_s() - called_s - preparation_s


def test_meter_that_does_not_agree(desk: Desk) -> None:
    """Silence on the network is no proof of sleep: with a witness against it, the sleep is not believed."""
    desk.machine.suspend("S3", wake_after_s=GUARD_S)
    with pytest.raises(DutError, match="the witness says"):
        desk.machine.wait_asleep(timeout_s=1.5, witness=lambda: False)


def test_ensure_awake_comes_back(desk: Desk) -> None:
    """What undo calls brings a sleeping machine back, by waiting for the guard."""
    asleep(desk, "S3", GUARD_S)
    desk.machine.ensure_awake()
    assert desk.machine.tool("hostname").exit_code == 0


def test_waiting_without_a_sleep(new_desk: Callable[..., Desk], desk: Desk) -> None:
    """To wait for a sleep that nobody asked for is a mistake of the test, and says so at once."""
    machine = Machine(desk.machine.settings, desk.journal)
    with pytest.raises(UsageError, match="suspend"):
        machine.wait_asleep()


def test_sleep_states(desk: Desk) -> None:
    """The machine's sleep states are known, so that a suite can skip what the platform has not."""
    assert set(desk.machine.sleep_states()) == {"S3", "S4"}


def test_refused_sleep(troubled: tuple[Desk, Adapter]) -> None:
    """A driver that fails the power request: the machine stays on, and the record of who objected is in the message."""
    desk, adapter = troubled
    machine = desk.machine
    machine.suspend("S3", wake_after_s=GUARD_S)
    with pytest.raises(DutError, match="still answers") as caught:
        machine.wait_asleep(timeout_s=1.5)
    assert adapter.driver().service in str(caught.value)


def test_hang_in_resume(new_desk: Callable[..., Desk]) -> None:
    """A machine that hangs in resume is a failed wake with a next step, at its deadline."""
    desk = new_desk(faults=("early_faults:HangsInFirstResume",))
    suspension = asleep(desk, "S3", 60)
    desk.instrument("button").press()
    with pytest.raises(WakeFailed, match="power button"):
        desk.machine.wait_awake(suspension, timeout_s=1.5)


def test_clock_that_jumps(new_desk: Callable[..., Desk]) -> None:
    """A clock that is an hour off after resume is named as that: every other verdict on the sleep would be nonsense."""
    desk = new_desk(faults=("hil.virtual.faults.windows:ClockJumpsInSleep",))
    suspension = asleep(desk, "S3", 60)
    desk.instrument("button").press()
    with pytest.raises(BenchError, match="jumped by -3600"):
        desk.machine.wait_awake(suspension)
