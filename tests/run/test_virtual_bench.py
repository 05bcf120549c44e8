"""Runs on a virtual bench: the guard, recovery, a bench that is lost, signals, two runs on one bench."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.errors import ExitCode
from hil.wait import wait_until

VIRTUAL = "name: box\nvirtual: {}\nstate_dir: state\n"

GUARDED = """
def test_good(machine, record):
    assert machine.os().build == 26100

def test_restarts_behind_our_back(machine):
    machine.reboot()

@pytest.mark.expects("reboot")
def test_restarts_as_announced(machine):
    machine.reboot()

def test_loses_power(machine, outlet, undo):
    outlet.off()
    undo(outlet.on)

def test_loses_power_as_announced(machine, outlet, undo, expect):
    expect("power_loss")
    outlet.off()
    undo(outlet.on)

def test_is_left_switched_off(machine, meter, expect):
    expect("reboot")
    machine.tool("shutdown", "/s", "/t", "0")
    meter.wait_below(3, timeout_s=20)
    raise AssertionError("and then the test failed")

def test_leaves_the_slot_pulled(adapter, slot):
    slot.pull()
    adapter.wait_absent()
    raise AssertionError("without an undo")

def test_finds_everything_in_place(driver, adapter, machine):
    assert adapter.wait_up().status == "Up"
"""

LOST = """
def test_hangs(machine):
    for _ in range(40):
        machine.ssh.run(["hostname"], timeout_s=0.5)

def test_next(machine):
    raise AssertionError("touched a bench that is gone")

def test_without_the_bench():
    pass
"""

HANGS = """
from pathlib import Path
from hil.wait import pause

def test_holds(machine, outlet, undo):
    undo(Path("undone").touch)
    outlet.off()
    Path("hanging").touch()
    pause(30, why="a signal")
"""

KILLED = """
import os, signal
def test_is_killed(bench, slot, meter):
    slot.pull()
    bench.machine.tool("shutdown", "/s", "/t", "0")
    meter.wait_below(3, timeout_s=20)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def box(place: Any) -> Any:
    """A place whose testbed is virtual."""
    (place.folder / "desk.yaml").write_text(VIRTUAL)
    return place


def test_guard_and_recovery(box: Any) -> None:
    """What happens to the whole machine counts, announced or not, and each test finds the bench at rest.

    A driver that restarts Windows must not pass because the test looked elsewhere, and one that fails must not take the
    next tests with it.
    """
    outcome = box.run(GUARDED)
    assert outcome.verdicts == {
        "test_good": "passed", "test_restarts_behind_our_back": "failed", "test_restarts_as_announced": "passed",
        "test_loses_power": "failed", "test_loses_power_as_announced": "passed", "test_is_left_switched_off": "failed",
        "test_leaves_the_slot_pulled": "failed", "test_finds_everything_in_place": "passed",
    }, outcome.text  # fmt: skip
    assert outcome.exit_code == ExitCode.DEVICE
    assert "restarted cleanly" in outcome.tests["test_restarts_behind_our_back"]["troubles"][0]["seen"]
    assert "power was lost" in outcome.tests["test_loses_power"]["troubles"][0]["seen"]
    assert "package" in next(line["facts"] for line in reversed(outcome.lines) if line["kind"] == "run")


