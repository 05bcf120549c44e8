"""The machine over SSH and PowerShell, against the virtual one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from desk import Desk

from hil.errors import BenchError, UsageError
from hil.remote import Command, ConnectionLost, PowerShell
from hil.testbed.model import Tools
from hil.wait import wait_until
from hil.windows import IncidentKind, Machine
from hil.windows.process import RunningProcess, end_programs
from hil.windows.tools import send_tools, tool_path


def test_facts(machine: Machine) -> None:
    """Build, name, elevation, disk and boot time are what the machine is: provisioning decides by them."""
    found = machine.os()
    assert (found.build, found.computer_name, found.elevated) == (26100, "HIL-VM", True)
    assert found.free_disk_gb > 1
    assert found.memory_gb > 1
    assert abs((found.last_boot - machine.boot().started).total_seconds()) < 1


def test_clock_offset(machine: Machine) -> None:
    """The clock's offset is measured within its stated uncertainty: event times must land on the run's timeline."""
    # the virtual machine's clock is 0.18 s slow (hil/virtual/windows/system.py)
    assert abs(machine.clock_offset_s + 0.18) <= machine.clock_uncertainty_s
    assert machine.clock_uncertainty_s < 0.1


def test_not_elevated(new_desk: Callable[..., Desk]) -> None:
    """A session without elevation is seen as such: half of what tests do would fail one by one otherwise."""
    assert not new_desk(elevated=False).machine.os().elevated


def test_tool(machine: Machine) -> None:
    """A native program's output comes back; an exit code that was not agreed to is an error that shows what it said."""
    assert machine.tool("hostname").text.strip() == "HIL-VM"
    assert machine.tool("cmd", "/c", "exit 7", ok=(7,)).exit_code == 7
    with pytest.raises(BenchError, match="exit code 7"):
        machine.tool("cmd", "/c", "exit 7")


def test_started_program(machine: Machine) -> None:
    """A program that was started is waited for, with its output and exit code; stopping one that ended is harmless."""
    process = machine.start("cmd", "/c", "echo hello there")
    done = process.wait(5)
    assert (done.exit_code, done.text.strip()) == (0, "hello there")
    process.stop()
    assert not process.running


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="no iperf3 on this computer")
def test_program_that_needs_a_dll(desk: Desk, tmp_path: Path) -> None:
    """A program goes to the machine with the DLLs beside it; without them it ends at once, and its exit code says why.

    The usual builds of iperf3 for Windows are an .exe and a cygwin1.dll.
    """
    assert desk.testbed.tools.iperf3 is not None
    program, library = tmp_path / "iperf3.exe", tmp_path / "Cygwin1.DLL"
    program.write_bytes(desk.testbed.tools.iperf3.read_bytes() + b"cygwin1.dll")
    sent = Tools(iperf3=program)
    assert send_tools(desk.machine.ssh, sent) == [tool_path("iperf3")]
    process = desk.machine.start(tool_path("iperf3"), "--version")
    assert process.wait(5).exit_code == process.exit_code == 0xC0000135
    library.write_bytes(b"MZ")
    (tmp_path / "readme.txt").write_text("")
    assert send_tools(desk.machine.ssh, sent) == [r"C:\hil\tools\Cygwin1.DLL"]
    assert desk.machine.start(tool_path("iperf3"), "--version").wait(5).exit_code == 0
    desk.machine.shell.run(Command("Remove-Item", Path=r"C:\hil\tools\cygwin1.dll"))
    send_tools(desk.machine.ssh, desk.testbed.tools)


def test_files(machine: Machine, tmp_path: Path) -> None:
    """A file goes there and comes back as it was, and is not sent twice."""
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(os.urandom(100_000))
    assert machine.upload(sent, r"C:\hil\test\file.bin")
    assert not machine.upload(sent, r"C:\hil\test\file.bin")
    machine.download(r"C:\hil\test\file.bin", back)
    assert back.read_bytes() == sent.read_bytes()


def test_kernel_resources(machine: Machine) -> None:
    """Pool and handle counts are those of a running system: the leak watch reads them before and after each test."""
    usage = machine.resource_usage()
    assert usage.non_paged_pool_bytes > 2**20
    assert usage.paged_pool_bytes > 2**20
    assert usage.handles > 1000
    assert usage.processes > 10


