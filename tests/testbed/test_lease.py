"""Leases: one run per bench, and nothing left over by a run that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil.errors import BenchError, UsageError
from hil.testbed.lease import lease
from hil.testbed.model import Adapter, Machine, Ssh, Testbed

HOLD = """
import sys, time
from pathlib import Path
from hil.testbed.lease import lease
from hil.testbed.model import Testbed
with lease(Testbed.model_validate_json(sys.argv[1]), run="other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def a_testbed(state: Path, *, host: str = "192.0.2.1", name: str = "desk") -> Testbed:
    machine = Machine(ssh=Ssh(host=host, user="hil", key_file=Path("key"), host_key="ssh-ed25519 AAAA"))
    adapter = Adapter(hardware_id="PCI", link_mbps=1000, address="198.18.0.1/24")
    return Testbed(name=name, machine=machine, adapter=adapter, state_dir=state)


def hold(bench: Testbed) -> subprocess.Popen[str]:
    """Another process that holds the bench."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, bench.model_dump_json()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_bench(tmp_path: Path) -> None:
    """Two runs on one machine would ruin each other's results; the second learns whom to ask."""
    bench = a_testbed(tmp_path, name="first")
    with hold(bench) as other:
        with pytest.raises(BenchError) as caught, lease(a_testbed(tmp_path, name="same-machine"), run="mine"):
            raise AssertionError("two runs hold one bench")
        assert other.stdin is not None
        other.stdin.close()
    assert f"pid {other.pid}" in str(caught.value)
    assert "run other of" in str(caught.value)
    with lease(bench, run="mine") as held:
        assert (held.owner.run, held.owner.pid, held.owner.fence) == ("mine", os.getpid(), 2)


def test_a_killed_run_leaves_no_lease(tmp_path: Path) -> None:
    """After kill -9 or a power cut of the controller the bench is free at once, without cleaning by hand."""
    bench = a_testbed(tmp_path)
    with hold(bench) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        with lease(bench, run="mine") as held:
            assert held.owner.run == "mine"
        other.communicate()


def test_other_machines_are_free(tmp_path: Path) -> None:
    """A lease keeps one bench, not the lab."""
    with lease(a_testbed(tmp_path), run="one"), lease(a_testbed(tmp_path, host="192.0.2.2"), run="two") as held:
        assert held.owner.run == "two"


def test_a_half_written_lease_does_not_hold(tmp_path: Path) -> None:
    """A full disk or a crash in the middle of writing leaves a bench that can be leased again."""
    bench = a_testbed(tmp_path)
    with lease(bench, run="one"):
        pass
    file = next(tmp_path.glob("*/lease"))
    file.write_text('{"pid": 1, "ho')
    with lease(bench, run="two") as held:
        held.beat()
    assert '"two"' in file.read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says which folder, so that the person can choose another one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"), lease(a_testbed(tmp_path / "file"), run="mine"):
        raise AssertionError("leased on a file")
