"""Bad input and bad days, from the command line: one message, the right exit code, the bench at rest, results kept.

The cases share benches that ``hil lab up`` keeps up, which are ordinary benches to the runs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from linux_machine import linux_machine
from ruamel.yaml import YAML

from hil.bench import Bench
from hil.clock import utc_now
from hil.errors import ExitCode
from hil.instruments import Switch
from hil.journal import Journal
from hil.testbed.model import Testbed
from hil.virtual.driver.signing import Publisher
from hil.wait import wait_until

HIL = [sys.executable, "-m", "hil.cli"]
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMpQhAAwkQGaU5v8HZy1aXNHI1fO9YXEzFVdAw1tJx2T"
SUITE = """
def test_before():
    pass

def test_up(driver, adapter):
    assert adapter.wait_up().status == "Up"

def test_rate(driver, traffic):
    assert traffic.tcp(seconds=0.3).mbps > 1
"""
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


@dataclass(frozen=True)
class Outcome:
    """A run that ended."""

    exit_code: int
    text: str
    folder: Path
    """Of its report; not there when the run was refused before it began."""

    @property
    def verdicts(self) -> dict[str, str]:
        return {line["test"].partition("::")[2]: line["verdict"] for line in self._lines if line["kind"] == "test"}

    @property
    def reason(self) -> str:
        """Why the run ended before its last test."""
        return str(self._lines[-1]["reason"])

    @property
    def _lines(self) -> list[dict[str, Any]]:
        """The whole lines of results.jsonl."""
        text = (self.folder / "results.jsonl").read_text().rpartition("\n")[0]
        return [json.loads(line) for line in text.splitlines()]

    @property
    def complete(self) -> bool:
        """Whether all that a run leaves behind is there."""
        return all((self.folder / name).stat().st_size for name in ("results.jsonl", "index.html", "junit.xml"))


class Desk:
    """A bench that is up, and runs on variants of its testbed, each in a folder of its own."""

    def __init__(self, folder: Path, described: dict[str, Any]) -> None:
        self.folder, self.described = folder, described

    @property
    def testbed(self) -> Testbed:
        return Testbed.model_validate(self.described)

    def variant(self, place: Path, changes: dict[str, Any]) -> Path:
        """A testbed file with some keys (``machine.ssh.port``) changed; its state is its own."""
        tree = json.loads(json.dumps({**self.described, "state_dir": str(place / "state")}))
        for name, value in changes.items():
            *path, last = name.split(".")
            node = tree
            for key in path:
                node = node[key]
            node[last] = value
        file = place / "testbed.yaml"
        YAML().dump(tree, file)
        return file

    def unrest(self) -> list[str]:
        """What is not in its rest position, and the machine if it does not answer."""
        with Bench(self.testbed, Journal()) as bench:
            found = [role for role in ("outlet", "slot", "cable") if bench.instrument(role).state() is not Switch.ON]
            found += ["button"] if bench.button.state() is not Switch.OFF else []
            return found + ([] if bench.machine.os().build else ["machine"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A golden bench."""
    with _lab_up(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@contextmanager
def _lab_up(folder: Path, *arguments: str) -> Iterator[Desk]:
    (folder / "box.yaml").write_text("name: box\nvirtual: {}\nstate_dir: state\n")
    command = [*HIL, "lab", "up", "box.yaml", "--json", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        yield Desk(folder, json.loads(lab.stdout.readline())["testbed"])
        lab.send_signal(signal.SIGINT)
        assert lab.wait(20) == ExitCode.OK
    assert [*(folder / "state").iterdir()] == []


class Runs:
    """Runs in one folder; none may leave a process behind."""

    def __init__(self, place: Path) -> None:
        self.place, self._mark = place, uuid.uuid4().hex
        self.environment = {**os.environ, "HIL_TEST_MARK": self._mark, "COLUMNS": "200", "HOME": str(place / "home")}

    def start(self, testbed: Path, suite: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """As a shell does it: in a process group of its own."""
        (self.place / "test_suite.py").write_text(suite)
        command = [*HIL, "run", f"--testbed={testbed}", "-p", "no:cacheprovider", *arguments, "test_suite.py"]
        return subprocess.Popen(
            command, cwd=self.place, env={**self.environment, **environment}, process_group=0,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def end(self, run: subprocess.Popen[str], reports: Path | None = None) -> Outcome:
        with run:
            text, _ = run.communicate(timeout=60)
        wait_until(lambda: not self.survivors(), what="all processes of the run to end", timeout_s=10)
        assert not (self.place / "home/.local").exists(), "something was written to the user's own state"
        return Outcome(run.returncode, text, ((reports or self.place / "reports") / "latest").resolve())

    def __call__(self, testbed: Path, suite: str = SUITE, *arguments: str, **environment: str) -> Outcome:
        return self.end(self.start(testbed, suite, *arguments, **environment))

    def survivors(self) -> list[str]:
        return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if self._mark in _environment(path)]


def _environment(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # it ended, or is another user's
        return ""


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


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
    outcome = runs(desk.variant(runs.place, changes))
    _is_told(outcome, exit_code, *messages)
    assert desk.unrest() == []


def _is_told(outcome: Outcome, exit_code: ExitCode, *messages: str) -> None:
    assert outcome.exit_code == exit_code, outcome.text
    assert [message for message in messages if message not in outcome.text] == [], outcome.text
    assert "Traceback" not in outcome.text
    if outcome.folder.exists():
        assert outcome.complete
        assert "failed" not in outcome.verdicts.values()


def test_wrong_key(desk: Desk, runs: Runs) -> None:
    """A key that the machine does not know: told with its fingerprint and the trap of administrators' keys."""
    key = runs.place / "id_other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    outcome = runs(desk.variant(runs.place, {"machine.ssh.key_file": str(key)}))
    _is_told(outcome, ExitCode.BENCH, "refused", "SHA256:", "administrators_authorized_keys")
    assert outcome.verdicts == {"test_before": "passed", "test_up": "error", "test_rate": "error"}


def test_not_windows(desk: Desk, runs: Runs) -> None:
    """A testbed that points at a Linux computer."""
    with linux_machine(runs.place) as ssh:
        outcome = runs(desk.variant(runs.place, {"machine.ssh": ssh.model_dump(mode="json", exclude_none=True)}))
    _is_told(outcome, ExitCode.USAGE, "a Windows machine", "cmd: not found", "machine.ssh in the testbed")


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
    _is_told(runs(file), ExitCode.USAGE, message)
    assert [*(runs.place / "state").glob("*")] == []


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
    outcome = runs(desk.variant(runs.place, {"packages.current": str(folder)}))
    _is_told(outcome, ExitCode.USAGE, *messages)
    journal = (outcome.folder / "journal.jsonl").read_text()
    assert "provision" not in journal
    assert "pnputil" not in journal


def test_partner_without_iperf3(desk: Desk, runs: Runs) -> None:
    """Only what needs it is an error, with what to install."""
    (runs.place / "bin").mkdir()
    outcome = runs(desk.variant(runs.place, {}), PATH=str(runs.place / "bin"))
    _is_told(outcome, ExitCode.BENCH, "iperf3 on the link partner", "apt-get install iperf3")
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
    with _lab_up(tmp_path_factory.mktemp("stalls"), "--fault", "stalling_fault:StallsOften") as desk:
        short = {"machine.ssh.keepalive_s": 0.5, "machine.boot_timeout_s": 3, "machine.ssh.connect_timeout_s": 2}
        outcome = runs(desk.variant(runs.place, short), ASKS_ON)
        _is_told(outcome, ExitCode.BENCH, "ConnectionLost", "the answer to a keep-alive took longer")
        assert outcome.verdicts == {"test_good": "passed", "test_asks_on": "error", "test_next": "passed"}
        assert "recovery: power button held" in (outcome.folder / "journal.jsonl").read_text()
