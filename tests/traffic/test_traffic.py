"""Load by iperf3 over the virtual wire: measured, in the background, and when things go wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from virtual_wire import LinuxMachine, LocalServer, VirtualWire, eventually

from hil import netns
from hil.errors import BenchError, DutError, UsageError
from hil.traffic import Direction, Traffic

pytestmark = pytest.mark.skipif(not shutil.which("iperf3"), reason="iperf3 is not installed on this computer")


def running_iperf3() -> set[int]:
    """Processes of iperf3 that stand in our own process tree."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            if (entry / "comm").read_text().strip() == "iperf3" and int(words[1]) == os.getpid() and words[0] != "Z":
                found.add(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("direction", ["send", "receive", "both"])
def test_tcp_measures_the_direction_asked_for(wire: VirtualWire, direction: Direction) -> None:
    """Each direction is measured by itself, named from the machine's side, and the port's counters agree.

    A harness that mixes them up would test the receive path twice.
    """
    before = wire.partner.counters()
    result = wire.traffic.tcp(streams=2, seconds=1, direction=direction)
    moved = wire.partner.counters() - before
    assert (result.sent_mbps is None, result.received_mbps is None) == (direction == "receive", direction == "send")
    assert 300 < result.mbps <= 1000 * wire.traffic.ceiling() * 1.02
    assert (moved.received_bytes > 30e6) == (direction != "receive")
    assert (moved.sent_bytes > 30e6) == (direction != "send")
    assert result.cpu_partner_percent > 0 and result.cpu_machine_percent > 0
    assert result.broken == ""
    assert running_iperf3() == set()


@pytest.mark.parametrize("direction", ["send", "receive"])
def test_udp(wire: VirtualWire, direction: Direction) -> None:
    """Datagrams offered at a rate arrive at that rate, and the sums fit."""
    result = wire.traffic.udp(mbps=100, seconds=1, direction=direction)
    assert result.mbps == pytest.approx(100 * (1 - result.loss_ratio), rel=0.05)
    assert result.loss_ratio < 0.01
    assert result.sent_datagrams > 5000


def test_background_load_flows_within_its_block(wire: VirtualWire) -> None:
    """Load is at full speed before the block's first line, and gone after its last."""
    with wire.traffic.tcp(streams=4) as load:
        assert wire.do(wire.nic.load_mbps) > 500
        assert len(running_iperf3()) == 2
    assert load.result.mbps > 100
    assert load.result.broken == ""
    assert running_iperf3() == set()
    assert eventually(lambda: wire.do(wire.nic.load_mbps) == 0)


@pytest.mark.parametrize("direction", ["send", "receive", "both"])
def test_a_pull_in_the_background_is_a_fact_not_an_exception(wire: VirtualWire, direction: Direction) -> None:
    """When the NIC goes away under load, the block ends quickly, raises nothing, and the result says what happened."""
    try:
        with wire.traffic.tcp(streams=2, direction=direction) as load:
            wire.do(wire.nic.unplug)
    finally:
        wire.plug()
    assert load.result.broken
    assert running_iperf3() == set()
    assert wire.traffic.tcp(seconds=1).broken == ""


def test_a_failure_inside_the_block_passes_through(wire: VirtualWire) -> None:
    """What the test itself raises under load is not swallowed, and the load is ended all the same."""
    with pytest.raises(ZeroDivisionError), wire.traffic.tcp():
        raise ZeroDivisionError
    assert running_iperf3() == set()


class NoServer(LinuxMachine):
    """A machine without iperf3.exe."""

    def start(self, exe: str, *args: str) -> LocalServer:
        return super().start("no-such-iperf3.exe", *args)


def test_missing_server_is_told(wire: VirtualWire) -> None:
    """Without iperf3 on the machine, the error names the program, what was seen, and the testbed's key."""
    machine, good = NoServer(wire.nic.machine_netns), wire.traffic
    traffic = Traffic(machine, good.adapter, wire.partner, good.tools, wire.journal)
    with pytest.raises(BenchError, match=r"no-such-iperf3.*tools\.iperf3"):
        traffic.tcp(seconds=1)
    with pytest.raises(BenchError, match=r"no-such-iperf3"), traffic.tcp():
        pytest.fail("there is no load")
    assert running_iperf3() == set()


class Unloadable(LocalServer):
    """What Windows could not load."""

    running, exit_code, stdout = False, 0xC0000135, b""

    def stop(self) -> None:
        """It is gone."""

    def __init__(self) -> None:
        """Nothing is started."""


def test_missing_dll_is_told(wire: VirtualWire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that Windows could not load for want of a DLL says nothing itself: its exit code is read for us."""
    machine, good = LinuxMachine(wire.nic.machine_netns), wire.traffic
    monkeypatch.setattr(machine, "start", lambda *_: Unloadable())
    traffic = Traffic(machine, good.adapter, wire.partner, good.tools, wire.journal)
    with pytest.raises(BenchError, match=r"0xC0000135, a DLL is missing.*cygwin1\.dll, beside") as told:
        traffic.tcp(seconds=1)
    assert not isinstance(told.value, DutError)


def test_missing_client_is_told(wire: VirtualWire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without iperf3 on the partner, the error says where and how to install it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BenchError, match=r"iperf3 on the link partner.*apt-get install"):
        wire.traffic.tcp(seconds=1)


@pytest.mark.parametrize("streams", [0, 129])
def test_streams_iperf3_cannot_do(wire: VirtualWire, streams: int) -> None:
    """A number of streams that iperf3 refuses is refused before anything starts."""
    with pytest.raises(UsageError, match="1 to 128"):
        wire.traffic.tcp(streams=streams)


KILLED = """
import sys, os
from hil.journal import Journal
from hil.testbed import model
from hil.traffic import LocalPartner
partner = LocalPartner(model.LocalPartner(netns=sys.argv[1], interface="partner0", address="198.18.0.2/24"), Journal())
program = partner.start(["sleep", "600"])
partner.counters()
print(program._process.pid, partner._port._agent._process.pid, flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_after_a_kill(wire: VirtualWire) -> None:
    """SIGKILL of the harness takes the partner's programs with it: no iperf3 loads the bench of the next run."""
    argv = [sys.executable, "-c", KILLED, wire.nic.partner_netns]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        pids = [int(word) for word in harness.stdout.readline().split()]
        assert len(pids) == 2
        harness.send_signal(signal.SIGKILL)
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_names_of_namespaces() -> None:
    """A testbed may name a namespace as `ip netns` does, or give a path."""
    assert netns.path("partner") == "/run/netns/partner"
    assert netns.path("/proc/7/fd/8") == "/proc/7/fd/8"
