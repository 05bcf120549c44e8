"""Sleep, wake and loss of mains, with the power meter as the witness that the machine really slept."""

from __future__ import annotations

import pytest

from hil.traffic.frames import magic_packet

pytestmark = [pytest.mark.requires("meter")]

OBSERVED_S = 5.0
"""How long a frame that must not wake the machine is given to do so; a resume from S3 takes one to three seconds."""


@pytest.fixture
def asleep(machine, meter, undo, limits):
    """``asleep("S3")``: the machine sleeps, the meter says so, and a timer will wake it if the NIC does not."""

    def enter(state):
        suspension = machine.suspend(state, wake_after_s=limits.wake_guard_s)
        undo(machine.ensure_awake)
        machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
        return suspension

    return enter


@pytest.mark.requires("wire")
@pytest.mark.parametrize("state", ["S3", "S4"])
def test_wake_by_magic_packet(state, configured, adapter, machine, partner, asleep, record, full_rate):
    """A magic packet wakes the machine, the NIC is named as the source, and settings and rate are as before.

    Software is rolled out at night to machines that sleep; one that does not wake, or wakes crippled, is missed.
    """
    suspension = asleep(state)
    partner.send([magic_packet(adapter.mac)])
    wake = machine.wait_awake(suspension)
    record(f"wake latency from {state}", wake.latency_s, "s")
    assert wake.state == state
    assert wake.by_device(adapter.instance_id), f"woken by {wake.source}"
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate(f"after {state}")


@pytest.mark.requires("wire")
def test_wakes_every_time(configured, adapter, machine, partner, asleep):
    """The third sleep is ended by a magic packet as the first was.

    A driver that arms wake only once is found by the second night, not by the first.
    """
    for _ in range(3):
        suspension = asleep("S3")
        partner.send([magic_packet(adapter.mac)])
        wake = machine.wait_awake(suspension)
        assert wake.by_device(adapter.instance_id), f"woken by {wake.source}"
        adapter.wait_up()


@pytest.mark.requires("wire")
def test_other_frames_do_not_wake(configured, adapter, machine, meter, partner, asleep):
    """Neither another machine's magic packet, nor fifteen repetitions of the MAC, nor a broadcast wakes the machine.

    A laptop that wakes in a bag because of its neighbours' traffic is hot and empty by the morning.
    """
    suspension = asleep("S3")
    other_mac = adapter.mac[:-2] + f"{int(adapter.mac[-2:], 16) ^ 0xFF:02X}"
    broadcast = b"\xff" * 6 + bytes.fromhex(partner.mac.replace("-", "")) + b"\x88\xb5" + bytes(46)
    partner.send([magic_packet(other_mac), magic_packet(adapter.mac, repetitions=15), broadcast])
    meter.stays_below(machine.asleep_below_w, OBSERVED_S)
    partner.send([magic_packet(adapter.mac)])
    assert machine.wait_awake(suspension).by_device(adapter.instance_id)


@pytest.mark.requires("wire")
def test_disarmed_wake_stays_asleep(configured, adapter, machine, partner, asleep, undo):
    """With wake on magic packet switched off the NIC stays quiet, and the timer wakes the machine.

    Who switches wake off does so for a reason: battery, security, a noisy network.
    """
    adapter.set_power_management({"WakeOnMagicPacket": False})
    undo(adapter.set_power_management, {"WakeOnMagicPacket": True})
    adapter.wait_up()
    suspension = asleep("S3")
    partner.send([magic_packet(adapter.mac)])
    wake = machine.wait_awake(suspension)
    assert wake.by_timer, f"woken by {wake.source}"


@pytest.mark.requires("outlet", "partner")
def test_mains_lost_under_load(configured, adapter, machine, outlet, meter, traffic, undo, expect, full_rate):
    """Mains lost in the middle of traffic: the machine boots, the driver starts, settings and rate are as before.

    The morning after a power cut nobody wants to visit a thousand desks.
    """
    expect("power_loss")
    boot = machine.boot()
    with traffic.tcp(streams=4):
        outlet.off(witness=lambda: meter.read_w() < 1.0)
        undo(machine.ensure_awake)
        undo(outlet.on)
    outlet.on()
    machine.wait_booted(after=boot)
    adapter.wait_up()
    assert adapter.problem() == 0
    assert adapter.settings() == configured
    full_rate("after mains loss")
