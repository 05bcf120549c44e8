"""What one PowerShell cmdlet costs on an open session, beside its floor and beside pypsrp.

    python benchmarks/psrp.py                     # a virtual bench that it starts, in a process of its own
    python benchmarks/psrp.py --ssh machine.json  # any machine: {"host", "port", "user", "key_file", "host_key"}

Asked is ``Get-NetAdapter`` (all adapters, all properties). The floor is what cannot be saved with these libraries: both
halves of psrpcore working on the same messages in memory, and one bare paramiko exec of a program that does nothing.
Each round measures all of them in turn, so that a busy computer slows all alike; figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import psrpcore

sys.path.remove(str(Path(__file__).parent))  # or "psrp" would be this very file, not pypsrp's package
import psrp

from hil.journal import Journal
from hil.remote import Command, PowerShell, SshSession
from hil.testbed.load import load
from hil.testbed.model import Ssh
from hil.virtual.lab import Lab

ROOT = Path(__file__).parents[1]
CMDLET = "Get-NetAdapter"
OF_FLOOR, OF_PYPSRP = 1.25, 0.8


def median_ms(act: Callable[[], object], calls: int) -> float:
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


class InMemory:
    """Both halves of psrpcore, joined by function calls."""

    def __init__(self, objects: list[Any]) -> None:
        self.objects = objects
        self.client, self.server = psrpcore.ClientRunspacePool(), psrpcore.ServerRunspacePool()
        self.client.open()
        self.pass_on(self.client, self.server)
        self.pass_on(self.server, self.client)

    def call(self) -> None:
        asked = psrpcore.ClientPowerShell(self.client)
        asked.add_command(CMDLET)
        asked.start()
        answering = psrpcore.ServerPipeline(self.server, asked.pipeline_id)
        self.pass_on(self.client, self.server)
        answering.start()
        for item in self.objects:
            answering.write_output(item)
        answering.complete()
        self.pass_on(self.server, self.client)
        asked.close()
        answering.close()

    @staticmethod
    def pass_on(sender: Any, receiver: Any) -> None:
        while payload := sender.data_to_send(32 * 1024):
            receiver.receive_data(payload)
        while (event := receiver.next_event()) is not None:
            if isinstance(event, psrpcore.CreatePipelineEvent):
                assert event.pipeline.commands


class Pypsrp:
    """The independent client, on its own event loop."""

    def __init__(self, ssh: Ssh) -> None:
        self.loop = asyncio.new_event_loop()
        options = asyncssh.SSHClientConnectionOptions(
            username=ssh.user, client_keys=[str(ssh.key_file)], known_hosts=None, config=None
        )
        connection = psrp.SSHInfo(ssh.host, port=ssh.port, executable="pwsh", arguments=["-sshs"], options=options)
        self.pool = psrp.AsyncRunspacePool(connection)
        self.run(self.pool.open())

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def call(self) -> Any:
        return self.run(psrp.AsyncPowerShell(self.pool).add_command(CMDLET).invoke())

    def close(self) -> None:
        self.run(self.pool.close())
        self.loop.close()


def measure(ssh: Ssh, rounds: int, calls: int, noop: str) -> dict[str, float]:
    """Medians in ms, and of the ratios, over the rounds."""
    peer = Pypsrp(ssh)
    with SshSession(ssh) as session:
        shell = PowerShell(session, "pwsh")
        assert len(shell.run(Command(CMDLET))) == len(peer.call()) > 0
        memory = InMemory(peer.call())

        def bare_exec() -> None:
            channel = session.open_channel()
            channel.exec_command(noop)
            assert channel.recv_exit_status() == 0
            channel.close()

        seen: dict[str, list[float]] = {}
        for _ in range(rounds):
            figures = {
                "hil": median_ms(lambda: shell.run(Command(CMDLET)), calls),
                "psrpcore in memory": median_ms(memory.call, calls),
                "bare exec": median_ms(bare_exec, calls),
                "pypsrp": median_ms(peer.call, calls),
                "each of a batch of 10": median_ms(lambda: shell.batch([Command(CMDLET)] * 10), calls // 10) / 10,
            }
            figures["floor"] = figures["psrpcore in memory"] + figures["bare exec"]
            figures["hil / floor"] = figures["hil"] / figures["floor"]
            figures["hil / pypsrp"] = figures["hil"] / figures["pypsrp"]
            for name, figure in figures.items():
                seen.setdefault(name, []).append(figure)
        shell.close()
    peer.close()
    return {name: statistics.median(figures) for name, figures in seen.items()}


@contextmanager
def virtual_machine() -> Iterator[Ssh]:
    described = load(ROOT / "testbeds/virtual.yaml")
    with tempfile.TemporaryDirectory() as folder, Lab(described, Path(folder), Journal()) as testbed:
        assert testbed.machine is not None
        yield testbed.machine.ssh


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssh", type=Path, help="JSON file: how to reach a machine (default: a virtual bench)")
    parser.add_argument("--noop", default="hostname", help="a program on it that does nothing")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=60)
    given = parser.parse_args()
    if given.ssh:
        medians = measure(Ssh(**json.loads(given.ssh.read_text())), given.rounds, given.calls, given.noop)
    else:
        with virtual_machine() as ssh:
            medians = measure(ssh, given.rounds, given.calls, given.noop)
    for name, figure in medians.items():
        print(f"{name:24} {figure:8.2f}" + ("" if "/" in name else " ms"))
    met = medians["hil / floor"] <= OF_FLOOR and medians["hil / pypsrp"] <= OF_PYPSRP
    print(f"targets: hil / floor <= {OF_FLOOR}, hil / pypsrp <= {OF_PYPSRP}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
