"""Plug, link, sleep, counters and programs of the virtual NIC, as the Windows model uses them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from virtual_wire import MAC, MACHINE, VirtualWire, checksum_errors, eventually, virtual_wire

from hil import netns
from hil.errors import BenchError
from hil.traffic.frames import BROADCAST, ETHERTYPE_EXPERIMENTAL, ethernet, magic_packet
from hil.virtual.faults import Fault
from hil.virtual.faults.datapath import BadChecksumOnTransmit, FramesDroppedUnderLoad
from hil.virtual.nic import Offloads

MULTICAST = "01-00-5E-00-00-FB"
SEND_RAW = """
import socket, sys
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
port.bind(("nic0", 0))
frames = [bytes.fromhex(word) for word in sys.argv[1:]]
for _ in range(100):
    for frame in frames:
        port.send(frame)
"""


def test_counters_agree_frame_by_frame(wire: VirtualWire) -> None:
    """Both ends count the same frames and bytes, by kind of target, super-frames as what they are cut into.

    The suites compare the adapter's counters with the partner's; a model that miscounts fails good drivers.
    """
    partner = wire.partner.mac
    frames = [ethernet(to, MAC, ETHERTYPE_EXPERIMENTAL, bytes(486)) for to in (partner, MULTICAST, BROADCAST)]
    before, there = wire.do(wire.nic.counters), wire.partner.counters()
    wire.inside_machine(SEND_RAW, *(frame.hex() for frame in frames))
    back = [ethernet(to, partner, ETHERTYPE_EXPERIMENTAL, bytes(486)) for to in (MAC, MULTICAST, BROADCAST)]
    assert wire.partner.send(back * 100) == 300
    wire.traffic.tcp(seconds=1)
    eventually(lambda: since(wire, before)["ReceivedBroadcastPackets"] >= 100)
    counted, now = since(wire, before), wire.partner.counters() - there
    for way in ("Sent", "Received"):
        assert counted[f"{way}BroadcastPackets"] >= 100
        assert counted[f"{way}MulticastPackets"] >= 100
        assert counted[f"{way}MulticastBytes"] >= 100 * 500
    assert now.received_bytes == counted["SentBytes"]
    casts = ("Unicast", "Multicast", "Broadcast")
    assert now.received_packets == sum(counted[f"Sent{cast}Packets"] for cast in casts) > 50_000
    assert now.sent_packets == sum(counted[f"Received{cast}Packets"] for cast in casts)


def since(wire: VirtualWire, before: dict[str, int]) -> dict[str, int]:
    now = wire.do(wire.nic.counters)
    return {name: now[name] - before[name] for name in now}


def test_frames_for_others_are_not_taken(wire: VirtualWire) -> None:
    """A unicast frame for another MAC is neither counted nor handed up: the NIC's filter is the hardware's.

    Without it, a switch that floods would show as load on the machine.
    """
    before = wire.do(wire.nic.counters)["ReceivedUnicastPackets"]
    foreign = ethernet("02-1D-0F-00-00-02", wire.partner.mac, ETHERTYPE_EXPERIMENTAL, b"not for you")
    mine = ethernet(MAC, wire.partner.mac, ETHERTYPE_EXPERIMENTAL, b"for you")
    assert wire.partner.send([foreign] * 50 + [mine]) == 51
    eventually(lambda: wire.do(wire.nic.counters)["ReceivedUnicastPackets"] > before)
    assert wire.do(wire.nic.counters)["ReceivedUnicastPackets"] == before + 1


def test_short_frames_are_padded(wire: VirtualWire) -> None:
    """A frame shorter than 60 bytes leaves padded with zeros, as hardware sends it."""
    short = bytes.fromhex("ffffffffffff021d0f00000188b5") + b"tiny"
    with wire.partner.capture(ethertype=ETHERTYPE_EXPERIMENTAL) as capture:
        wire.inside_machine(SEND_RAW, short.hex())
        eventually(lambda: len(capture.frames()) >= 100)
    assert {one.data for one in capture.frames()} == {short.ljust(60, b"\0")}


CONNECTION = """
import socket, sys
link = socket.create_connection(("198.18.0.2", int(sys.argv[1])))
print("connected", flush=True)
try:
    link.recv(1)
