"""Surprise removal at bad moments: asleep, in the middle of a resume, and with contacts that bounce."""

from __future__ import annotations

import pytest

from hil.instruments import AT_ONCE, BOUNCE, HAND
from hil.traffic.frames import magic_packet
from hil.wait import pause

pytestmark = [pytest.mark.requires("slot", "partner")]

BOUNCES = 5
GLITCH_S = 0.002
NOTICED_S = 1.0
"""By then Windows has begun with what a glitch leads to, if it leads to anything."""


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


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(AT_ONCE, id="at once"),
        pytest.param(BOUNCE, id="bouncing"),
        pytest.param(HAND, id="by hand", marks=pytest.mark.requires("timed_slot")),
    ],
)
def test_pull_profile(profile, configured, adapter, slot, traffic, undo, full_rate):
    """However the pins part and meet, under load in both directions, the NIC goes and comes back as it was.

    A dock is pulled at an angle, a cable's contacts bounce for a tenth of a second, a supply ends all at once.
    """
    undo(slot.plug)
    with traffic.tcp(streams=2, direction="both"):
        slot.pull(profile=profile)
        adapter.wait_absent()
    slot.plug(profile=profile)
    adapter.wait_up()
    assert adapter.problem() == 0
    assert adapter.settings() == configured
    full_rate(f"after a removal, {profile.name}")


def test_glitch(configured, adapter, slot, traffic, undo, full_rate):
    """A contact that opens for two milliseconds under load leaves a NIC that works, removed in between or not.

    A worn connector does this whenever the desk is bumped into.
    """
    undo(slot.plug)
    with traffic.tcp(streams=2, direction="both"):
        slot.glitch(GLITCH_S)
        pause(NOTICED_S, why="a removal by the glitch to be noticed")
    adapter.wait_up()
    assert adapter.problem() == 0
    assert adapter.settings() == configured
    full_rate("after a glitch")
