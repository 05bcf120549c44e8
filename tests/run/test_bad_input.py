"""Bad input, from the command line: one message, the right exit code, the bench at rest, the driver not blamed."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from linux_machine import linux_machine
from runs import SUITE, Desk, Runs, is_told

from hil.clock import utc_now
from hil.errors import ExitCode
from hil.virtual.driver.signing import Publisher

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMpQhAAwkQGaU5v8HZy1aXNHI1fO9YXEzFVdAw1tJx2T"


@pytest.mark.parametrize(
    ("changes", "exit_code", "messages"),
    [
        ({"machine.ssh.port": 1}, ExitCode.BENCH, ("port refuses connections", "check machine.ssh.port")),
        ({"machine.ssh.host": "nobody.invalid"}, ExitCode.BENCH, ("nobody.invalid is not known", "machine.ssh.host")),
        ({"machine.ssh.host_key": OTHER_KEY}, ExitCode.BENCH, ("pinned host key", "--trust-host-key")),
        ({"machine.ssh.key_file": "/no/key"}, ExitCode.USAGE, ("no such file or folder: /no/key",)),
        ({"machine.min_build": 99999}, ExitCode.USAGE, ("Windows build 26100, at least 99999 wanted",)),
        ({"adapter.hardware_id": r"PCI\VEN_1234&DEV_5678"}, ExitCode.BENCH, ("VEN_1234", "adapter.hardware_id")),
        ({"adapter.hardware_id": r"PCI\VEN_8086&DEV_15F3"}, ExitCode.USAGE, ("does not carry this SSH session",)),
        ({"instruments.outlet.serial": "XX000"}, ExitCode.BENCH, ("serial XX000", "nothing was switched")),
        ({"instruments.slot.resource": "TCPIP::127.0.0.1::1::SOCKET"}, ExitCode.BENCH, ("to open slot", "see that it")),
        ({"machin": {}}, ExitCode.USAGE, ("machin: unknown key (did you mean 'machine'?)", "testbed.yaml:")),
    ],
    ids=["port", "name", "host key", "key file", "build", "hardware", "carries SSH", "serial", "silent", "testbed"],
)
def test_wrong_testbed(
    desk: Desk, runs: Runs, changes: dict[str, Any], exit_code: ExitCode, messages: tuple[str, ...]
) -> None:
    """What does not fit the testbed is told with what, where, why and what to do; the driver is not blamed."""
    outcome = runs(desk.variant(runs.place, changes), SUITE)
    is_told(outcome, exit_code, *messages)
    assert desk.unrest() == []


def test_wrong_key(desk: Desk, runs: Runs) -> None:
    """A key that the machine does not know: told with its fingerprint and the trap of administrators' keys."""
    key = runs.place / "id_other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    outcome = runs(desk.variant(runs.place, {"machine.ssh.key_file": str(key)}), SUITE)
    is_told(outcome, ExitCode.BENCH, "refused", "SHA256:", "administrators_authorized_keys")
    assert outcome.verdicts == {"test_before": "passed", "test_up": "error", "test_rate": "error"}


