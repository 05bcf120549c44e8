"""The link as Windows reports it, through restarts of the device and breaks of the cable."""

from __future__ import annotations

import pytest

from hil.traffic.frames import ETHERTYPE_EXPERIMENTAL, ethernet


def test_speed_and_duplex(driver, adapter):
    """The adapter reports the speed that the link was built for, full duplex.

    A link that trains low is the first thing a support line asks about.
    """
    info = adapter.wait_up()
    assert info.link_mbps == adapter.link_mbps
    assert info.full_duplex


def test_mac_survives_restart(driver, adapter):
    """A restart of the device leaves the MAC as it was, the permanent one.

    A MAC that changes breaks DHCP reservations, 802.1X and licences.
    """
    before = adapter.wait_up().mac
    adapter.restart()
    after = adapter.wait_up()
    assert after.mac == before == after.permanent_mac


@pytest.mark.hlk("DF - PNP Disable And Enable Device Test *")
def test_disable_and_enable(configured, adapter, undo):
    """A disabled adapter is problem 22 and silent; enabled again it works as before.

    The first thing that users and help desks try.
    """
    adapter.disable()
    undo(adapter.enable)
    assert adapter.problem() == 22  # CM_PROB_DISABLED
    adapter.enable()
    adapter.wait_up()
    assert adapter.problem() == 0
    assert adapter.settings() == configured


def test_restart_keeps_settings(configured, adapter):
    """A restart keeps every advanced property.

    Windows restarts the device at each change of a setting: one must not undo another.
    """
    adapter.restart()
    adapter.wait_up()
    assert adapter.settings() == configured


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - LinkCheck")
@pytest.mark.requires("cable")
def test_cable_pulled_and_returned(driver, adapter, cable, undo, full_rate):
    """Without a cable the link is down within five seconds; with it again, traffic flows at full rate.

    Roaming between ports must neither hang the driver nor cost speed.
    """
    cable.disconnect()
    undo(cable.connect)
    adapter.wait_down(timeout_s=5)
    assert adapter.problem() == 0
    cable.connect()
    adapter.wait_up()
    full_rate("after the cable came back")


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - Stats")
@pytest.mark.requires("wire")
@pytest.mark.parametrize("size_bytes", [60, 512, 1514])
def test_received_frames_are_counted(size_bytes, driver, adapter, partner):
    """Each unicast frame that the partner sends is counted once, with its bytes.

    Monitoring and billing read these counters; a frozen one hides a dead link.
    """
    adapter.wait_up()
    frame = ethernet(adapter.mac, partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(size_bytes - 14))
    before = adapter.statistics()
    assert partner.send([frame] * 1000) == 1000
    after = adapter.wait_statistics(lambda now: now.received_unicast_packets - before.received_unicast_packets >= 1000)
    assert after.received_unicast_packets - before.received_unicast_packets == 1000
    assert after.received_bytes - before.received_bytes >= 1000 * size_bytes
    assert after.received_discarded_packets == before.received_discarded_packets


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - Stats")
@pytest.mark.requires("partner")
def test_sent_frames_reach_the_partner(driver, adapter, partner, traffic):
    """What the adapter says it sent, the partner received: the two counts agree within 1 %.

    The rest is what both ends say on their own: ARP, neighbour discovery, acknowledgements in flight.
    """
    adapter.wait_up()
    sent, received = adapter.statistics(), partner.counters()
    traffic.tcp(streams=1, seconds=1, direction="send")
    sent_packets = adapter.statistics().sent_unicast_packets - sent.sent_unicast_packets
    received_packets = partner.counters().received_packets - received.received_packets
    assert sent_packets > 1000
    assert received_packets == pytest.approx(sent_packets, rel=0.01)
