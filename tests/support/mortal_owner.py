"""Holds a bench and dies by SIGKILL at a chosen step of what it does there: ``python -m mortal_owner``.

One request a line: {"testbed": ..., "scenario": ..., "step": ..., "folder": ...}, the step by number, by part of its
name, or null. Each is lived through by a child of its own, which has everything imported already. The answer is one
line: the names of the steps that were begun and, as the last thing, "killed" or "done".
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hil.instruments.visa  # noqa: F401 - so that no child has to load it
from hil.bench import Bench
from hil.journal import Journal, Record
from hil.provision.verification import Verification
from hil.run.watchdog import Watchdog
from hil.testbed.lease import lease
from hil.testbed.model import Testbed
from hil.testbed.state import machine_folder
from hil.windows import Machine, tools  # noqa: F401 - Machine: as above


def removal(bench: Bench) -> None:
    bench.slot.pull()
    bench.slot.plug()


def sleep_cycle(bench: Bench) -> None:
    machine, meter = bench.machine, bench.meter
    suspension = machine.suspend("S3")
    machine.wait_asleep(witness=lambda: meter.read_w() < machine.asleep_below_w)
    bench.button.press()
    machine.wait_awake(suspension)


def mains(bench: Bench) -> None:
    bench.outlet.off()


def left_server(bench: Bench) -> None:
    tools.send_tools(bench.machine.ssh, bench.testbed.tools)
    bench.machine.start(tools.tool_path("iperf3"), "-s", "-1", "-p", "5300")
    bench.journal.event("observation", "the server runs")


def verified(bench: Bench) -> None:
    Verification(bench.machine, bench.testbed, machine_folder(bench.testbed), "hilnic.sys").start("standard")


SCENARIOS: dict[str, tuple[Callable[[Bench], None], tuple[str, ...]]] = {
    "removal": (removal, ("slot",)), "sleep_cycle": (sleep_cycle, ("machine", "meter", "button")),
    "mains": (mains, ("outlet",)), "left_server": (left_server, ("machine",)), "verified": (verified, ("machine",)),
}  # fmt: skip
"""What is done, and what is opened before the steps are counted."""


def live(request: dict[str, Any]) -> list[str]:
    """The steps: each thing that begins on the journal; what is asked again and again counts once."""
    testbed, begun = Testbed.model_validate(request["testbed"]), list[str]()
    journal, (act, needs) = Journal(), SCENARIOS[request["scenario"]]

    def count(record: Record) -> None:
        what = f"{record['kind']} {record['what']}"
        if record["phase"] != "end" and what != (begun or [""])[-1]:
            begun.append(what)
            wanted = request["step"]
            if len(begun) - 1 == wanted or (isinstance(wanted, str) and wanted in what):
                os.kill(os.getpid(), signal.SIGKILL)

    with (
        lease(testbed, run="mortal") as held,
        Watchdog(held, testbed, Path(request["folder"])) as watchdog,
        Bench(testbed, journal, held.check) as bench,
    ):
        for name in needs:
            getattr(bench, name)
        ignore = journal.listen(count)
        act(bench)
        ignore()
        bench.to_rest()
        watchdog.dismiss()
    return begun


def main() -> None:
    for line in sys.stdin:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, json.dumps(live(json.loads(line))).encode())
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        with open(reader, "rb") as told:
            steps = json.loads(told.read() or b"[]")
        print(json.dumps([*steps, "killed" if os.WIFSIGNALED(status) else f"done {status}"]), flush=True)


if __name__ == "__main__":
    main()
