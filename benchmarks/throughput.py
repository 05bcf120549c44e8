"""TCP through the virtual NIC, against the ceiling that the headers leave and against the same wire without the NIC.

    python benchmarks/throughput.py [--repeat 5] [--seconds 2]

Prints, for a gigabit wire with true frames and for the 10 Gbit/s profile that passes segments through, the median of
several runs: Mbit/s, share of the ceiling, share of the floor (two kernels on a veth pair shaped by the same tbf), and
the processor time that the whole computer and the NIC's data path spent, in processors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from hil import netns
from hil.errors import HilError
from hil.traffic.iperf3 import Direction, tcp_client, tcp_result
from hil.traffic.line import tcp_ceiling
from hil.virtual.faults.chain import FaultChain
from hil.virtual.nic import Nic
from hil.virtual.nic.wire import NEAR, Wire, ask, set_addresses, set_link

MACHINE, PARTNER = "198.18.0.1", "198.18.0.2"
DIRECTIONS: tuple[Direction, ...] = ("send", "receive", "both")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    mbps: float
    busy: float
    """Processors that were not idle, the load generators included."""
    datapath: float


def processor_s(pid: int | None) -> tuple[float, float]:
    """Seconds of work of all processors, and of one process."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(fields) - fields[3] - fields[4]
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() if pid else ["0"] * 15
    return busy / TICKS, (int(words[11]) + int(words[12])) / TICKS


async def one_run(machine: str, partner: str, direction: Direction, seconds: int, pid: int | None) -> Run:
    """One measurement between two namespaces."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    start = asyncio.create_subprocess_exec
    server = await start(*netns.argv(machine, ["iperf3", "-s", "-1", "--forceflush"]), stdout=pipe, stderr=nothing)
    assert server.stdout is not None
    await server.stdout.readuntil(b"listening")
    before = processor_s(pid)
    argv = tcp_client(MACHINE, 5201, streams=1, seconds=seconds, direction=direction)
    client = await start(*netns.argv(partner, argv), stdout=pipe)
    report = json.loads((await client.communicate())[0])
    after = processor_s(pid)
    await server.communicate()
    result = tcp_result(report, direction=direction, streams=1)
    if result.broken:
        raise SystemExit(f"iperf3: {result.broken}")
    busy, datapath = ((now - then) / seconds for now, then in zip(after, before, strict=True))
    return Run(result.mbps, busy, datapath)


Runner = Callable[[Direction], Awaitable[Run]]


async def measure(runner: Runner, repeat: int) -> dict[Direction, Run]:
    """Median of each figure, direction by direction."""
    found = {}
    for direction in DIRECTIONS:
        runs = [await runner(direction) for _ in range(repeat)]
        found[direction] = Run(*(statistics.median(getattr(run, name) for run in runs) for name in vars(runs[0])))
    return found


async def through_nic(link_mbps: int, true_frames: bool, repeat: int, seconds: int) -> dict[Direction, Run]:
    loop = asyncio.get_running_loop()
    nic = Nic(
        name="benchmark", link_mbps=link_mbps, true_frames=true_frames, mac="02-1D-0F-00-00-01", faults=FaultChain(),
        wake=list, loop=loop,
    )  # fmt: skip
    with nic:
        nic.set_address([f"{MACHINE}/24"])
        nic.set_partner_address([f"{PARTNER}/24"])
        nic.plug("02-1D-0F-00-00-01")
        pid = nic.datapath_pid
        return await measure(
            lambda direction: one_run(nic.machine_netns, nic.partner_netns, direction, seconds, pid), repeat
        )


async def floor(link_mbps: int, true_frames: bool, repeat: int, seconds: int) -> dict[Direction, Run]:
    """The same wire with a kernel's stack right on its near end."""
    wire = Wire(link_mbps, true_frames=true_frames)
    try:
        ask(wire.near, "the MTU of the floor", lambda ip: set_link(ip, NEAR, mtu=1500))
        ask(wire.near, "an address of the floor", lambda ip: set_addresses(ip, NEAR, [f"{MACHINE}/24"]))
        wire.set_partner_address([f"{PARTNER}/24"])
        return await measure(
            lambda direction: one_run(wire.near.path, wire.partner.path, direction, seconds, None), repeat
        )
    finally:
        wire.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    given = parser.parse_args()
    ceiling = tcp_ceiling()
    print(f"{os.cpu_count()} processors; median of {given.repeat} runs of {given.seconds} s, one TCP stream each way")
    for link_mbps, true_frames in ((1000, True), (10_000, False)):
        print(f"\n{link_mbps} Mbit/s, {'true frames' if true_frames else 'segments passed through'}")
        print("direction    Mbit/s  of ceiling    floor  of floor   busy  data path")
        bare = await floor(link_mbps, true_frames, given.repeat, given.seconds)
        for direction, run in (await through_nic(link_mbps, true_frames, given.repeat, given.seconds)).items():
            share, of_floor = run.mbps / (ceiling * link_mbps), run.mbps / bare[direction].mbps
            print(
                f"{direction:10}{run.mbps:9.1f}{share:12.4f}{bare[direction].mbps:9.1f}{of_floor:10.3f}"
                f"{run.busy:7.2f}{run.datapath:11.2f}"
            )


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except HilError as error:
        raise SystemExit(str(error)) from error
