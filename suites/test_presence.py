"""Presence: the sleeping NIC answers ARP and neighbour solicitations for the machine, when it was told to."""

from __future__ import annotations

import ipaddress

import pytest

from hil.traffic.frames import magic_packet
from hil.traffic.packets import resolve

pytestmark = [pytest.mark.requires("meter", "wire")]

OFFLOADS = {"IPv4": "ArpOffload", "IPv6": "NSOffload"}


@pytest.fixture(params=list(OFFLOADS))
def family(request):
    return request.param


@pytest.fixture
def address(family, adapter):
    """The adapter's own, static for IPv4, link-local for IPv6."""
    return adapter.wanted.address.partition("/")[0] if family == "IPv4" else adapter.link_local()


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - KeepAlive")
def test_sleeping_nic_answers(family, light, wakeful, address, adapter, partner, asleep, by_adapter):
    """Asleep, the NIC answers for its own address with its own MAC, for no other address, and wakes nobody by it.

    Without it switches and routers forget the machine, and nothing that shall wake it gets there.
    """
    nobodys = str(ipaddress.ip_address(int(ipaddress.ip_address(address)) ^ 0x40))
    sleep = asleep(light, stays=1)
    assert resolve(partner, address) == adapter.mac
    assert resolve(partner, nobodys) is None
    sleep.stays("questions for its address")
    by_adapter(sleep.woken_by(partner.send, [magic_packet(adapter.mac)]))


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - KeepAlive")
def test_silent_when_switched_off(family, light, wakeful, address, adapter, partner, asleep, by_adapter, undo):
    """With the offload switched off nobody answers for the sleeping machine.

    The setting is the only proof that the answers of the other test come from the NIC.
    """
    adapter.set_power_management({OFFLOADS[family]: False})
    undo(adapter.set_power_management, {OFFLOADS[family]: True})
    adapter.wait_up()
    sleep = asleep(light)
    assert resolve(partner, address) is None
    by_adapter(sleep.woken_by(partner.send, [magic_packet(adapter.mac)]))
