"""What wakes a sleeping machine through the NIC, and what must not: magic packets, SecureOn, link change."""

from __future__ import annotations

import pytest

from hil.traffic.frames import BROADCAST, ETHERTYPE_EXPERIMENTAL, ethernet, magic_packet

pytestmark = [pytest.mark.requires("meter", "wire")]

FAST_ETHERNET = "4"  # *SpeedDuplex: 100 Mbit/s full duplex
STANDBY_MAGIC = "*ModernStandbyWoLMagicPacket"
PASSWORD = "02-A1-B2-C3-D4-E5"


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket")
@pytest.mark.parametrize("cast", ["broadcast", "unicast"])
@pytest.mark.parametrize("udp", [False, True], ids=["raw", "udp"])
def test_magic_packet(udp, cast, light, wakeful, adapter, partner, asleep, by_adapter):
    """A magic packet wakes the machine in a UDP datagram and in a raw frame, sent to all and to this NIC alone.

    Tools differ in how they send it, and routers in what they let through.
    """
    target = BROADCAST if cast == "broadcast" else adapter.mac
    by_adapter(asleep(light).woken_by(partner.send, [magic_packet(adapter.mac, udp=udp, target=target)]))


def test_magic_packet_at_reduced_speed(light, wakeful, adapter, partner, asleep, by_adapter, undo):
    """A link that is forced to 100 Mbit/s wakes the machine as the full one does.

    Switches and drivers slow links down to save power, at night above all.
    """
    before = adapter.settings()["*SpeedDuplex"]
    adapter.set("*SpeedDuplex", FAST_ETHERNET)
    undo(adapter.wait_up)
    undo(adapter.set, "*SpeedDuplex", before)
    assert adapter.wait_up().link_mbps == 100
    by_adapter(asleep(light).woken_by(partner.send, [magic_packet(adapter.mac)]))
    assert adapter.wait_up().link_mbps == 100


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket")
def test_other_frames_do_not_wake(light, wakeful, adapter, partner, asleep, by_adapter):
    """What is nearly a magic packet for this machine, or nothing of the kind, does not wake it; the right one does.

    A laptop that wakes in a bag because of its neighbours' traffic is hot and empty by the morning.
    """
    good = magic_packet(adapter.mac)
    nearly = {
        "another machine's": magic_packet(_other(adapter.mac)),
        "one bit off in the last copy": good[:115] + bytes([good[115] ^ 1]) + good[116:],
        "15 repetitions": magic_packet(adapter.mac, repetitions=15),
        "5 bytes FF": good.replace(b"\x08\x42" + b"\xff" * 6, b"\x08\x42\x00" + b"\xff" * 5),
        "a broadcast": ethernet(BROADCAST, partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(46)),
        "a unicast": ethernet(adapter.mac, partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(46)),
    }
    sleep = asleep(light, stays=len(nearly))
    for name, frame in nearly.items():
        assert partner.send([frame]) == 1
        sleep.stays(name)
    by_adapter(sleep.woken_by(partner.send, [good]))


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket")
def test_disarmed_stays_asleep(light, wakeful, adapter, partner, asleep, undo, limits):
    """With wake on magic packet switched off the NIC stays quiet, and the timer wakes the machine.

    Who switches wake off does so for a reason: battery, security, a noisy network.
    """
    adapter.set_power_management({"WakeOnMagicPacket": False})
    undo(adapter.set_power_management, {"WakeOnMagicPacket": True})
    adapter.wait_up()
    sleep = asleep(light, wake_after_s=limits.wake_timer_s)
    partner.send([magic_packet(adapter.mac)])
    wake = sleep.ended()
    assert wake.by_timer, f"woken by {wake.source}: {wake.source_text}"


@pytest.mark.requires("S0ix")
def test_standby_without_its_keyword(configured, adapter, partner, asleep, undo, limits):
    """Modern Standby is not ended by a magic packet unless the keyword of its own says so, whatever S3 would do.

    It is off by default: a laptop in its bag must not be woken by whoever scans the network.
    """
    if configured.get(STANDBY_MAGIC) == "1":
        adapter.set(STANDBY_MAGIC, "0")
        undo(adapter.set, STANDBY_MAGIC, "1")
        adapter.wait_up()
    sleep = asleep("S0ix", wake_after_s=limits.wake_timer_s)
    partner.send([magic_packet(adapter.mac)])
    wake = sleep.ended()
    assert wake.by_timer, f"woken by {wake.source}: {wake.source_text}"


@pytest.mark.requires("secureon")
def test_secureon_password(bench, light, wakeful, adapter, partner, asleep, by_adapter, undo):
    """With a SecureOn password set, only the magic packet that carries it wakes the machine.

    The password is what keeps a stranger on the network from starting machines.
    """
    keyword = bench.testbed.adapter.wake.secureon_keyword
    before = adapter.settings()[keyword]
    adapter.set(keyword, PASSWORD.replace("-", ""))
    undo(adapter.set, keyword, before)
    adapter.wait_up()
    sleep = asleep(light, stays=2)
    for name, password in {"no password": None, "a wrong password": _other(PASSWORD)}.items():
        partner.send([magic_packet(adapter.mac, password)])
        sleep.stays(name)
    by_adapter(sleep.woken_by(partner.send, [magic_packet(adapter.mac, PASSWORD)]))


@pytest.fixture
def link_wake(bench, adapter, undo):
    """``link_wake(True)``: wake on link change is armed, by the driver's own property."""
    keyword = bench.testbed.adapter.wake.link_keyword

    def arm(on):
        before = adapter.settings()[keyword]
        adapter.set(keyword, int(on))
        undo(adapter.wait_up)
        undo(adapter.set, keyword, before)
        adapter.wait_up()

    return arm


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WakeOnLinkChange")
@pytest.mark.requires("cable", "wake_on_link")
@pytest.mark.parametrize("change", ["disconnect", "connect"])
def test_link_change(change, link_wake, light, wakeful, adapter, cable, asleep, by_adapter, undo):
    """Armed for it, the NIC wakes the machine when the cable goes, and when it comes.

    A server room learns of a pulled cable, a docked laptop of its network.
    """
    link_wake(True)
    undo(cable.connect)
    if change == "connect":
        cable.disconnect()
        adapter.wait_down()
    by_adapter(asleep(light).woken_by(getattr(cable, change)))
    cable.connect()
    adapter.wait_up()


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WakeOnLinkChange")
@pytest.mark.requires("cable", "wake_on_link")
def test_link_change_disarmed(link_wake, light, wakeful, adapter, cable, partner, asleep, by_adapter, undo):
    """Not armed for link changes, the machine sleeps through them, and a magic packet wakes it on the new link.

    Switches restart at night: not every machine of the floor shall wake, and each must still be reachable.
    """
    link_wake(False)
    undo(cable.connect)
    sleep = asleep(light, stays=2)
    cable.disconnect()
    sleep.stays("cable out")
    cable.connect()
    sleep.stays("cable in")
    by_adapter(sleep.woken_by(partner.send, [magic_packet(adapter.mac)]))


def _other(mac):
    """Differs in the last bit only."""
    return f"{mac[:-2]}{int(mac[-2:], 16) ^ 1:02X}"