def test_no_image_for_an_unknown_service(machine: Machine) -> None:
    """A service without a loaded image has none, which is no error: so a driver looks after its removal."""
    image = machine.loaded_image("nosuchservice")
    assert (image.path, image.sha256, image.running) == (None, None, False)


def test_reboot_is_proven(machine: Machine) -> None:
    """A restart is believed when boot time and uptime are new; the log tells of a clean one."""
    before, mark = machine.boot(), machine.crashes.mark()
    after = machine.reboot()
    assert after.differs_from(before)
    assert not machine.boot().differs_from(after)
    assert [incident.kind for incident in machine.crashes.since(mark)] == [IncidentKind.REBOOT]
    assert machine.tool("hostname").exit_code == 0


def test_reboot_that_never_returns(new_desk: Callable[..., Desk]) -> None:
    """A machine that does not come back is a bench error with a next step, when the time is up and not later."""
    machine = new_desk(faults=("hil.virtual.faults.windows:RebootNeverReturns",)).machine
    with pytest.raises(BenchError, match="back from a restart") as caught:
        machine.reboot(timeout_s=1.5)
    assert "mains" in str(caught.value)


@pytest.mark.parametrize("late", ["WmiComesLate", "PowerShellComesLate"])
def test_half_up(new_desk: Callable[..., Desk], late: str) -> None:
    """A machine that lets us in before Windows is all there, after a restart or a sleep, is asked again.

    On a busy disk WMI answers seconds after sshd; a night must not end there with the advice to prepare the machine.
    """
    machine = new_desk(faults=(f"early_faults:{late}",)).machine
    before = machine.boot()
    assert machine.reboot().differs_from(before)
    suspension = machine.suspend("S3", wake_after_s=2)
    machine.wait_asleep()
    assert machine.wait_awake(suspension).by_timer


def test_module_that_cannot_be_imported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PowerShell does not load the companion module, the person can mend it, and is told how."""
    monkeypatch.setattr(machine.shell, "_on_open", [Command("Import-Module", Name=r"C:\hil\nothing.psm1")])
    machine.shell.close()
    with pytest.raises(UsageError, match="prepare-machine"):
        machine.reconnect(10)
    monkeypatch.undo()
    machine.reconnect(10)


def test_both_far_ends(new_desk: Callable[..., Desk]) -> None:
    """Windows PowerShell 5.1 answers as PowerShell 7 does: half of the lab's machines have nothing else."""
    machine = new_desk(far_end="powershell").machine
    assert machine.os().build == 26100
    assert machine.crashes.since(machine.crashes.mark()) == []


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="no iperf3 on this computer")
def test_stopped_program_is_gone(desk: Desk) -> None:
    """A program that would run for ever ends when it is told to: one left behind would hold its port."""
    desk.adapter()
    for _ in range(2):
        process = desk.machine.start(tool_path("iperf3"), "-s", "-p", "5299", "--forceflush")
        wait_until(lambda process=process: b"5299" in process.stdout, what="iperf3 to listen", timeout_s=5)
        process.stop()
        assert not process.running
    left = Command("Get-CimInstance", ClassName="Win32_Process", Filter="Name='iperf3.exe'")
    wait_until(lambda: not desk.machine.shell.run(left), what="no iperf3 on the machine", timeout_s=5)


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="no iperf3 on this computer")
def test_stop_on_a_connection_that_is_lost(desk: Desk) -> None:
    """Stopping says nothing of a machine that goes away meanwhile: the error that a test died of is the one to read."""
    desk.adapter()

    class Lost(PowerShell):
        def run(self, *_: Any, **__: Any) -> NoReturn:
            raise ConnectionLost("the machine", seen="the connection ended")

    shell = Lost(desk.machine.ssh, desk.machine.shell.far_end)
    process = RunningProcess(desk.machine.ssh, shell, [tool_path("iperf3"), "-s", "-p", "5298", "--forceflush"])
    wait_until(lambda: b"5298" in process.stdout, what="iperf3 to listen", timeout_s=5)
    process.stop()
    assert not process.running
    assert end_programs(desk.machine.shell) == 1
