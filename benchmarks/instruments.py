"""What the guarded session costs beside bare pyvisa and a plain socket, and how long a confirmed pull takes.

    python benchmarks/instruments.py

Asked is the position of the virtual slot breaker, whose server runs in a process of its own. Each round asks through
every client in turn, so that a busy computer slows all alike; figures are medians over the rounds, and each ratio is
the median of the ratios within a round. The guarded session writes a journal to a file, as it does in a run.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyvisa

from hil.instruments import open_instrument
from hil.instruments.session import Session
from hil.journal import Journal
from hil.testbed.model import Instrument

QUESTION = "ROUT:CLOS? (@1)"
OF_PYVISA, PULL_MS = 1.3, 5.0
_SERVER = """
import asyncio, json, sys
from hil.virtual.faults import Fault
from hil.virtual.instruments.relay import RelayUnit, Wiring
from hil.virtual.instruments.server import SocketServer

async def main():
    wiring = Wiring("slot", 1, lambda present: None, on=True, move_s=0.001)
    unit = RelayUnit("HIL Lab", "Slot Breaker", "SB0001", wirings=(wiring,), numbers=range(1, 3), faults=Fault())
    server = SocketServer(unit)
    await server.start()
    print(json.dumps({"port": server.port, "resource": server.resource}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()

asyncio.run(main())
"""


def timed_us(work: Callable[[], object], count: int) -> float:
    """Median of ``count`` calls."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--queries", type=int, default=300, help="in each round, through each client")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        assert server.stdout is not None and server.stdin is not None
        try:
            return measure(json.loads(server.stdout.readline()), Journal(Path(folder) / "journal.jsonl"), chosen)
        finally:
            server.stdin.close()


def measure(server: dict[str, str], journal: Journal, chosen: argparse.Namespace) -> int:
    bare = pyvisa.ResourceManager("@py").open_resource(
        server["resource"], read_termination="\n", write_termination="\n"
    )  # fmt: skip
    plain = socket.create_connection(("127.0.0.1", int(server["port"])))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    guarded = Session("slot", server["resource"], journal)
    spec = Instrument(role="slot", family="scpi-relay", resource=server["resource"], serial="SB0001")
    slot = open_instrument("slot", spec, journal)

    def ask_plain() -> bytes:
        plain.sendall(QUESTION.encode() + b"\n")
        return plain.recv(100)

    clients = {
        "plain socket": ask_plain,
        "bare pyvisa": lambda: bare.query(QUESTION),
        "guarded session": lambda: guarded.query(QUESTION),
    }
    rounds: dict[str, list[float]] = {name: [] for name in clients}
    for work in clients.values():
        timed_us(work, chosen.queries)  # warm-up
    for _ in range(chosen.rounds):
        for name, work in clients.items():
            rounds[name].append(timed_us(work, chosen.queries))
    pulls = []
    for _ in range(chosen.rounds):
        pulls.append(timed_us(slot.pull, 1) / 1e3)
        slot.plug()
    for opened in (bare, plain, guarded, slot):
        opened.close()
    return report(rounds, statistics.median(pulls))


def report(rounds: dict[str, list[float]], pull_ms: float) -> int:
    for name, figures in rounds.items():
        print(f"{name:16} {statistics.median(figures):8.1f} us a query")
    ratios = [ours / theirs for ours, theirs in zip(rounds["guarded session"], rounds["bare pyvisa"], strict=True)]
    ratio = statistics.median(ratios)
    print(f"guarded session / bare pyvisa: {ratio:.2f} (at most {OF_PYVISA})")
    print(f"confirmed pull, relay of 1 ms: {pull_ms:.2f} ms (at most {PULL_MS})")
    return 0 if ratio <= OF_PYVISA and pull_ms <= PULL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
