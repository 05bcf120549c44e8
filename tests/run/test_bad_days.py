"""Bad days, from the command line: the run ends in order, the bench is at rest, nothing measured is lost."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from runs import SUITE, Desk, Runs, is_told, lab_up

from hil.errors import ExitCode
from hil.wait import wait_until

LONG = """
import os
import pytest
from pathlib import Path
from hil.wait import pause

PHASE = os.environ["PHASE"]

def hang(phase):
    if phase == PHASE:
        Path("hanging").touch()
        pause(1.5 if phase in ("undo", "teardown") else 20, why="a signal")

def test_before(machine, record):
    record("build", machine.os().build)

@pytest.fixture
def pulled(slot, undo):
    slot.pull()
    undo(slot.plug)
    undo(lambda: hang("undo"))
    hang("setup")
    yield
    hang("teardown")

def test_it(machine, outlet, pulled, undo, expect):
    expect("power_loss")
    outlet.off()
    if PHASE == "recover":
        raise AssertionError("and the mains are off")
    undo(outlet.on)
    hang("call")

@pytest.mark.parametrize("number", range(200 if PHASE == "reports" else 1))
def test_much(number):
    print("x" * 20_000)
    pytest.skip(str(number))
"""

FILLS = """
def test_fills(journal, slot, undo):
    slot.pull()
    undo(slot.plug)
    for _ in range(20):
        journal.event("step", "x" * 20_000)

def test_never():
    pass
"""

ASKS_ON = """
def test_good(machine):
    machine.boot()

def test_asks_on(machine):
    for _ in range(200):
        machine.boot()

def test_next(machine):
    machine.boot()
"""


def test_partner_without_iperf3(desk: Desk, runs: Runs) -> None:
    """Only what needs it is an error, with what to install."""
    (runs.place / "bin").mkdir()
    outcome = runs(desk.variant(runs.place, {}), SUITE, PATH=str(runs.place / "bin"))
    is_told(outcome, ExitCode.BENCH, "iperf3 on the link partner", "apt-get install iperf3")
    assert outcome.verdicts == {"test_before": "passed", "test_up": "passed", "test_rate": "error"}
    assert desk.unrest() == []


def test_disk_full(desk: Desk, runs: Runs) -> None:
    """The disk of the reports is full in the middle of a run: the run ends in order, and what is written stays."""
    disk = runs.place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    suite = SUITE + FILLS
    try:
        run = runs.start(desk.variant(runs.place, {}), suite, f"--reports={disk}")
        outcome = runs.end(run, disk)
        verdicts = outcome.verdicts
    finally:
        subprocess.run(["umount", disk], check=True)
    assert outcome.exit_code == ExitCode.USAGE, outcome.text
    assert "results cannot be written: [Errno 28] No space left on device; the bench is put to rest" in outcome.text
    assert "Traceback" not in outcome.text
    assert verdicts["test_up"] == "passed"
    assert "test_never" not in verdicts
    assert desk.unrest() == []


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        ("provision the machine", signal.SIGINT), ("setup", signal.SIGTERM), ("call", signal.SIGINT),
        ("undo", signal.SIGTERM), ("teardown", signal.SIGTERM), ("recover", signal.SIGINT), ("reports", signal.SIGTERM),
    ],
)  # fmt: skip
def test_stopped(desk: Desk, runs: Runs, phase: str, number: signal.Signals) -> None:
    """Ctrl-C (to the whole process group, as a terminal sends it) and SIGTERM in the middle of each phase.

    A night that is stopped gives the bench back as it was, and keeps what it measured.
    """
    testbed = desk.variant(runs.place, {})
    run = runs.start(testbed, LONG, PHASE=phase)
    wait_until(lambda: _reached(runs.place, phase) or run.poll(), what=phase, timeout_s=30, interval_s=0.002)
    os.killpg(run.pid, number)
    outcome = runs.end(run)
    assert outcome.complete, outcome.text
    # once the last test has ended nothing is left to stop
    ended = phase == "reports"
    assert (outcome.exit_code, outcome.reason) == ((0, "") if ended else (ExitCode.INTERRUPTED, "interrupted"))
    measured = phase != "provision the machine"
    assert outcome.verdicts.get("test_before") == ("passed" if measured else "interrupted")
    if phase == "recover":
        assert outcome.verdicts["test_it"] == "failed"
    assert desk.unrest() == []


def _reached(place: Path, phase: str) -> bool:
    report = place / "reports/latest"
    if not (report / "results.jsonl").exists():
        return False
    if phase == "reports":
        return '"kind": "end"' in (report / "results.jsonl").read_text()[-500:]
    moment = {"recover": "bring the bench back"}.get(phase, phase)
    return (place / "hanging").exists() or (" " in moment and moment in (report / "journal.jsonl").read_text())


def test_machine_that_hil_restarts_is_not_blamed(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> None:
    """sshd falls silent in a test: the bench's error, also when hil then holds the power button down to get it back.

    A restart that hil itself made, told as "restarted unexpectedly", would send a developer after a bug that is none.
    """
    with lab_up(tmp_path_factory.mktemp("stalls"), "--fault", "stalling_fault:StallsOften") as desk:
        short = {"machine.ssh.keepalive_s": 0.5, "machine.boot_timeout_s": 3, "machine.ssh.connect_timeout_s": 2}
        outcome = runs(desk.variant(runs.place, short), ASKS_ON)
        is_told(outcome, ExitCode.BENCH, "ConnectionLost", "the answer to a keep-alive took longer")
        assert outcome.verdicts == {"test_good": "passed", "test_asks_on": "error", "test_next": "passed"}
        assert "recovery: power button held" in (outcome.folder / "journal.jsonl").read_text()
