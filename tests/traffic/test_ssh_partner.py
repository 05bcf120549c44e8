"""A link partner over SSH: a real SSH server whose commands run in the partner's namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from ssh_host import SshHost
from virtual_wire import MAC, VirtualWire, eventually

from hil import netns
from hil.journal import Journal
from hil.testbed import model
from hil.traffic import SshPartner, Traffic
from hil.traffic.frames import ETHERTYPE_EXPERIMENTAL, ethernet


class LinuxOverSsh(SshHost):
    """sshd of a Linux computer, as far as exec goes: each command by a shell, in one namespace."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self._namespace = namespace
        super().__init__(folder, self._shell)

    @property
    def settings(self) -> model.SshPartner:
        return model.SshPartner(kind="ssh", interface="partner0", address="198.18.0.2/24", ssh=self.ssh)

    async def _shell(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        argv = netns.argv(self._namespace, ["sh", "-c", str(process.command)])
        shell = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        assert shell.stdin and shell.stdout and shell.stderr
        feeding = asyncio.create_task(copy(process.stdin, shell.stdin))
        try:
            await asyncio.gather(copy(shell.stdout, process.stdout), copy(shell.stderr, process.stderr))
            code = await shell.wait()
            process.exit(code if code >= 0 else 128 - code)
        finally:
            feeding.cancel()
            if shell.returncode is None:
                shell.kill()


async def copy(source: Any, target: Any) -> None:
    while data := await source.read(1 << 16):
        target.write(data)
        await target.drain()
    target.write_eof()


@pytest.fixture(scope="module")
def linux(wire: VirtualWire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxOverSsh]:
    with LinuxOverSsh(wire.nic.partner_netns, tmp_path_factory.mktemp("linux")) as opened:
        yield opened


@pytest.fixture
def partner(linux: LinuxOverSsh) -> Iterator[SshPartner]:
    opened = SshPartner(linux.settings, Journal())
    yield opened
    opened.close()


def test_the_same_frames_as_a_local_one(wire: VirtualWire, partner: SshPartner) -> None:
    """Frames, counters and facts over SSH are those of the port itself: suites run the same with either partner."""
    assert (partner.mac, partner.mtu, partner.carrier) == (wire.partner.mac, 1500, True)
    frame = ethernet(MAC, partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(1400), vlan=0x2001)
    before = wire.partner.counters()
    with partner.capture(outgoing=True, ethertype=3) as capture:
        assert partner.send([frame] * 200) == 200
        eventually(lambda: sum(one.data == frame for one in capture.frames()) >= 200)
    assert sum(one.data == frame for one in capture.frames()) == 200
    assert (partner.counters() - before).sent_packets >= 200


def test_load_with_the_client_over_ssh(wire: VirtualWire, partner: SshPartner) -> None:
    """iperf3 is driven over SSH as it is here: measured, in the background, and ended with its block."""
    traffic = Traffic(wire.machine, wire.traffic.adapter, partner, wire.traffic.tools, Journal())
    assert traffic.tcp(seconds=1, direction="receive").mbps > 500
    with traffic.tcp(streams=2) as load:
        assert wire.do(wire.nic.load_mbps) > 300
    assert load.result.mbps > 100
    assert load.result.broken == ""
    assert eventually(lambda: wire.do(wire.nic.load_mbps) == 0)


def test_programs_of_the_partner(partner: SshPartner) -> None:
    """Arguments arrive as they are, exit codes and both outputs come back; one that hangs is ended at its deadline."""
    done = partner.run(["sh", "-c", 'printf "%s" "$1"; echo bad >&2; exit 3', "-", "a 'b' \"c\" $HOME;"])
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"a 'b' \"c\" $HOME;", b"bad\n")
    assert partner.run(["no-such-program"]).not_started
    with pytest.raises(TimeoutError):
        partner.run(["sleep", "4711.25"], timeout_s=0.3)
    assert b"sleep 4711.25" not in partner.run(["ps", "-o", "args", "-C", "sleep"]).stdout
