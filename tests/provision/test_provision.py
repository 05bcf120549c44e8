"""Provisioning of the virtual machine: once, again, and back."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk

from hil.errors import BenchError, UsageError
from hil.provision import provision, unprovision
from hil.provision.record import REMOTE
from hil.provision.step import Place
from hil.provision.steps import step_named, steps
from hil.remote import Command
from hil.windows import Machine, trust


def states(desk: Desk, machine: Machine) -> dict[str, object]:
    return {step.name: step.read() for step in steps(Place(machine, desk.testbed))}


def another_session(desk: Desk) -> Machine:
    return Machine(desk.machine.settings, desk.journal)


def write_record(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "provisioned.json"
    path.write_text(text)
    return path


def test_once_again_and_back(desk: Desk, folder: Path) -> None:
    """The first run changes and restarts once, the second has nothing to do, undo restores every state there was."""
    with another_session(desk) as machine:
        before = states(desk, machine)
        first = provision(machine, desk.testbed, folder)
        assert first.rebooted
        assert {"power-plan", "tool:iperf3", "test-signing", "paused-service:wuauserv"} <= set(first.changed)
        assert trust.test_signing(machine)
        assert str(provision(machine, desk.testbed, folder)) == "nothing to do"
    with another_session(desk) as later:
        undone = unprovision(later, desk.testbed, folder)
        assert list(undone.changed) == list(reversed(first.changed))
        assert states(desk, later) == before
        assert not (folder / "provisioned.json").exists()
        assert later.shell.run(Command("Test-Path", Path=r"C:\hil"))[0] is False
    desk.machine.reconnect(10)


def test_undo_from_another_controller(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """The machine carries the record itself: a controller whose disk is new can put it back."""
    before = states(desk, desk.machine)
    provision(desk.machine, desk.testbed, folder)
    assert unprovision(desk.machine, desk.testbed, tmp_path / "elsewhere").changed
    assert states(desk, desk.machine) == before


def test_drift_is_mended_and_a_lost_record_survived(desk: Desk, folder: Path) -> None:
    """A service that Windows started again is paused again; undo goes back to how the machine came to us all the same,
    by the controller's record, when somebody emptied the machine's folder."""
    before, shell = states(desk, desk.machine), desk.machine.shell
    provision(desk.machine, desk.testbed, folder)
    shell.run(Command("Set-Service", Name="wuauserv", StartupType="Automatic"))
    assert provision(desk.machine, desk.testbed, folder).changed == ("paused-service:wuauserv",)
    shell.run(Command("Remove-Item", Path=REMOTE, Force=True))
    unprovision(desk.machine, desk.testbed, folder)
    assert states(desk, desk.machine) == before


def test_record_of_another_machine(desk: Desk, folder: Path) -> None:
    """A record made with another host key is not used: a reinstalled machine must not get another one's past."""
    change = {"step": "power-plan", "previous": {"active": None, "known": []}, "utc": ""}
    write_record(folder, json.dumps({"version": 1, "host_key": "ssh-ed25519 AAAA", "changes": [change]}))
    assert unprovision(desk.machine, desk.testbed, folder).changed == ()


@pytest.mark.parametrize("text", ["{ half", "[]", '{"version": 99}', '{"version": 1}'])
def test_broken_record(desk: Desk, folder: Path, text: str) -> None:
    """A record that cannot be read stops provisioning with its path: guessing would lose what the machine once was."""
    record = write_record(folder, text)
    with pytest.raises(BenchError, match="the record of what provisioning changed"):
        provision(desk.machine, desk.testbed, folder)
    assert record.read_text() == text


def test_unfit_machine(new_desk: Callable[..., Desk], folder: Path) -> None:
    """What a person must mend is listed in one go, and nothing on the machine was touched."""
    desk = new_desk(elevated=False, windows_build=17763)
    with pytest.raises(UsageError) as caught:
        provision(desk.machine, desk.testbed, folder)
    assert "build 17763, at least 19041" in str(caught.value)
    assert "elevated" in str(caught.value)
    assert not folder.exists()


