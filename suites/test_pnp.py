"""Surprise removal: the NIC's slot loses power while Windows runs, as when a dock is pulled."""

from __future__ import annotations

import statistics

import pytest

from hil.clock import now_s

pytestmark = [pytest.mark.requires("slot")]


@pytest.mark.hlk("DF - PNP Surprise Remove Device Test *")
def test_idle_removal(configured, adapter, slot, undo, record):
    """Pulling an idle NIC makes its devnode go, and plugging it brings it back with its settings.

    A user who undocks a quiet laptop must find the network as it was at the next desk.
    """
    slot.pull()
    undo(slot.plug)
    record("gone after pull", adapter.wait_absent(), "s")
    slot.plug()
    plugged_s = now_s()
    adapter.wait_up()
    record("up after plug", now_s() - plugged_s, "s")
    assert adapter.problem() == 0
    assert adapter.settings() == configured


@pytest.mark.hlk("DF - PNP Surprise Remove Device Test *")
@pytest.mark.requires("partner")
@pytest.mark.parametrize("direction", ["send", "receive", "both"])
def test_removal_under_load(direction, configured, adapter, slot, traffic, undo, full_rate):
    """Pulling the NIC while packets flow does not crash Windows, and it comes back as it was, at full rate.

    Undocking a laptop in the middle of a call does exactly this.
    """
    with traffic.tcp(streams=4, direction=direction):
        slot.pull()
        undo(slot.plug)
        adapter.wait_absent()
    slot.plug()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate(f"after removal under {direction} load")


@pytest.mark.hlk(
    "DF - PNP Surprise Remove Device Test *",
    "DF - PCI Root Port Surprise Remove Test (PCI devices only) (Reliability)",
)
@pytest.mark.requires("partner")
def test_ten_removals_in_a_row(configured, adapter, machine, slot, traffic, undo, record, limits, full_rate):
    """Ten removals under load leave no trace: settings, rate and kernel pool are as before.

    What leaks a little at each undocking takes a laptop down after a week without a reboot.
    """
    gone_s: list[float] = []
    undo(slot.plug)
    pool_before = machine.resource_usage().non_paged_pool_bytes
    for _ in range(10):
        with traffic.tcp(streams=1):
            slot.pull()
            gone_s.append(adapter.wait_absent())
        slot.plug()
        adapter.wait_up()
    grown_kb = (machine.resource_usage().non_paged_pool_bytes - pool_before) / 1024 / len(gone_s)
    record("gone after pull, median of 10", statistics.median(gone_s), "s")
    record("pool growth per removal", grown_kb, "KB", at_most=limits.pool_growth_kb_per_removal)
    assert len(gone_s) == 10
    assert grown_kb <= limits.pool_growth_kb_per_removal
    assert adapter.settings() == configured
    full_rate("after ten removals")


def test_removal_while_disabled(configured, adapter, slot, undo):
    """A NIC that was disabled, pulled and plugged is still disabled, and works once enabled.

    An administrator's decision must not be undone by moving the card.
    """
    adapter.disable()
    undo(adapter.enable)
    slot.pull()
    undo(slot.plug)
    adapter.wait_absent()
    slot.plug()
    adapter.wait_present()
    assert adapter.problem() == 22  # CM_PROB_DISABLED
    adapter.enable()
    adapter.wait_up()
    assert adapter.settings() == configured
