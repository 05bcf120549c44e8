"""Runs in which Windows crashes, hangs, or is under Driver Verifier: what their results say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from debugger_host import DebuggerHost

from hil.errors import ExitCode

CRASHES = """
def test_restart(driver, adapter):
    adapter.restart()
    adapter.wait_up()

@pytest.mark.expects("bugcheck")
def test_on_purpose(driver, machine):
    boot = machine.boot()
    machine.crashes.provoke()
    machine.wait_booted(after=boot)

def test_goes_on(driver, adapter):
    assert adapter.wait_up().status == "Up"
"""
DOWN_IN_ITS_UNDO = """
from hil.wait import wait_until

def test_crashes(driver, machine, adapter, undo):
    undo(adapter.set, "*ReceiveBuffers", adapter.settings()["*ReceiveBuffers"])
    adapter.set("*ReceiveBuffers", "384")
    machine.crashes.provoke()
    wait_until(lambda: not machine.ssh.alive(0.5), what="the bugcheck", timeout_s=10)

def test_after_it(driver, adapter, package):
    default = {keyword.name: keyword.default for keyword in package.keywords}["*ReceiveBuffers"]
    assert adapter.settings()["*ReceiveBuffers"] == default != "384"
"""
LIVE_DUMP = "hil.virtual.faults.crash:LiveDumpOnly"

VERIFIED = """
from hil.wait import wait_until

def test_one(driver, adapter):
    adapter.restart()
    adapter.wait_up()

@pytest.mark.expects("power_loss")
def test_loses_power(driver, machine, outlet, meter, undo):
    boot = machine.boot()
    outlet.off(witness=lambda: meter.read_w() < 1)
    undo(outlet.on)
    wait_until(lambda: not machine.ssh.alive(0.5), what="the supply to run out", timeout_s=10)
    outlet.on()
    machine.wait_booted(after=boot)

@pytest.mark.expects("reboot")
def test_takes_its_own_profile(verification, undo):
    undo(verification.stop)
    assert verification.start("ndis").flags & 0x200000

def test_two(driver, verification):
    assert verification.holds
"""


class Night:
    """Runs of one suite on virtual benches, one after the other, with one folder of reports."""

    def __init__(self, folder: Path, suite: str, **testbed: Any) -> None:
        self.folder = folder
        described = {"name": "box", "virtual": {}, "state_dir": "state", **testbed}
        (folder / "box.yaml").write_text(json.dumps(described))
        (folder / "test_suite.py").write_text(f"import pytest\n{suite}")

    def run(self, *arguments: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        """Exit code, the run's facts, and the results of its tests."""
        plain = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--no-sampling"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--testbed", "box.yaml", *plain, *arguments],
            cwd=self.folder, capture_output=True, text=True, timeout=100, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        results = self.folder / "reports/latest/results.jsonl"
        assert results.exists(), done.stdout + done.stderr
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        facts = [line["facts"] for line in lines if line["kind"] == "run"][-1]
        return done.returncode, facts, [line for line in lines if line["kind"] == "test"]

    @property
    def latest(self) -> Path:
        return self.folder / "reports/latest"


def test_live_dump_and_debugger(tmp_path: Path) -> None:
    """A live dump fails the test that passed by itself, explained, in its bucket, with the debugger's word; the next
    night knows it. A bugcheck on purpose fails nothing and is not counted.

    Windows went on, so that nothing but the guard would ever have noticed.
    """
    with DebuggerHost(tmp_path / "host") as host:
        night = Night(tmp_path, CRASHES, debugger=host.settings().model_dump(mode="json"))
        code, _, tests = night.run("--fault", LIVE_DUMP)
        assert (code, [test["verdict"] for test in tests]) == (ExitCode.DEVICE, ["failed", "passed", "passed"])
        assert "MiniportRestart" in tests[0]["troubles"][0]["message"]
        (live,), (provoked,), nothing = (test["crashes"] for test in tests)
        assert (live["kind"], live["bucket"]) == ("live_dump", "0x15E/0x1/0x49/hilnic.sys/2.1.0.0")
        assert (live["guilty"], live["seen_before"]) == ("hilnic!HilSend+1f", 0)
        assert "BUGCODE_NDIS_DRIVER_LIVE_DUMP" in (night.latest / live["analysis"]).read_text()
        assert (provoked["bucket"], provoked["expected"]) == ("0xEF/0x0/hilnic.sys/2.1.0.0", True)
        assert len(provoked["dumps"]) == 2 and nothing == []
        assert all((night.latest / dump).is_file() for dump in (*live["dumps"], *provoked["dumps"]))
        first_run = night.latest.resolve().name
        assert live["bucket"] in (night.latest / "index.html").read_text()

        _, _, tests = night.run("--fault", LIVE_DUMP, "-k", "restart")
        assert (tests[0]["crashes"][0]["seen_before"], tests[0]["crashes"][0]["first_run"]) == (1, first_run)


def test_settings_of_a_test_that_crashed(tmp_path: Path) -> None:
    """What a test changed is undone although Windows was down when it ended: once the bench is back.

    Else every test after a crash is one of another configuration, and its failures are of nobody's making.
    """
    exit_code, _, (crashed, after) = Night(tmp_path, DOWN_IN_ITS_UNDO).run()
    assert exit_code == ExitCode.DEVICE
    assert (crashed["verdict"], after["verdict"]) == ("failed", "passed"), after["troubles"]
    assert crashed["crashes"]


def test_run_under_verifier(tmp_path: Path) -> None:
    """Each test says by what it was checked from beginning to end; one that lost it in the middle says nothing, and the
    next one has it again. After the run it is off.
    """
    code, facts, tests = Night(tmp_path, VERIFIED).run("--verifier", "standard")
    assert (code, [test["verdict"] for test in tests]) == (ExitCode.OK, ["passed"] * 4)
    proven = "standard: 0x001209bb on hilnic.sys, ndis.sys"
    assert [test["verifier"] for test in tests] == [proven, "", "", proven]
    assert facts["Driver Verifier"] == proven
    journal = (tmp_path / "reports/latest/journal.jsonl").read_text()
    assert "No drivers are currently verified" in journal.rpartition("Driver Verifier off")[0][-20000:]


def test_unknown_profile(tmp_path: Path) -> None:
    """A slip in the profile's name costs a second, not the start of a bench."""
    night = Night(tmp_path, VERIFIED)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--testbed", "box.yaml", "--verifier", "strict"],
        cwd=night.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitCode.USAGE
    assert "standard, ndis, low-resources, dma, dif" in done.stderr
