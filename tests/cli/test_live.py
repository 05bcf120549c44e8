"""Commands that reach a bench, against a virtual one that is up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hil.errors import ExitCode

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMpQhAAwkQGaU5v8HZy1aXNHI1fO9YXEzFVdAw1tJx2T"
HIL = [sys.executable, "-m", "hil.cli"]


def hil(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HIL, *words], capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The ordinary testbed of a bench that ``hil lab up --json`` keeps up."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "box.yaml").write_text("name: box\nvirtual: {}\nstate_dir: state\n")
    command = [*HIL, "lab", "up", "box.yaml", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        yield json.loads(lab.stdout.readline())
        lab.send_signal(signal.SIGTERM)
        _, said = lab.communicate(timeout=20)
        assert (lab.returncode, said) == (0, "the bench is down\n")
    assert [*(folder / "state").iterdir()] == []


@pytest.fixture
def file(bench: dict[str, Any], tmp_path: Path) -> Path:
    """Its testbed file."""
    path = tmp_path / "up.yaml"
    path.write_text(json.dumps(bench["testbed"]))
    return path


def change(file: Path, *keys: str, value: object) -> None:
    tree = YAML().load(file.read_text())
    node = tree
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    with file.open("w") as stream:
        YAML().dump(tree, stream)


def test_lab_up_prints_all_endpoints(bench: dict[str, Any]) -> None:
    """Other programs find the machine, its keys, the instruments and the namespace of the partner."""
    testbed = bench["testbed"]
    assert {"host", "port", "user", "key_file", "host_key"} <= set(testbed["machine"]["ssh"])
    assert all(one["resource"] for one in testbed["instruments"].values())
    assert ("partner" in testbed) != ("wire" in bench["missing"])


def test_check_live_reaches_everything(file: Path) -> None:
    """A person who sets up a bench sees what answers, and what still has no driver, in one list."""
    done = hil("check", str(file), "--live")
    assert "Windows 11" in done.stdout
    assert "elevated" in done.stdout
    for role in ("outlet", "slot", "meter", "button", "cable"):
        assert f"{role} ({role})" in done.stdout
    # nothing was installed on it yet
    assert "FAILED_INSTALL" in done.stdout or done.returncode == ExitCode.OK


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("machine", "ssh", "host_key"), OTHER_KEY, "host key"),
        (("machine", "ssh", "port"), 1, "refuses connections"),
        (("machine", "ssh", "user"), "nobody", "nobody@127.0.0.1"),
        (("instruments", "outlet", "serial"), "XX000", "XX000"),
        (("adapter", "hardware_id"), r"PCI\VEN_1234&DEV_5678", "VEN_1234"),
    ],
    ids=["host key", "port", "user", "serial", "hardware id"],
)  # fmt: skip
def test_check_live_names_what_is_wrong(file: Path, keys: tuple[str, ...], value: object, message: str) -> None:
    """A wrong key, port, user, serial or hardware id is named, without a traceback, and the exit code says so."""
    change(file, *keys, value=value)
    done = hil("check", str(file), "--live")
    assert message in done.stdout
    assert done.returncode in (ExitCode.DEVICE, ExitCode.USAGE, ExitCode.BENCH)
    assert done.stderr == ""


def test_trust_host_key_writes_it_down(file: Path) -> None:
    """On the first contact the key is shown to compare, and written into the file; comments there stay."""
    right = YAML().load(file.read_text())["machine"]["ssh"]["host_key"]
    change(file, "machine", "ssh", "host_key", value="ssh-ed25519 AAAA")
    file.write_text(f"# my bench\n{file.read_text()}")
    done = hil("check", str(file), "--trust-host-key")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "SHA256:" in done.stdout
    assert YAML().load(file.read_text())["machine"]["ssh"]["host_key"] == right
    assert file.read_text().startswith("# my bench")


def test_provision_and_back(file: Path) -> None:
    """A machine is made ready, a second time there is nothing to do, and it is put back as it was."""
    words = ["provision", str(file)]
    first, second, undone = hil(*words), hil(*words), hil(*words, "--undo")
    assert (first.returncode, second.returncode, undone.returncode) == (0, 0, 0), first.stderr + undone.stderr
    assert "power-plan" in first.stdout
    assert "nothing to do" in second.stdout
    assert "power-plan" in undone.stdout


def test_faults_matrix(tmp_path: Path) -> None:
    """A fault that its suite catches is ok, and one that claims a suite which sees nothing makes the matrix red."""
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_link.py").write_text(
        "def test_mac(driver, adapter):\n    before = adapter.wait_up().mac\n    adapter.restart()\n"
        "    assert adapter.wait_up().mac == before\n"
    )
    (suites / "test_pnp.py").write_text("def test_nothing(machine):\n    assert machine.os().build\n")
    arguments = ["--suites", str(suites), "--reports", str(tmp_path / "reports"), "--only"]
    caught = hil("faults", "--matrix", *arguments, "WrongMacAfterRestart")
    assert caught.returncode == ExitCode.OK, caught.stdout + caught.stderr
    table = json.loads((tmp_path / "reports/latest/matrix.json").read_text())
    assert [(row["fault"], row["good"], row["red"]) for row in table] == [
        ("golden", True, {}), ("WrongMacAfterRestart", True, {"link": ["test_mac"]})
    ]  # fmt: skip
    missed = hil("faults", "--matrix", *arguments, "LeakPerRemoval")
    assert missed.returncode == ExitCode.DEVICE
    assert "NOT CAUGHT" in missed.stdout