except OSError as error:
    print(error.errno)
"""
ACCEPT = """
import socket
server = socket.create_server(("198.18.0.2", 0))
print(server.getsockname()[1], flush=True)
link = server.accept()[0]
link.recv(1)
"""


def test_unplug_aborts_connections_and_drops_the_link(wire: VirtualWire) -> None:
    """A pulled NIC takes its connections with it at once, and the partner loses the link; both are back after plug.

    Windows aborts sockets when their interface goes: programs on it must see that in milliseconds, not in minutes.
    """
    with ExitStack() as stack:
        server = stack.enter_context(popen(wire.nic.partner_netns, ACCEPT))
        port = line_of(server)
        client = stack.enter_context(popen(wire.nic.machine_netns, CONNECTION, port))
        assert line_of(client) == "connected"
        started = time.monotonic()
        wire.do(wire.nic.unplug)
        try:
            assert line_of(client) == "103"  # ECONNABORTED
            assert time.monotonic() - started < 2
            assert "nic0" not in wire.inside_machine("print(open('/proc/net/dev').read())")
            assert not wire.partner.carrier
        finally:
            wire.plug()
    assert eventually(lambda: wire.partner.carrier)
    assert wire.traffic.tcp(seconds=1).mbps > 500


@contextmanager
def popen(namespace: str, code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    argv = netns.argv(namespace, [sys.executable, "-c", code, *arguments])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_plug_with_another_mac_and_mtu(wire: VirtualWire) -> None:
    """Each plug starts with its own MAC, MTU and offloads, and with counters at zero.

    NetworkAddress and jumbo frames are settings that suites change.
    """
    wire.plug("02-1D-0F-00-00-99", 9000, Offloads(lso_v4=False, lso_v6=False))
    try:
        assert sum(wire.do(wire.nic.counters).values()) < 5000
        wire.partner.set_mtu(9000)
        with wire.partner.capture(limit=3000) as capture:
            assert wire.traffic.tcp(seconds=1).mbps > 500
        assert max(len(one.data) for one in capture.frames()) == 9014
        assert {one.data[6:12].hex() for one in capture.frames()} == {"021d0f000099"}
    finally:
        wire.partner.set_mtu(1500)
        wire.plug()


def test_cable(wire: VirtualWire) -> None:
    """Without a cable both ends see no carrier; with it again, traffic flows."""
    assert machine_has_carrier(wire)
    wire.do(wire.nic.set_link, False)
    assert eventually(lambda: not wire.partner.carrier)
    assert eventually(lambda: not machine_has_carrier(wire))
    wire.do(wire.nic.set_link, True)
    assert eventually(lambda: wire.partner.carrier)
    assert eventually(lambda: machine_has_carrier(wire))
    assert wire.traffic.tcp(seconds=1).mbps > 500


def machine_has_carrier(wire: VirtualWire) -> bool:
    """ETHTOOL_GLINK of the machine's interface."""
    code = """
import array, fcntl, socket, struct
words = array.array("I", [0x0A, 0])
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("@16sP8x", b"nic0", words.buffer_info()[0]))
print(words[1])
"""
    return wire.inside_machine(code).strip() != "0"


def test_asleep_and_listening(wire: VirtualWire) -> None:
    """A sleeping NIC hands frames for it to wake() and none to the host; not those for another MAC.

    Waking by magic packet is decided from these frames alone.
    """
    wire.woken.clear()
    wire.do(wire.nic.suspend, True)
    before = wire.do(wire.nic.counters)
    magic = magic_packet(MAC)
    foreign = magic_packet(MAC, target="02-1D-0F-00-00-02")
    assert wire.partner.send([foreign, magic]) == 2
    assert eventually(lambda: magic in wire.woken)
    assert foreign not in wire.woken
    assert wire.do(wire.nic.counters) == before
    wire.do(wire.nic.resume)
    wire.woken.clear()
    assert wire.partner.send([magic]) == 1
    assert wire.traffic.tcp(seconds=1).mbps > 500
    assert wire.woken == []


