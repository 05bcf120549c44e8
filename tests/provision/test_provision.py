"""Provisioning of the virtual machine: once, again, and back."""

from __future__ import annotations

import json
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


def test_once_again_and_back(new_desk: Callable[..., Desk]) -> None:
    """The first run changes and restarts once, the second has nothing to do, undo restores every state there was."""
    desk = new_desk()
    machine, testbed, folder = desk.machine, desk.testbed, desk.folder / "record"
    before = states(desk, machine)
    first = provision(machine, testbed, folder)
    assert first.rebooted
    assert {"power-plan", "tool:iperf3", "test-signing", "paused-service:wuauserv"} <= set(first.changed)
    assert trust.test_signing(machine)
    assert str(provision(machine, testbed, folder)) == "nothing to do"
    machine.close()
    with another_session(desk) as later:
        undone = unprovision(later, testbed, folder)
        assert list(undone.changed) == list(reversed(first.changed))
        assert states(desk, later) == before
        assert not (folder / "provisioned.json").exists()
        assert later.shell.run(Command("Test-Path", Path=r"C:\hil"))[0] is False


def test_undo_from_another_controller(new_desk: Callable[..., Desk]) -> None:
    """The machine carries the record itself: a controller whose disk is new can put it back."""
    desk = new_desk()
    before = states(desk, desk.machine)
    provision(desk.machine, desk.testbed, desk.folder / "here")
    assert unprovision(desk.machine, desk.testbed, desk.folder / "elsewhere").changed
    assert states(desk, desk.machine) == before


def test_undo_when_the_machine_lost_its_copy(new_desk: Callable[..., Desk]) -> None:
    """The controller's record is used when somebody emptied the machine's folder."""
    desk = new_desk()
    before, folder = states(desk, desk.machine), desk.folder / "record"
    provision(desk.machine, desk.testbed, folder)
    desk.machine.shell.run(Command("Remove-Item", Path=REMOTE, Force=True))
    unprovision(desk.machine, desk.testbed, folder)
    assert states(desk, desk.machine) == before


def test_record_of_another_machine(new_desk: Callable[..., Desk]) -> None:
    """A record made with another host key is not used: a reinstalled machine must not get another one's past."""
    desk = new_desk()
    record = desk.folder / "record" / "provisioned.json"
    record.parent.mkdir(parents=True)
    change = {"step": "power-plan", "previous": {"active": None, "known": []}, "utc": ""}
    record.write_text(json.dumps({"version": 1, "host_key": "ssh-ed25519 AAAA", "changes": [change]}))
    assert unprovision(desk.machine, desk.testbed, record.parent).changed == ()


def test_broken_record(new_desk: Callable[..., Desk]) -> None:
    """A record that cannot be read stops provisioning with its path: guessing would lose what the machine once was."""
    desk = new_desk()
    record = desk.folder / "record" / "provisioned.json"
    record.parent.mkdir(parents=True)
    record.write_text("{ half")
    with pytest.raises(BenchError, match="the record of what provisioning changed"):
        provision(desk.machine, desk.testbed, record.parent)
    assert record.read_text() == "{ half"


def test_what_drifted_is_mended_and_the_first_state_kept(new_desk: Callable[..., Desk]) -> None:
    """A service that Windows started again is paused again, and undo still goes back to how the machine came to us."""
    desk = new_desk()
    before, folder, shell = states(desk, desk.machine), desk.folder / "record", desk.machine.shell
    provision(desk.machine, desk.testbed, folder)
    shell.run(Command("Set-Service", Name="wuauserv", StartupType="Automatic"))
    assert provision(desk.machine, desk.testbed, folder).changed == ("paused-service:wuauserv",)
    unprovision(desk.machine, desk.testbed, folder)
    assert states(desk, desk.machine) == before


def test_unfit_machine(new_desk: Callable[..., Desk]) -> None:
    """What a person must mend is listed in one go, and nothing on the machine was touched."""
    desk = new_desk(elevated=False, windows_build=17763)
    with pytest.raises(UsageError) as caught:
        provision(desk.machine, desk.testbed, desk.folder / "record")
    assert "build 17763, at least 19041" in str(caught.value)
    assert "elevated" in str(caught.value)
    assert not (desk.folder / "record").exists()


def test_secure_boot(new_desk: Callable[..., Desk]) -> None:
    """Under Secure Boot a test-signed package cannot be loaded: said before anything is changed, with what to do."""
    desk = new_desk(secure_boot=True)
    with pytest.raises(UsageError, match="Secure Boot is on"):
        provision(desk.machine, desk.testbed, desk.folder / "record")
    assert not (desk.folder / "record").exists()


def test_adapter_gets_its_address(new_desk: Callable[..., Desk]) -> None:
    """With a driver bound the adapter gets its test address, and undo takes it away."""
    desk = new_desk()
    adapter = desk.adapter()
    assert adapter.addresses() == [adapter.wanted.address]
    unprovision(desk.machine, desk.testbed, desk.folder / "record", adapter)
    assert desk.testbed.packages is not None
    provision(desk.machine, desk.testbed, desk.folder / "record")
    adapter.wait_present()
    assert adapter.wanted.address not in adapter.addresses()


def test_unknown_step(new_desk: Callable[..., Desk]) -> None:
    """A change that a newer version recorded is named, not skipped: skipped, it would stay on the machine for ever."""
    desk = new_desk()
    with pytest.raises(UsageError, match="from-the-future"):
        step_named(Place(desk.machine, desk.testbed), "from-the-future:x")


def test_testbed_names_a_missing_tool(new_desk: Callable[..., Desk]) -> None:
    """A program that the testbed names and that is not there is the person's to mend, with its path."""
    desk = new_desk()
    tools = desk.testbed.tools.model_copy(update={"iperf3": Path("/nonexistent/iperf3.exe")})
    with pytest.raises(UsageError, match=r"/nonexistent/iperf3\.exe"):
        provision(desk.machine, desk.testbed.model_copy(update={"tools": tools}), desk.folder / "record")
    assert not (desk.folder / "record").exists()
