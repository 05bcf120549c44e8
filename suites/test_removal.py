"""Surprise removal at bad moments: asleep, in the middle of a resume, and with contacts that bounce."""

from __future__ import annotations

import pytest

from hil.traffic.frames import magic_packet

pytestmark = [pytest.mark.requires("slot", "partner")]

BOUNCES = 5


@pytest.mark.requires("meter", "button")
def test_removed_while_asleep(state, configured, adapter, machine, slot, button, asleep, undo, full_rate):
    """A NIC that is pulled while the machine sleeps is gone after the wake, and works again once plugged.

    Laptops are undocked asleep more often than awake.
    """
    sleep = asleep(state)
    slot.pull()
    undo(slot.plug)
    sleep.woken_by(button.press)
    adapter.wait_absent()
    slot.plug()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate(f"after removal in {state}")


@pytest.mark.requires("meter", "button")
def test_inserted_while_asleep(state, configured, adapter, slot, button, asleep, undo):
    """A NIC that is plugged while the machine sleeps is there after the wake, and works.

    The other half of docking: the lid is opened at the desk.
    """
    slot.pull()
    undo(slot.plug)
    adapter.wait_absent()
    sleep = asleep(state)
    slot.plug()
    sleep.woken_by(button.press)
    adapter.wait_up()
    assert adapter.settings() == configured


@pytest.mark.requires("meter")
def test_removed_during_resume(state, wakeful, adapter, machine, partner, slot, asleep, undo, full_rate):
    """A NIC that is pulled right after it woke the machine, while Windows resumes, takes nothing down with it.

    Who lifts a laptop off its dock because it wakes, pulls the NIC in the middle of its way to D0.
    """
    sleep = asleep(state)
    undo(slot.plug)

    def wake_and_pull():
        partner.send([magic_packet(adapter.mac)])
        slot.pull()

    sleep.woken_by(wake_and_pull)
    adapter.wait_absent()
    slot.plug()
    adapter.wait_up()
    assert adapter.settings() == wakeful
    full_rate(f"after removal in the resume from {state}")


@pytest.mark.parametrize("direction", ["send", "receive", "both"])
def test_bouncing_contacts(direction, configured, adapter, slot, traffic, undo, full_rate):
    """Contacts that open and close several times within a second, under load, leave a NIC that works as before.

    A connector is never pulled or plugged in one clean movement.
    """
    undo(slot.plug)
    with traffic.tcp(streams=2, direction=direction):
        for _ in range(BOUNCES):
            slot.pull()
            slot.plug()
    adapter.wait_up()
    assert adapter.problem() == 0
    assert adapter.settings() == configured
    full_rate(f"after bouncing contacts under {direction} load")