def test_flood_while_asleep_does_no_harm(wire: VirtualWire) -> None:
    """More frames than anyone can look at reach a sleeping NIC: the bench stays responsive, and wakes afterwards."""
    wire.do(wire.nic.suspend, True)
    noise = ethernet(MAC, wire.partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(1000))
    assert wire.partner.send([noise] * 20_000) == 20_000
    magic = magic_packet(MAC)
    assert eventually(lambda: wire.partner.send([magic]) and magic in wire.woken)
    wire.do(wire.nic.resume)
    wire.woken.clear()


def test_asleep_without_wake_drops_the_link(wire: VirtualWire) -> None:
    """A NIC that sleeps unarmed has no link: the partner sees that, and nothing reaches wake()."""
    wire.do(wire.nic.suspend, False)
    assert eventually(lambda: not wire.partner.carrier)
    wire.do(wire.nic.resume)
    assert eventually(lambda: wire.partner.carrier)
    assert wire.woken == []


def state(pid: int) -> str:
    """Of a process, as proc(5) writes it; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_programs_sleep_wake_and_die_with_the_machine(wire: VirtualWire) -> None:
    """Programs of the machine stop with its sleep, go on with its wake, and are gone with its power."""
    program = wire.wait(wire.nic.run(["sleep", "60"]))
    assert eventually(lambda: state(program.pid) == "S")
    wire.do(wire.nic.freeze)
    assert eventually(lambda: state(program.pid) == "T")
    wire.do(wire.nic.thaw)
    assert eventually(lambda: state(program.pid) == "S")
    wire.do(wire.nic.kill_all)
    assert wire.wait(program.wait()) == -signal.SIGKILL


class LosesHalf(Fault):
    """Half of the frames, each way, whatever the load."""

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 0.5

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        return 0.5


def test_losses_of_a_fault_are_per_frame() -> None:
    """A fault that loses half of the frames loses about half, each way; receive losses are counted as discards."""
    with virtual_wire(faults=[LosesHalf()]) as wire:
        frame = ethernet(wire.partner.mac, MAC, ETHERTYPE_EXPERIMENTAL, b"there")
        with wire.partner.capture(ethertype=ETHERTYPE_EXPERIMENTAL) as capture:
            wire.inside_machine(SEND_RAW, *[frame.hex()] * 5)
            eventually(lambda: wire.do(wire.nic.counters)["SentUnicastPackets"] == len(capture.frames()) > 150)
        assert 150 <= len(capture.frames()) <= 350  # 500 frames, p = 0.5: nine standard deviations
        back = ethernet(MAC, wire.partner.mac, ETHERTYPE_EXPERIMENTAL, b"and back")
        before = wire.do(wire.nic.counters)
        assert wire.partner.send([back] * 2000) == 2000
        eventually(lambda: received(wire, before)[0] + received(wire, before)[1] >= 2000)
        taken, discarded = received(wire, before)
        assert taken + discarded >= 2000
        assert 800 <= discarded <= 1200


def received(wire: VirtualWire, before: dict[str, int]) -> tuple[int, int]:
    now = since(wire, before)
    return now["ReceivedUnicastPackets"], now["ReceivedDiscardedPackets"]


def test_loss_under_load_shows_in_udp_and_tcp() -> None:
    """Frames dropped above 300 Mbit/s show as UDP loss at half load, and not at a tenth of it."""
    with virtual_wire(faults=[FramesDroppedUnderLoad()]) as wire:
        assert wire.traffic.udp(mbps=50, seconds=1).loss_ratio <= 0.001
        assert wire.traffic.udp(mbps=500, seconds=1).loss_ratio >= 0.005


def test_bad_checksums_reach_the_wire() -> None:
    """A checksum engine that errs at every fiftieth segment is seen so by the partner, and costs throughput."""
    with virtual_wire(faults=[BadChecksumOnTransmit()]) as wire:
        with wire.traffic.tcp(), wire.partner.capture(limit=3000) as capture:
            eventually(lambda: len(capture.frames()) >= 1000)
        wrong = sum(checksum_errors(one.data) == ["TCP"] for one in capture.frames())
        assert 0.015 <= wrong / len(capture.frames()) <= 0.025
        assert wire.traffic.tcp(seconds=1).mbps < 0.9 * 941


HOLD = """
import asyncio, sys
from hil.virtual.faults.chain import FaultChain
from hil.virtual.nic import Nic
async def main():
    nic = Nic(name="held", link_mbps=1000, true_frames=True, mac="02-1D-0F-00-00-01", faults=FaultChain(),
              wake=print, loop=asyncio.get_running_loop())
    nic.open()
    nic.plug("02-1D-0F-00-00-01")
    nic.set_partner_address(["198.18.0.2/24"])
    program = await nic.run(["sleep", "600"])
    print(program.pid, nic.partner_netns, nic.datapath_pid, flush=True)
    await asyncio.sleep(600)