def test_instrument_that_says_nothing(desk: Desk, runs: Runs) -> None:
    """A port that takes the connection and never answers, as a hung instrument does, is named in bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        resource = f"TCPIP::127.0.0.1::{hung.getsockname()[1]}::SOCKET"
        changes = {"instruments.slot.resource": resource, "instruments.slot.timeout_s": 0.2}
        outcome = runs(desk.variant(runs.place, changes), SUITE)
    is_told(outcome, ExitCode.BENCH, "slot", resource)


def test_not_windows(desk: Desk, runs: Runs) -> None:
    """A testbed that points at a Linux computer."""
    with linux_machine(runs.place) as ssh:
        changes = {"machine.ssh": ssh.model_dump(mode="json", exclude_none=True)}
        outcome = runs(desk.variant(runs.place, changes), SUITE)
    is_told(outcome, ExitCode.USAGE, "a Windows machine", "cmd: not found", "machine.ssh in the testbed")


@pytest.mark.parametrize(
    ("virtual", "message"),
    [
        ("elevated: false", "no elevated token: make it a member of Administrators"),
        ("second_adapter: true", "name the MAC of the one under test"),
        ("secure_boot: true", "Secure Boot is on"),
    ],
)
def test_unfit_machine(runs: Runs, virtual: str, message: str) -> None:
    """What only a person can mend on the machine is found before anything is changed there."""
    file = runs.place / "box.yaml"
    file.write_text(f"name: box\nvirtual: {{{virtual}}}\nstate_dir: state\n")
    is_told(runs(file, SUITE), ExitCode.USAGE, message)
    assert [*(runs.place / "state").glob("*")] == []


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--other-package=othr=x"], ("--other-package NAME=DIR", "othr=x", "did you mean other?")),
        (["--other-package=other"], ("--other-package NAME=DIR", "restarting, broken")),
        (["--other-package=other=nowhere"], ("the other package", "no such folder", "where: nowhere")),
        (["--package=nowhere"], ("the current package", "where: nowhere")),
        (["--other-package=other=."], ("a package under test", "only other", "give --package DIR")),
    ],
    ids=["name", "no folder", "missing", "missing package", "nothing under test"],
)
def test_wrong_packages_of_the_command_line(
    desk: Desk, runs: Runs, arguments: list[str], messages: tuple[str, ...]
) -> None:
    """A slip is told before anything is started."""
    outcome = runs(desk.variant(runs.place, {"packages": None}), SUITE, *arguments)
    is_told(outcome, ExitCode.USAGE, *messages)
    assert desk.unrest() == []


def test_packages_of_the_command_line(desk: Desk, runs: Runs) -> None:
    """Each package of a life on Windows can be given for one run, without another testbed."""
    packages = desk.described["packages"]
    suite = """
import pytest

@pytest.mark.requires("unsigned_package")
def test_there(packages, previous_package):
    assert packages("unsigned").version == previous_package.version
"""
    outcome = runs(
        desk.variant(runs.place, {"packages.unsigned": None}), suite, f"--other-package=unsigned={packages['previous']}"
    )
    assert outcome.verdicts == {"test_there": "passed"}, outcome.text


def _without_inf(folder: Path) -> None:
    next(folder.glob("*.inf")).unlink()


def _changed_after_signing(folder: Path) -> None:
    with next(folder.glob("*.sys")).open("ab") as image:
        image.write(b"x")


def _for_other_hardware(folder: Path) -> None:
    """Well signed, but for another device."""
    inf = next(folder.glob("*.inf"))
    inf.write_bytes(inf.read_bytes().replace(b"DEV_7A10", b"DEV_7A11"))
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".cat"}
    catalog = Publisher.create("another", utc_now()).sign_catalog(files, [r"PCI\VEN_1D0F&DEV_7A11"], utc_now())
    next(folder.glob("*.cat")).write_bytes(catalog)


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (_without_inf, ("a folder with one INF", "no INF")),
        (_changed_after_signing, ("files fit its catalog", "hilnic.sys", "sign the package again")),
        (_for_other_hardware, ("a package for PCI", "DEV_7A11", "hilnic.inf:", "name the right folder")),
    ],
)
def test_wrong_package(desk: Desk, runs: Runs, spoil: Callable[[Path], None], messages: tuple[str, ...]) -> None:
    """A package that cannot work is refused before anything on the machine is changed."""
    folder = runs.place / "package"
    shutil.copytree(desk.described["packages"]["current"], folder)
    spoil(folder)
    outcome = runs(desk.variant(runs.place, {"packages.current": str(folder)}), SUITE)
    is_told(outcome, ExitCode.USAGE, *messages)
    journal = (outcome.folder / "journal.jsonl").read_text()
    assert "provision" not in journal
    assert "pnputil" not in journal
