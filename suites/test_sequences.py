"""Orders of three operations: each works alone, and each two of them do. `hil storm` looks for more."""

from __future__ import annotations

import pytest


@pytest.mark.requires("meter", "button", "partner")
def test_sleep_while_disabled(configured, adapter, asleep, light, button, undo, full_rate):
    """Disabled, through sleep, and enabled again, the adapter has its settings and its rate.

    Who works in the office by cable disables the radio, and enables it after a journey with the lid closed.
    """
    adapter.disable()
    undo(adapter.enable)
    asleep(light).woken_by(button.press)
    adapter.enable()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate("enabled after a sleep")


@pytest.mark.requires("slot")
def test_removal_after_change(configured, adapter, slot, undo):
    """A setting changed, the device restarted, and the NIC pulled: Windows goes on, and it comes back as it was.

    A help desk changes a setting, restarts the adapter as nothing is better, and then says: take it out.
    """
    adapter.restart()
    adapter.wait_up()
    slot.pull()
    undo(slot.plug)
    adapter.wait_absent()
    slot.plug()
    adapter.wait_up()
    assert adapter.settings() == configured


@pytest.mark.requires("cable", "meter", "button", "partner")
def test_sleep_without_cable(configured, adapter, cable, asleep, light, button, undo, full_rate):
    """The cable out, through sleep, and the cable back: the link returns, with the settings and the rate as before.

    A laptop is carried home from one desk to the other.
    """
    cable.disconnect()
    undo(cable.connect)
    adapter.wait_down()
    asleep(light).woken_by(button.press)
    cable.connect()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate("with the cable back after a sleep")
