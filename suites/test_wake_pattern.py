"""Wake by pattern. Windows has no way to set a pattern of one's own without a protocol driver, so these are its own:
TCP SYN to each address of the adapter, and the NetBIOS query for the computer's name."""

from __future__ import annotations

import ipaddress

import pytest

from hil.traffic.frames import magic_packet
from hil.traffic.packets import netbios_query, ping, tcp

pytestmark = [pytest.mark.requires("meter", "wire", "wake_patterns", "S3")]


@pytest.fixture
def own(adapter, machine):
    """The adapter's addresses and the computer's name, by what is asked for."""
    ipv4 = adapter.wanted.address.partition("/")[0]
    return {"IPv4": ipv4, "IPv6": adapter.link_local(), "NetBIOS": machine.os().computer_name}


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolPattern")
@pytest.mark.parametrize("pattern", ["IPv4", "IPv6", "NetBIOS"])
def test_pattern(pattern, configured, own, adapter, partner, asleep, by_adapter):
    """A connection to the machine, over IPv4 or IPv6, and a query for its name wake it.

    Whoever opens a share or a remote desktop does not know that the machine sleeps.
    """
    knock = netbios_query(own[pattern], partner) if pattern == "NetBIOS" else tcp(adapter.mac, own[pattern], partner)
    by_adapter(asleep("S3").woken_by(partner.send, [knock]))


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolPattern")
def test_near_misses_do_not_wake(configured, own, adapter, partner, asleep, by_adapter):
    """One bit off in address, flags or name, or a ping, is no match; the pattern itself is one, right after them.

    Scanners and chatty neighbours touch every machine of a network, all night.
    """
    neighbour = str(ipaddress.ip_address(int(ipaddress.ip_address(own["IPv4"])) ^ 1))
    name = own["NetBIOS"][:-1] + chr(ord(own["NetBIOS"][-1]) ^ 1)
    nearly = {
        "SYN to the next address": tcp(adapter.mac, neighbour, partner),
        "SYN with ACK": tcp(adapter.mac, own["IPv4"], partner, flags="SA"),
        "ACK alone": tcp(adapter.mac, own["IPv4"], partner, flags="A"),
        "query for another name": netbios_query(name, partner),
        "ping": ping(adapter.mac, own["IPv4"], partner),
    }
    sleep = asleep("S3", stays=len(nearly))
    for what, frame in nearly.items():
        assert partner.send([frame]) == 1
        sleep.stays(what)
    by_adapter(sleep.woken_by(partner.send, [tcp(adapter.mac, own["IPv4"], partner)]))


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolPattern")
def test_patterns_disarmed(configured, own, adapter, partner, asleep, by_adapter, undo):
    """With wake on pattern switched off a connection does not wake the machine, and a magic packet still does.

    This is how administrators keep scanners from waking a floor, and their own tools working.
    """
    adapter.set_power_management({"WakeOnPattern": False})
    undo(adapter.set_power_management, {"WakeOnPattern": True})
    adapter.wait_up()
    sleep = asleep("S3", stays=1)
    partner.send([tcp(adapter.mac, own["IPv4"], partner)])
    sleep.stays("SYN with patterns off")
    by_adapter(sleep.woken_by(partner.send, [magic_packet(adapter.mac)]))


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolPattern")
def test_every_pattern_has_its_place(bench, configured, adapter, partner, asleep, by_adapter, undo, record):
    """As many patterns as the adapter states are armed by giving it addresses; the first and the last of them wake.

    Device.Network.LAN.PM.WakeOnLANPatterns asks for eight. A table that is shorter than stated drops the last silently.
    """
    stated = bench.testbed.adapter.wake.patterns
    first, added = adapter.wanted.address.partition("/")[0], []
    for address in _further(adapter.wanted.address, stated):
        before = _armed(adapter)
        adapter.add_address(f"{address}/32")
        undo(adapter.remove_address, f"{address}/32")
        if _armed(adapter) == before:
            break
        added.append(address)
    record("patterns armed", _armed(adapter))
    assert added, f"{_armed(adapter)} patterns armed, and none more for another address"
    assert _armed(adapter) == stated
    adapter.wait_up()
    for address in (first, added[-1]):
        by_adapter(asleep("S3").woken_by(partner.send, [tcp(adapter.mac, address, partner)]))
        adapter.wait_up()


def _armed(adapter):
    """Patterns beside the magic packet, which has a place of its own."""
    return sum(pattern.kind != "magic packet" for pattern in adapter.wake_patterns())


def _further(cidr, count):
    """Addresses of the adapter's network, far from those in use."""
    network = ipaddress.ip_interface(cidr).network
    return [str(network[100 + number]) for number in range(count)]
