"""What the guarded session costs beside its peers, and how long a confirmed pull takes.

    python benchmarks/instruments.py

Asked is the position of the virtual slot breaker: by a plain socket, by pyvisa as it is, and by the guarded session,
which writes a journal to a file as in a run. A virtual Shelly relay is set and read back by labgrid's module (where the
extra ``labgrid`` is installed) and by ours. The servers run in a process of their own. Each round asks through every
client in turn, so that a busy computer slows all alike; figures are medians over the rounds, and each ratio is the
median of the ratios within a round.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyvisa
from instrument_server import standing

from hil.instruments import family_named, open_instrument
from hil.instruments.session import Session
from hil.journal import Journal
from hil.testbed.model import Instrument

QUESTION = "ROUT:CLOS? (@1)"
OF_PYVISA, PULL_MS = 1.3, 5.0


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
    with tempfile.TemporaryDirectory() as folder, standing() as server:
        journal = Journal(Path(folder) / "journal.jsonl")
        ratio = queries(server["slot"], journal, chosen.rounds, chosen.queries)
        pull_ms = pulls(server["slot"], journal, chosen.rounds)
        switched_over_http(server["shelly"], journal, chosen.rounds)
    return 0 if ratio <= OF_PYVISA and pull_ms <= PULL_MS else 1


def queries(resource: str, journal: Journal, rounds: int, count: int) -> float:
    """Prints what a question takes through each client; returns guarded session over bare pyvisa."""
    bare = pyvisa.ResourceManager("@py").open_resource(resource, read_termination="\n", write_termination="\n")
    plain = socket.create_connection(("127.0.0.1", int(resource.split("::")[2])))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    guarded = Session("slot", resource, journal)

    def ask_plain() -> bytes:
        plain.sendall(QUESTION.encode() + b"\n")
        return plain.recv(100)

    figures = compared(
        {
            "plain socket": ask_plain,
            "bare pyvisa": lambda: bare.query(QUESTION),
            "guarded session": lambda: guarded.query(QUESTION),
        },
        rounds,
        count,
    )
    for opened in (bare, plain, guarded):
        opened.close()
    for name, taken_us in figures.items():
        print(f"{name:16} {statistics.median(taken_us):8.1f} us a query")
    ratio = _ratio(figures["guarded session"], figures["bare pyvisa"])
    print(f"guarded session / bare pyvisa: {ratio:.2f} (at most {OF_PYVISA})")
    return ratio


def pulls(resource: str, journal: Journal, rounds: int) -> float:
    """Prints and returns the milliseconds from the call to the confirmed position."""
    slot = open_instrument("slot", Instrument(role="slot", family="scpi-relay", resource=resource), journal)
    taken_ms = []
    for _ in range(rounds):
        taken_ms.append(timed_us(slot.pull, 1) / 1e3)
        slot.plug()
    slot.close()
    pull_ms = statistics.median(taken_ms)
    print(f"confirmed pull, relay of 1 ms: {pull_ms:.2f} ms (at most {PULL_MS})")
    return pull_ms


def switched_over_http(base: str, journal: Journal, rounds: int) -> None:
    """Prints what it takes to set the relay and read it back, both ways."""
    spec = Instrument(role="outlet", family="shelly-gen2", resource=base, channel="0")
    ours, turns = family_named("shelly-gen2").dialect.contact("mains", spec, journal), itertools.cycle((False, True))

    def by_ours() -> None:
        ours.set(next(turns))
        ours.read()

    clients: dict[str, Callable[[], object]] = {"hil": by_ours}
    try:
        shelly = importlib.import_module("labgrid.driver.power.shelly_gen2")
    except ImportError as error:
        print(f"labgrid's shelly_gen2: not measured ({error}); pip install hil[labgrid]")
    else:

        def by_labgrid() -> None:
            shelly.power_set(base, None, 0, next(turns))
            shelly.power_get(base, None, 0)

        clients["labgrid"] = by_labgrid
    figures = compared(clients, rounds, 20)
    for name, taken_us in figures.items():
        print(f"{name:16} {statistics.median(taken_us) / 1e3:8.2f} ms to set a Shelly and read it back")
    if "labgrid" in figures:
        print(f"hil / labgrid: {_ratio(figures['hil'], figures['labgrid']):.2f}")


def compared(clients: dict[str, Callable[[], object]], rounds: int, count: int) -> dict[str, list[float]]:
    """Microseconds a call, by client, of each round; after a warm-up."""
    figures: dict[str, list[float]] = {name: [] for name in clients}
    for work in clients.values():
        timed_us(work, count)
    for _ in range(rounds):
        for name, work in clients.items():
            figures[name].append(timed_us(work, count))
    return figures


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    sys.exit(main())
