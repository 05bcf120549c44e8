"""Sleep states and loss of mains, with the power meter as the witness that the machine really slept."""

from __future__ import annotations

import pytest

from hil.clock import now_s
from hil.errors import WakeFailed
from hil.traffic.frames import magic_packet
from hil.wait import wait_until

pytestmark = [pytest.mark.requires("meter")]


@pytest.mark.hlk(
    "NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket",
    "NDISTest 6.5 - [2 Machine] - PM_PowerStateTransition",
)
@pytest.mark.requires("wire")
def test_sleep_and_wake(state, wakeful, adapter, machine, partner, asleep, by_adapter, limits, record, full_rate):
    """Asleep the machine draws what it may, a magic packet wakes it in time, and settings and rate are as before.

    Software is rolled out at night to machines that sleep; one that does not wake, or wakes crippled, is missed.
    """
    may = limits.asleep(state)
    sleep = asleep(state, stays=1)
    drawn_w = sleep.stays("nothing happens").mean_w
    wake = sleep.woken_by(partner.send, [magic_packet(adapter.mac)])
    record(f"power in {state}", drawn_w, "W", at_most=may.drawn_w)
    record(f"wake latency from {state}", wake.latency_s, "s", at_most=may.wake_s)
    by_adapter(wake)
    assert wake.state == state
    assert drawn_w <= may.drawn_w
    assert wake.latency_s <= may.wake_s
    adapter.wait_up()
    assert adapter.settings() == wakeful
    full_rate(f"after {state}")


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket")
@pytest.mark.requires("wire")
def test_wakes_every_time(light, wakeful, adapter, partner, asleep, by_adapter):
    """The third sleep is ended by a magic packet as the first was.

    A driver that arms wake only once is found by the second night, not by the first.
    """
    for _ in range(3):
        by_adapter(asleep(light).woken_by(partner.send, [magic_packet(adapter.mac)]))
        adapter.wait_up()


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_PowerStateTransition")
def test_timer_ends_sleep(state, configured, adapter, asleep, limits):
    """A wake timer ends the sleep at its time, and Windows names it.

    Backups and updates are planned this way; a NIC that wakes the machine before its time spoils the night.
    """
    wake = asleep(state, wake_after_s=limits.wake_timer_s).ended()
    assert wake.state == state
    assert wake.by_timer, f"woken by {wake.source}: {wake.source_text}"
    adapter.wait_up()
    assert adapter.settings() == configured


@pytest.mark.requires("button")
def test_button_ends_sleep(state, configured, adapter, asleep, button, record):
    """The power button ends the sleep, Windows names it and not the NIC, and the adapter comes up.

    What a user does in the morning; and if this fails, no other wake can be judged.
    """
    wake = asleep(state).woken_by(button.press)
    record(f"wake latency from {state}, button", wake.latency_s, "s")
    assert wake.source == "button", f"woken by {wake.source}: {wake.source_text}"
    adapter.wait_up()
    assert adapter.settings() == configured


@pytest.mark.hlk("DF - Sleep and PNP (disable and enable) with IO Before and After *")
@pytest.mark.requires("button", "partner")
def test_disabled_and_enabled_after_sleep(state, configured, adapter, asleep, button, traffic, full_rate, undo):
    """After a sleep the device can be disabled and enabled, and carries traffic before, between and after.

    What the help desk does when the network is slow after a sleep must not make it worse.
    """
    traffic.tcp(streams=1, seconds=1)
    asleep(state).woken_by(button.press)
    adapter.wait_up()
    traffic.tcp(streams=1, seconds=1)
    adapter.disable()
    undo(adapter.enable)
    adapter.enable()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate(f"after {state}, disabled and enabled")


@pytest.fixture
def soft_off(machine, meter, button, undo, expect):
    """``soft_off()``: Windows is shut down, the meter says so, the button will start it again; the boot that ended."""

    def enter():
        def start_again():
            if meter.read_w() < machine.asleep_below_w:
                button.press()
            machine.reconnect(machine.settings.boot_timeout_s)

        meter.confirm_above(machine.asleep_below_w)
        expect("reboot")
        undo(start_again)
        return machine.shut_down(witness=lambda: meter.read_w() < machine.asleep_below_w)

    return enter


@pytest.mark.requires("wire", "button", "wake_from_s5")
def test_start_from_soft_off(wakeful, adapter, machine, meter, partner, soft_off, limits, record, full_rate):
    """A magic packet starts a machine that was shut down (S5); settings and rate are as before.

    Class rooms are shut down in the evening and updated at night.
    """
    boot = soft_off()
    drawn_w = meter.stays_below(machine.asleep_below_w, machine.settings.wake_shows_s).mean_w
    started_s = now_s()
    partner.send([magic_packet(adapter.mac)])
    wait_until(
        lambda: meter.read_w() > machine.asleep_below_w, what="the machine to start",
        timeout_s=machine.settings.wake_shows_s, error=WakeFailed,
    )  # fmt: skip
    machine.wait_booted(after=boot)
    latency_s = now_s() - started_s
    record("power in S5", drawn_w, "W", at_most=limits.s5.drawn_w)
    record("start from S5", latency_s, "s", at_most=limits.s5.wake_s)
    assert drawn_w <= limits.s5.drawn_w
    assert latency_s <= limits.s5.wake_s
    adapter.wait_up()
    assert adapter.settings() == wakeful
    full_rate("after S5")


@pytest.mark.requires("wire", "button", "wake_from_s5")
def test_disarmed_stays_off(configured, adapter, machine, meter, partner, soft_off, undo):
    """With wake on magic packet switched off, a machine that was shut down stays so.

    Who switches wake off does not expect machines to start by themselves.
    """
    adapter.set_power_management({"WakeOnMagicPacket": False})
    undo(adapter.set_power_management, {"WakeOnMagicPacket": True})
    adapter.wait_up()
    soft_off()
    partner.send([magic_packet(adapter.mac)])
    meter.stays_below(machine.asleep_below_w, machine.settings.wake_shows_s)