def test_secure_boot(new_desk: Callable[..., Desk], folder: Path) -> None:
    """Under Secure Boot a test-signed package cannot be loaded: said before anything is changed, with what to do."""
    desk = new_desk(secure_boot=True)
    with pytest.raises(UsageError, match="Secure Boot is on"):
        provision(desk.machine, desk.testbed, folder)
    assert not folder.exists()


def test_unknown_step(desk: Desk) -> None:
    """A change that a newer version recorded is named, not skipped: skipped, it would stay on the machine for ever."""
    with pytest.raises(UsageError, match="from-the-future"):
        step_named(Place(desk.machine, desk.testbed), "from-the-future:x")


def test_certificate_in_base64(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """A certificate that was exported as Base-64 is trusted as the one in DER is, and undo takes it out again.

    The export of Windows offers both, under the same name; a root that stays behind on a machine is a hole.
    """
    packages = desk.testbed.packages
    assert packages is not None and packages.certificate is not None
    der = packages.certificate.read_bytes()
    path = tmp_path / "exported.cer"
    path.write_text(ssl.DER_cert_to_PEM_cert(der))
    testbed = desk.testbed.model_copy(update={"packages": packages.model_copy(update={"certificate": path})})
    before = states(desk, desk.machine)
    provision(desk.machine, testbed, folder)
    assert trust.trusted_in(desk.machine, der) == trust.STORES
    unprovision(desk.machine, testbed, folder)
    assert states(desk, desk.machine) == before


def test_certificate_that_is_none(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """A file that is no certificate is told with its path, before anything is changed: a person named it."""
    packages = desk.testbed.packages
    assert packages is not None
    path = tmp_path / "key.pfx"
    path.write_bytes(b"no certificate")
    testbed = desk.testbed.model_copy(update={"packages": packages.model_copy(update={"certificate": path})})
    before = states(desk, desk.machine)
    with pytest.raises(UsageError, match="a certificate") as error:
        provision(desk.machine, testbed, folder)
    assert error.value.where == str(path)
    assert states(desk, desk.machine) == before


def test_testbed_names_a_missing_tool(desk: Desk, folder: Path) -> None:
    """A program that the testbed names and that is not there is the person's to mend, with its path."""
    tools = desk.testbed.tools.model_copy(update={"iperf3": Path("/nonexistent/iperf3.exe")})
    with pytest.raises(UsageError, match=r"/nonexistent/iperf3\.exe"):
        provision(desk.machine, desk.testbed.model_copy(update={"tools": tools}), folder)
    assert not folder.exists()


def test_dlls_of_a_tool(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """The DLLs beside a program come with it, and go again: most builds of iperf3 for Windows do not start alone."""
    assert desk.testbed.tools.iperf3 is not None
    program = tmp_path / "iperf3.exe"
    program.write_bytes(desk.testbed.tools.iperf3.read_bytes())
    (tmp_path / "cygwin1.dll").write_bytes(b"MZ")
    tools = desk.testbed.tools.model_copy(update={"iperf3": program})
    testbed = desk.testbed.model_copy(update={"tools": tools})
    assert {"tool:iperf3", "tool:cygwin1.dll"} <= set(provision(desk.machine, testbed, folder).changed)
    there = Command("Test-Path", Path=r"C:\hil\tools\cygwin1.dll")
    assert desk.machine.shell.run(there)[0] is True
    unprovision(desk.machine, desk.testbed, folder)
    assert desk.machine.shell.run(there)[0] is False


def test_adapter_gets_its_address(desk: Desk) -> None:
    """With a driver bound the adapter gets its test address, and undo takes it away."""
    adapter = desk.adapter()
    assert adapter.addresses() == [adapter.wanted.address]
    undone = unprovision(desk.machine, desk.testbed, desk.folder / "record", adapter)
    assert undone.changed[0] == f"test-address:{adapter.wanted.address}"
    left = desk.machine.shell.run(Command("Get-NetIPAddress", AddressFamily="IPv4"))
    assert adapter.wanted.address.partition("/")[0] not in [str(row["IPAddress"]) for row in left]