def test_a_bench_that_is_lost_leaves_the_run(box: Any) -> None:
    """When nothing brings the machine back, the other tests end at once as error with that first cause.

    A night of five hundred tests must not wait five hundred times for a machine that is gone. Nor must the next night:
    the bench is quarantined.
    """
    with lab_up(box, "hil.virtual.faults.recovery:NeverBootsAgain") as file:
        testbed = json.loads(file.read_text())
        # without instruments the ladder has one rung, and this machine boots in half a second
        testbed["machine"]["boot_timeout_s"] = 1.0
        file.write_text(json.dumps({**testbed, "instruments": {}}))
        outcome = box.run(LOST, f"--testbed={file}", "--no-provision")
        (note,) = (box.folder / "state").glob("*/*/out-of-service")
        assert json.loads(note.read_text())["reason"] == "quarantined"
        assert box.run(LOST, f"--testbed={file}").exit_code == ExitCode.BENCH
    assert outcome.verdicts == {"test_hangs": "error", "test_next": "error", "test_without_the_bench": "passed"}
    assert outcome.exit_code == ExitCode.BENCH
    assert outcome.tests["test_next"]["duration_s"] < 0.5
    assert outcome.tests["test_next"]["troubles"][0]["family"] == "bench"


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("start the virtual bench", signal.SIGTERM),
        ("provision the machine", signal.SIGINT),
        ("hanging", signal.SIGTERM),
    ],
)
def test_a_signal_ends_the_run_and_the_bench(box: Any, moment: str, number: signal.Signals) -> None:
    """Stopped while the bench starts, is provisioned, or tests: exit code 2, undone, and no process is left behind."""
    with subprocess.Popen(
        box.command(HANGS), cwd=box.folder, env=box.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        wait_until(lambda: _reached(box.folder, moment), what=moment, timeout_s=30)
        process.send_signal(number)
        text, _ = process.communicate(timeout=30)
    outcome = box.outcome(process.returncode, text)
    assert outcome.exit_code == ExitCode.INTERRUPTED, text
    assert (outcome.folder / "index.html").exists()
    assert outcome.lines[-1]["reason"] == "interrupted"
    assert (box.folder / "undone").exists() == (moment == "hanging")
    assert [*(box.folder / "state").glob("bench-*")] == []


def test_a_run_starts_from_any_position(box: Any) -> None:
    """A run that was killed left the slot pulled and the machine off; the next one finds its way without a person."""
    with lab_up(box) as file:
        command = [*box.command(KILLED, "--no-provision"), f"--testbed={file}"]
        killed = subprocess.run(command, cwd=box.folder, env=box.environment, capture_output=True)
        assert killed.returncode == -signal.SIGKILL
        outcome = box.run("def test_x(driver, adapter): assert adapter.wait_up()", f"--testbed={file}")
    assert outcome.verdicts == {"test_x": "passed"}, outcome.text
    assert "button" in (outcome.folder / "journal.jsonl").read_text()


def _reached(folder: Path, moment: str) -> bool:
    journal = folder / "reports/latest/journal.jsonl"
    return (folder / moment).exists() or (journal.exists() and moment in journal.read_text())


@contextmanager
def lab_up(box: Any, *faults: str) -> Iterator[Path]:
    """An ordinary testbed file of a virtual bench that is up."""
    options = ["--json", *(f"--fault={fault}" for fault in faults)]
    command = [sys.executable, "-m", "hil.cli", "lab", "up", "desk.yaml", *options]
    with subprocess.Popen(command, cwd=box.folder, env=box.environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        file = box.folder / "up.yaml"
        file.write_text(json.dumps(json.loads(lab.stdout.readline())["testbed"]))
        yield file
        lab.send_signal(signal.SIGINT)
        assert lab.wait(20) == ExitCode.OK


def test_two_runs_on_one_bench(box: Any) -> None:
    """The second run on a bench ends at once and names the first, which goes on; ``hil lab up`` serves both."""
    with lab_up(box) as file:
        first = [*box.command(HANGS, "--no-provision"), f"--testbed={file}", "--run-id=first"]
        with subprocess.Popen(first, cwd=box.folder, env=box.environment, stdout=subprocess.DEVNULL) as process:
            wait_until((box.folder / "hanging").exists, what="the first run", timeout_s=30)
            command = [sys.executable, "-m", "hil.cli", "check", str(file), "--live"]
            second = subprocess.run(command, cwd=box.folder, env=box.environment, capture_output=True, text=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == ExitCode.INTERRUPTED
    assert second.returncode == ExitCode.BENCH
    assert f"held by run first of {os.environ.get('USER') or 'root'}" in second.stderr
    assert f"pid {process.pid}" in second.stderr