try:
    asyncio.run(main())
except Exception as error:
    print(type(error).__name__, error)
"""


def hold(*prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*prefix, sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)


def test_nothing_is_left_after_a_kill(wire: VirtualWire) -> None:
    """SIGKILL of the bench takes data path, programs and namespaces with it.

    A night of crashes must not fill the computer with leftovers.
    """
    with hold() as bench:
        program, namespace, datapath = line_of(bench).split()
        assert state(int(program)) and state(int(datapath))
        bench.kill()
        bench.wait()
    assert eventually(lambda: state(int(program)) in ("", "Z") and state(int(datapath)) in ("", "Z"))
    assert not Path(namespace).exists()


without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
needs_setpriv = pytest.mark.skipif(os.geteuid() != 0, reason="gives up capabilities, so it must have them first")


@needs_setpriv
def test_missing_right_is_named() -> None:
    """Without the right to make namespaces, the error names it, and what to do.

    The bench then comes up without a wire and its tests are skipped with this very cause.
    """
    with hold(*without_rights) as bench:
        said = bench.communicate(timeout=20)[0]
    assert said.startswith("BenchError a network namespace")
    assert "CAP_SYS_ADMIN" in said


def test_unprivileged_in_a_user_namespace() -> None:
    """A user without any right has the whole wire inside a user namespace, and his other processes can enter it.

    That is how CI runners work: no root, but user namespaces.
    """
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    for needed in (["unshare", "-Urn", "true"], ["unshare", "-Urn", sys.executable, "-c", "import hil.virtual.nic"]):
        probe = subprocess.run([*nobody, *needed], capture_output=True, text=True, timeout=20)
        if probe.returncode:
            pytest.skip(f"an unprivileged user may not run {' '.join(needed)}: {probe.stderr.strip()[-200:]}")
    with hold(*nobody, "unshare", "-Urn") as bench:
        words = line_of(bench).split()
        assert len(words) == 3, words
        argv = [*nobody, sys.executable, "-c", ENTER, words[1]]
        entered = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        bench.kill()
    assert "partner0:" in entered.stdout, entered.stderr


ENTER = """
import subprocess, sys
from hil import netns
from hil.errors import BenchError
subprocess.run(netns.argv(sys.argv[1], ["cat", "/proc/net/dev"]), check=True)
"""


def test_a_namespace_that_is_gone_is_told() -> None:
    """Entering what does not exist ends with a code of its own and a sentence, not with a traceback."""
    done = subprocess.run(netns.argv("/proc/1/fd/99999", ["true"]), capture_output=True, text=True, timeout=20)
    assert done.returncode == netns.NOT_STARTED
    assert re.fullmatch(r"cannot enter the network namespace /proc/1/fd/99999: .+\n", done.stderr)


def test_machine_address_is_where_it_should_be(wire: VirtualWire) -> None:
    """Addresses are replaced, not added, and come back with the next plug."""
    wire.do(wire.nic.set_address, ["198.18.0.77/24"])
    wire.plug()
    try:
        table = wire.inside_machine("print(open('/proc/net/fib_trie').read())")
        assert "198.18.0.77" in table and MACHINE + "\n" not in table
    finally:
        wire.do(wire.nic.set_address, [f"{MACHINE}/24", "fd00::1/64"])


def test_a_data_path_that_died_is_told_and_cleaned_up() -> None:
    """When the process that moves frames is killed, the next request says so, and closing leaves nothing behind."""
    with virtual_wire() as wire:
        os.kill(wire.nic.datapath_pid, signal.SIGKILL)
        with pytest.raises(BenchError, match="data path"):
            wire.do(wire.nic.suspend, True)
        wire.do(wire.nic.close)
        assert not Path(wire.nic.machine_netns).exists()
