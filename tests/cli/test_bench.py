"""``hil bench``: emergency off, quarantine and the ways back, on a virtual bench that stands by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from hil.bench import Bench
from hil.cli import run_command
from hil.clock import now_s
from hil.errors import ExitCode
from hil.instruments import Switch
from hil.instruments.off_time import OffTime, key_of
from hil.journal import Journal
from hil.testbed.lease import LeaseLost, lease
from hil.testbed.model import Packages, Testbed, Virtual
from hil.testbed.out_of_service import Reason, take_out
from hil.testbed.state import machine_folder
from hil.virtual.lab import Lab
from hil.wait import wait_until

SUITE = """
from pathlib import Path
from hil.wait import pause

def test_works(machine, slot, undo):
    slot.pull()
    undo(slot.plug)
    Path("working").touch()
    while not Path("go-on").exists():
        pause(0.05, why="the emergency")

def test_next(machine):
    Path("touched").touch()
"""


class Place:
    """A testbed file of a bench that stands, and a suite."""

    def __init__(self, folder: Path, testbed: Testbed) -> None:
        self.folder, self.testbed = folder, testbed
        (folder / "up.yaml").write_text(json.dumps(testbed.dump()))
        (folder / "test_suite.py").write_text(SUITE)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "hil.cli", *words], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip

    def hil(self, *words: str) -> tuple[int, str]:
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def bench(self, command: str) -> tuple[int, str]:
        """In this process, which has everything loaded."""
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = run_command(["bench", command, str(self.folder / "up.yaml")])
        return code, said.getvalue()

    def run(self, *words: str) -> tuple[int, str]:
        return self.hil("run", "--testbed=up.yaml", "--no-provision", "test_suite.py", *words)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """``place()``: of a bench that is up until the test ends."""
    with ExitStack() as opened:

        def up(change: Callable[[Testbed], Testbed] = lambda testbed: testbed, **virtual: Any) -> Place:
            described = Testbed(name="box", virtual=Virtual(**virtual))
            return Place(tmp_path, change(opened.enter_context(Lab(described, tmp_path / "state", Journal()))))

        yield up


def test_emergency_off(place: Callable[..., Place]) -> None:
    """Everything is off within seconds although a run holds the bench; that run can switch nothing on again, and none
    starts until a person clears the bench; the next run then finds its way back by itself.

    Whoever sees smoke has no time to ask who is at work, and wants no machine that comes back on its own.
    """
    box = place()
    with Bench(box.testbed, Journal()) as seen, box.start("run", "--testbed=up.yaml", "--no-provision") as run:
        wait_until((box.folder / "working").exists, what="the run", timeout_s=30)
        code, said = box.bench("status")
        assert (code, "held by run" in said, f"pid {run.pid}" in said) == (ExitCode.BENCH, True, True)
        asked_s = now_s()
        code, said = box.bench("off")
        assert now_s() - asked_s < 10
        assert code == ExitCode.OK, said
        assert said.count("ok, after") == 4
        assert (seen.outlet.state(), seen.slot.state()) == (Switch.OFF, Switch.OFF)
        (box.folder / "go-on").touch()
        text, _ = run.communicate(timeout=60)
        assert run.returncode == ExitCode.BENCH, text
        assert (seen.outlet.state(), seen.slot.state()) == (Switch.OFF, Switch.OFF)
        assert not (box.folder / "touched").exists()
        for command in (box.run, lambda: box.bench("recover")):
            code, said = command()
            assert code == ExitCode.BENCH
            assert "tripped by" in said
            assert "hil bench release" in said
        assert seen.outlet.state() is Switch.OFF
        assert "in service again; it was tripped by" in box.bench("release")[1]
        code, said = box.run("-k", "next")
        assert code == ExitCode.OK, said
        assert (seen.outlet.state(), seen.slot.state()) == (Switch.ON, Switch.ON)
        assert box.bench("status") == (ExitCode.OK, box.bench("status")[1])


def test_emergency_off_with_a_controller_inside(place: Callable[..., Place]) -> None:
    """Intel AMT dies with the mains that are cut: that it is silent then is no doubt where a meter sees the dark."""
    code, said = place(instruments=("outlet", "out_of_band", "meter")).bench("off")
    assert code == ExitCode.OK, said
    assert said.count("ok, after") == 4


def test_emergency_off_that_fails_says_so(place: Callable[..., Place]) -> None:
    """A contact that is welded or a unit that does not answer is named, what can be cut is cut, and the exit code says
    that there still is power."""

    def unreachable_slot(testbed: Testbed) -> Testbed:
        slot = testbed.instruments["slot"].model_copy(update={"resource": "TCPIP::127.0.0.1::1::SOCKET"})
        return testbed.model_copy(update={"instruments": {**testbed.instruments, "slot": slot}})

    box = place(unreachable_slot, faults=("hil.virtual.faults.instrument:OutletRelayLies",))
    code, said = box.bench("off")
    assert code == ExitCode.BENCH
    lines = {line.partition("  ")[0]: line for line in said.splitlines()}
    assert "ok, after" in lines["outlet"]
    assert "NOT OFF" in lines["slot"]
    assert "NOT OFF: power below 1 W" in lines["the meter's word"]


def test_emergency_off_without_the_files_of_a_run(place: Callable[..., Place]) -> None:
    """A package that is being built, or a key that is elsewhere, keeps nobody from cutting the power.

    Who sees smoke has a testbed file of last week, and no minute to mend it.
    """

    def without_files(testbed: Testbed) -> Testbed:
        return testbed.model_copy(update={"packages": Packages(current=Path("/not/built/yet"))})

    box = place(without_files)
    with Bench(box.testbed, Journal()) as seen:
        code, said = box.bench("off")
        assert code == ExitCode.OK, said
        assert (seen.outlet.state(), seen.slot.state()) == (Switch.OFF, Switch.OFF)
    assert "tripped by" in box.bench("status")[1]
    assert "it was tripped by" in box.bench("release")[1]
    assert box.bench("recover")[0] == ExitCode.USAGE


def test_emergency_off_outranks_the_holder_although_its_note_fails(place: Callable[..., Place]) -> None:
    """Where the note that the bench is tripped cannot be written, the run that holds it has lost it all the same.

    It would switch on again what was just cut.
    """
    box = place()
    note = machine_folder(box.testbed) / "out-of-service"
    with Bench(box.testbed, Journal()) as seen, lease(box.testbed, run="mine") as held:
        note.mkdir()
        code, said = box.bench("off")
        assert code == ExitCode.BENCH
        assert "NOT OFF: " in next(line for line in said.splitlines() if "the note that it is tripped" in line)
        with pytest.raises(LeaseLost):
            held.check()
        assert seen.outlet.state() is Switch.OFF


def test_emergency_off_with_a_state_folder_that_cannot_be_written(place: Callable[..., Place]) -> None:
    """A full disk or a mount that is gone keeps nobody from cutting the power, and the table says what was cut.

    An outlet with a minimum off time notes when it was switched off; an emergency does not wait for that.
    """

    def unwritable(testbed: Testbed) -> Testbed:
        assert testbed.state_dir is not None
        (testbed.state_dir / "file").write_text("")
        outlet = testbed.instruments["outlet"].model_copy(update={"min_off_s": 30.0})
        instruments = {**testbed.instruments, "outlet": outlet}
        return testbed.model_copy(update={"instruments": instruments, "state_dir": testbed.state_dir / "file"})

    box = place(unwritable)
    with Bench(box.testbed, Journal()) as seen:
        code, said = box.bench("off")
        assert code == ExitCode.BENCH
        problems = [line for line in said.splitlines() if "NOT OFF" in line]
        assert [line.partition("  ")[0] for line in problems] == ["the note that it is tripped"], said
        assert (seen.outlet.state(), seen.slot.state()) == (Switch.OFF, Switch.OFF)


def test_emergency_off_counts_for_the_minimum_off_time(place: Callable[..., Place]) -> None:
    """Whoever switches on again after an emergency waits for the capacitors, as after any other cut."""

    def with_minimum(testbed: Testbed) -> Testbed:
        outlet = testbed.instruments["outlet"].model_copy(update={"min_off_s": 30.0})
        return testbed.model_copy(update={"instruments": {**testbed.instruments, "outlet": outlet}})

    box = place(with_minimum)
    assert box.bench("off")[0] == ExitCode.OK
    outlet = box.testbed.instruments["outlet"]
    assert OffTime(key_of(outlet), 30.0, box.testbed.state_dir).remaining_s() > 20


def test_quarantine_and_release(place: Callable[..., Place]) -> None:
    """A bench that nothing brings back is refused by the next run with the cause, at once, until a person clears it.

    That is a person who looked at it: the next night must not spend its hours on a machine that is gone.
    """

    def bare(testbed: Testbed) -> Testbed:
        machine = testbed.machine.model_copy(update={"boot_timeout_s": 1.0})  # type: ignore[union-attr]
        return testbed.model_copy(update={"machine": machine, "instruments": {}})

    box = place(bare, faults=("hil.virtual.faults.recovery:NeverBootsAgain",))
    with Bench(box.testbed, Journal()) as bench:
        bench.machine_as_it_is.ssh.connect()
        while bench.machine_as_it_is.ssh.alive(0.3):
            bench.machine_as_it_is.ssh.run(["hostname"])
    code, said = box.bench("recover")
    assert (code, "reconnect (up to 1 s)" in said) == (ExitCode.BENCH, True)
    code, said = box.bench("status")
    assert code == ExitCode.BENCH
    assert "quarantined by" in said
    assert "back on the network" in said
    began_s = now_s()
    code, said = box.run()
    assert (code, "quarantined by" in said) == (ExitCode.BENCH, True)
    assert now_s() - began_s < 15
    assert "in service again; it was quarantined" in box.bench("release")[1]
    assert "service  in service" in box.bench("status")[1]
    assert box.bench("release")[1] == "it was in service\n"


def test_recover_ends_a_quarantine(place: Callable[..., Place]) -> None:
    """A person at a desk far away has the bench climb the ladder, sees each step, and has it back in service."""
    box = place()
    take_out(box.testbed, Reason.QUARANTINED, "it did not answer last night")
    with Bench(box.testbed, Journal()) as seen:
        seen.outlet.off()
        code, said = box.bench("recover")
        assert code == ExitCode.OK, said
        assert "the machine on" in said
        assert said.endswith("at rest, and in service\n")
        assert seen.machine.ssh.alive()


def test_a_description_of_a_virtual_bench_is_refused(tmp_path: Path) -> None:
    """A virtual bench stands only while its run or ``hil lab up`` goes on: who names its description learns that."""
    file = tmp_path / "box.yaml"
    file.write_text("name: box\nvirtual: {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "hil.cli", "bench", "status", str(file)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == ExitCode.USAGE
    assert "hil lab up" in done.stderr
