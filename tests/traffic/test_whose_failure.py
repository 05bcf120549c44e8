"""Load that does not flow: told as the device's failure or the bench's, by what each of them shows."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator

import pytest
from virtual_wire import MACHINE, LinuxMachine, LocalServer, VirtualWire, eventually, virtual_wire

from hil.errors import BenchError, DutError, LinkLost
from hil.traffic import Direction, Traffic, traffic
from hil.virtual.faults import Fault

KNOCK = "import socket, sys; s = socket.socket(); s.settimeout(3); print(s.connect_ex((sys.argv[1], 9)))"
"""At a port where nobody listens: refused by a machine that can be reached."""

pytestmark = pytest.mark.skipif(not shutil.which("iperf3"), reason="iperf3 is not installed on this computer")


class Deaf(Fault):
    """From ``ways`` on the link stays up, and frames of these directions are lost."""

    ways: frozenset[str] = frozenset()

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 1.0 if "sent" in self.ways else ratio

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 1.0 if "received" in self.ways else ratio


@pytest.fixture(scope="module")
def deaf() -> Deaf:
    return Deaf()


@pytest.fixture(scope="module")
def long_wire(deaf: Deaf) -> Iterator[VirtualWire]:
    with virtual_wire(faults=[deaf]) as opened:
        yield opened


@pytest.fixture
def wire(long_wire: VirtualWire, deaf: Deaf, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualWire]:
    """Its iperf3 gives up soon."""
    monkeypatch.setattr(traffic, "_CONNECT_S", 1.0)
    monkeypatch.setattr(traffic, "_END_MARGIN_S", 2.0)
    yield long_wire
    deaf.ways = frozenset()
    long_wire.adapter.link.status = "Up"
    long_wire.do(long_wire.nic.set_link, True)
    assert eventually(lambda: long_wire.partner.carrier)
    # the kernel remembers for a while that nobody answered its ARP
    assert eventually(lambda: long_wire.inside_partner(KNOCK, MACHINE).strip() == str(errno.ECONNREFUSED), 10)


@pytest.mark.parametrize("ways", [{"sent"}, {"received"}, {"sent", "received"}])
def test_link_up_and_nothing_passes(wire: VirtualWire, deaf: Deaf, ways: set[str]) -> None:
    """A link that is up and carries nothing is the device's failure, and says that it does not even answer ARP.

    It is what users report most of a NIC after sleep or undocking; an unfit bench would send nobody to the driver.
    """
    deaf.ways = frozenset(ways)
    with pytest.raises(DutError, match=r"adapter is Up, and does not answer 3 questions for 198\.18\.0\.1"):
        wire.traffic.tcp(seconds=1)
    with pytest.raises(DutError, match=r"to flow.*does not answer"), wire.traffic.tcp():
        pytest.fail("there is no load")


@pytest.mark.parametrize("way", ["sent", "received"])
@pytest.mark.parametrize("direction", ["send", "receive"])
def test_falls_silent_in_mid_transfer(wire: VirtualWire, deaf: Deaf, way: str, direction: Direction) -> None:
    """A queue that hangs in the middle of a transfer is the device's failure, in whichever direction it was used.

    The download stops at half, the icon says connected.
    """

    def hang() -> None:
        deaf.ways = frozenset({way})

    timer = threading.Timer(0.5, hang)
    timer.start()
    with pytest.raises(DutError, match="does not answer"):
        wire.traffic.tcp(seconds=2, direction=direction)
    timer.join()


def test_link_lost(wire: VirtualWire) -> None:
    """Where Windows sees no link either, the failure says so."""
    wire.do(wire.nic.set_link, False)
    wire.adapter.link.status = "Disconnected"
    with pytest.raises(LinkLost, match="Disconnected"):
        wire.traffic.tcp(seconds=1)


def test_no_link_at_the_partner_alone(wire: VirtualWire) -> None:
    """With the adapter up and the partner's port without link, what lies between them is the bench's.

    A cable that came off must not turn a night of drivers red.
    """
    wire.do(wire.nic.set_link, False)
    with pytest.raises(BenchError, match="partner's port has no link"):
        wire.traffic.tcp(seconds=1)


class OtherServer(LinuxMachine):
    """A machine on which another program stands in the place of iperf3.exe."""

    def __init__(self, namespace: str, script: str) -> None:
        super().__init__(namespace)
        self._script = script

    def start(self, exe: str, *args: str) -> LocalServer:
        return LocalServer(self._namespace, ["sh", "-c", self._script])


@pytest.mark.parametrize(
    ("script", "told"), [("exec sleep 20", "Connection refused"), ("echo listening; sleep 0.2", "an iperf3 server")]
)
def test_server_that_does_not_serve(wire: VirtualWire, script: str, told: str) -> None:
    """A machine that answers at a port where nobody listens, or whose server ended, has no bad driver."""
    machine = OtherServer(wire.nic.machine_netns, script)
    load = Traffic(machine, wire.adapter, wire.partner, wire.traffic.tools, wire.journal)
    with pytest.raises(BenchError, match=told):
        load.tcp(seconds=1)


def test_client_that_cannot(wire: VirtualWire, monkeypatch: pytest.MonkeyPatch) -> None:
    """What iperf3 has against its own computer is the bench's: here a congestion control that the kernel lacks."""
    arguments = traffic.iperf3.tcp_client

    def odd(*args: str, **named: object) -> list[str]:
        return ["no-such" if word == "cubic" else word for word in arguments(*args, **named)]  # type: ignore[arg-type]

    monkeypatch.setattr(traffic.iperf3, "tcp_client", odd)
    with pytest.raises(BenchError, match="congestion"):
        wire.traffic.tcp(seconds=1)
