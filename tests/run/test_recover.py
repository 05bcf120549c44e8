"""The recovery ladder: each rung against a fault that yields to it and to none below it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

import pytest

from hil.bench import Bench
from hil.errors import BenchError
from hil.journal import Journal
from hil.run.provisioning import provision
from hil.run.recover import recover, recover_or_quarantine
from hil.testbed.model import Adapter, Instrument, Machine, Ssh, Testbed, Virtual
from hil.testbed.out_of_service import Reason, out_of_service
from hil.virtual.lab import Lab
from hil.wait import wait_until

FAULTS = "hil.virtual.faults.recovery"
LADDER = ["reconnect", "restart Windows", "power button held, then pressed", "mains off and on"]
OUT_OF_BAND = "off and on out of band"
INSTRUMENTS: dict[str, Any] = {
    "NeverBootsAgain": ("meter", "button"), "HangsWithoutButton": ("meter", "button", "out_of_band"),
}  # fmt: skip
"""A bench that has fewer has a shorter ladder."""
BOOT_S = 3.0
"""The virtual machine boots in half a second; each rung waits so long before the next one is tried."""


@dataclass(frozen=True)
class Climb:
    """What a recovery did: the rungs with whether they helped, and what the bench said in the end."""

    rungs: dict[str, bool]
    error: str
    answers: bool


def climbed(folder: Path, fault: str) -> Climb:
    """Recovery of a bench with this fault, which has just struck."""
    records: list[dict[str, Any]] = []
    journal = Journal()
    journal.listen(records.append)
    virtual = Virtual(faults=(f"{FAULTS}:{fault}",), instruments=INSTRUMENTS.get(fault, ("outlet", "meter", "button")))
    described = Testbed(name=fault.lower(), virtual=virtual)
    with Lab(described, folder, journal) as standing, Bench(impatient(standing), journal) as bench:
        strike(bench)
        error = ""
        try:
            recover_or_quarantine(bench)
        except BenchError as seen:
            error = str(seen)
            note = out_of_service(standing)
            assert note is not None and note.reason is Reason.QUARANTINED and note.cause == error
        answers = bench.machine_as_it_is.ssh.alive()
    ends = [one for one in records if one["what"].startswith("recovery: ") and one["phase"] == "end"]
    return Climb({one["what"].removeprefix("recovery: "): one["helped"] for one in ends}, error, answers)


def impatient(testbed: Testbed) -> Testbed:
    assert testbed.machine is not None
    machine = testbed.machine.model_copy(update={"boot_timeout_s": BOOT_S, "shutdown_timeout_s": BOOT_S})
    return testbed.model_copy(update={"machine": machine})


def strike(bench: Bench) -> None:
    """Work with the machine until the fault takes it away."""
    for _ in range(40):
        if not bench.machine.ssh.alive(0.3):
            return
        bench.machine.ssh.run(["hostname"])
    raise AssertionError("the fault did not strike")


CASES = {
    "ConnectionForgotten": LADDER[:1],
    "PowerShellDies": LADDER[:2],
    "WindowsHangs": [LADDER[0], LADDER[2]],
    "HangsWithItsButton": [LADDER[0], LADDER[2], LADDER[3]],
    "HangsWithoutButton": [LADDER[0], LADDER[2], OUT_OF_BAND],
}


def mended(folder: Path) -> tuple[bool, int]:
    """An adapter that fails to start after a removal: whether recovery restarted Windows, and the problem code then."""
    described = Testbed(name="dead", virtual=Virtual(faults=("hil.virtual.faults.driver:StaysDeadAfterPlug",)))
    with Lab(described, folder, Journal()) as standing, Bench(standing, Journal()) as bench:
        provision(bench, {})
        bench.slot.pull()
        bench.adapter.wait_absent()
        bench.slot.plug()
        bench.adapter.wait_present()
        # it is there before Windows has tried to start it
        wait_until(lambda: bench.adapter.problem() == 10, what="the start to fail", timeout_s=10)
        return recover(bench) is not None, bench.adapter.problem()


def test_the_ladder(tmp_path: Path) -> None:
    """The ladder is climbed from mild to harsh, and no further than needed: the last rung tried is the one that helps.

    A night must not end at the first hang, and mains must not be cut where a new connection would do. A machine that
    nothing brings back is told with all that was tried, each with its budget, and is quarantined. A NIC that fails to
    start after a removal (code 10) is brought back by restarting Windows. All benches at once: what takes long is
    waiting.
    """
    with ThreadPoolExecutor() as pool:
        hopeless = pool.submit(climbed, tmp_path, "NeverBootsAgain")
        dead = pool.submit(mended, tmp_path)
        climbs = dict(zip(CASES, pool.map(lambda fault: climbed(tmp_path, fault), CASES), strict=True))
    for fault, rungs in CASES.items():
        tried = dict.fromkeys(rungs[:-1], False) | {rungs[-1]: True}
        assert climbs[fault] == Climb(tried, error="", answers=True), fault
    climb = hopeless.result()
    assert not any(climb.rungs.values())
    assert not climb.answers
    assert f"tried: reconnect (up to 3 s), {LADDER[2]} (up to 9 s); do:" in climb.error
    assert dead.result() == (True, 0)


def test_wake_on_lan_is_the_rung_out_of_band(tmp_path: Path) -> None:
    """A machine that is off is sent its magic packet, although Wake-on-LAN cannot switch off first.

    Else the one means that a desk without outlet and button has is never tried, and the bench is quarantined.
    """
    with socket(AF_INET, SOCK_DGRAM) as heard, socket() as closed:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(2)
        closed.bind(("127.0.0.1", 0))
        ssh = Ssh(
            host="127.0.0.1", port=closed.getsockname()[1], user="hil", key_file=tmp_path / "key",
            host_key="ssh-ed25519 AAAA", connect_timeout_s=0.2,
        )  # fmt: skip
        waker = Instrument(
            role="out_of_band", family="wake-on-lan", resource=f"02-1D-0F-00-00-01@127.0.0.1:{heard.getsockname()[1]}"
        )
        described = Testbed(
            name="desk", machine=Machine(ssh=ssh, boot_timeout_s=0.2, shutdown_timeout_s=0.2),
            adapter=Adapter(hardware_id="PCI\\VEN_8086", link_mbps=1000, address="198.18.0.1/24"),
            instruments={"wake": waker}, state_dir=tmp_path,
        )  # fmt: skip
        with Bench(described, Journal()) as bench, pytest.raises(BenchError, match=OUT_OF_BAND):
            recover(bench, blind=True)
        assert len(heard.recv(2000)) == 102
