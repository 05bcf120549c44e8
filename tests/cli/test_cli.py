"""The command line: one clear message, the right exit code, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hil.cli import run_command
from hil.cli.faults import GOLDEN, Known, Row, _is_red, known
from hil.cli.run import arguments
from hil.errors import ExitCode
from hil.results.model import TestResult, Trouble
from hil.virtual.faults import load

ROOT = Path(__file__).parents[2]
VIRTUAL = str(ROOT / "testbeds/virtual.yaml")


def hil(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hil.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["run", "check", "doctor", "provision", "faults", "instruments", "lab", "watch"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``hil COMMAND --help`` works for each command that the README names."""
    assert run_command([command, "--help"]) == ExitCode.OK
    assert f" {command} [OPTIONS]" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["check", "gone.yaml"], ["check"], ["check", "--bogus"], ["bogus"]])
def test_a_mistake_of_the_person(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument is a short message on standard error and exit code 4, which is not that of an interrupt."""
    assert run_command(words) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err
    assert "Traceback" not in captured.err


def test_no_traceback_in_a_process() -> None:
    """As a person sees it: one line that says what, where and why."""
    done = hil("check", "gone.yaml")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.startswith("hil: UsageError: a testbed file that can be read; seen:")
    assert done.stderr.count("\n") == 1


def test_check_tells_what_the_bench_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """A valid file is confirmed with the capabilities that decide about skips."""
    assert run_command(["check", VIRTUAL]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "secureon, slot, " in told
    assert "wake_from_s5, " in told


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Editors can be pointed at what ``hil check --schema`` prints."""
    assert run_command(["check", "--schema"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["title"] == "Testbed"


def test_doctor_says_how_to_mend(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without iperf3 on the path, the answer names it, what to type, and the exit code says that a person must act."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_command(["doctor"]) == ExitCode.USAGE
    assert "do: apt-get install iperf3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        ([], ["--testbed=testbeds/virtual.yaml"]),
        (["-k", "x", "suites"], ["--testbed=testbeds/virtual.yaml", "-k", "x", "suites"]),
        (["--testbed", "x.yaml"], ["--testbed", "x.yaml"]),
        (["--testbed=x.yaml", "-x"], ["--testbed=x.yaml", "-x"]),
    ],
)
def test_defaults_of_run(given: list[str], passed_on: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``hil run`` alone uses the virtual bench; what is given is passed on as it is."""
    monkeypatch.chdir(ROOT)
    assert arguments(given) == passed_on


def test_run_without_a_path_means_the_suites() -> None:
    """``hil run`` runs the suites, not the tests of hil, and listing them needs no bench."""
    done = hil("run", "--collect-only", "-q")
    assert done.returncode == ExitCode.OK
    assert "suites/test_pnp.py::test_idle_removal" in done.stdout
    assert "tests/" not in done.stdout


def test_run_elsewhere_says_what_is_missing(tmp_path: Path) -> None:
    """Outside a checkout there is no default bench, and the message says which option names one."""
    done = hil("run", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "--testbed FILE; seen: no testbeds/virtual.yaml here" in done.stderr


def test_lab_up_refuses_a_real_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a virtual bench can be started."""
    file = tmp_path / "desk.yaml"
    file.write_text(
        "name: desk\nmachine: {ssh: {host: h, user: u, key_file: desk.yaml, host_key: k}}\n"
        "adapter: {hardware_id: PCI, link_mbps: 1000, address: 198.18.0.1/24}\n"
    )
    assert run_command(["lab", "up", str(file)]) == ExitCode.USAGE
    assert "a testbed with a section 'virtual'" in capsys.readouterr().err


def test_known_faults_load_and_name_suites() -> None:
    """At least fifteen faults; each loads by the path that is shown, and names suites that exist."""
    suites = {path.stem.removeprefix("test_") for path in (ROOT / "suites").glob("test_*.py")}
    faults = known()
    assert len(faults) >= 15
    for fault in faults:
        assert type(load(fault.path)).__name__ == fault.name
        assert set(fault.caught_by) <= suites, fault
        assert not fault.testbed or (ROOT / "testbeds" / f"{fault.testbed}.yaml").exists(), fault
        assert fault.bug


def row(**fields: object) -> Row:
    return Row(**{"fault": "Leak", "path": "m:Leak", "bug": "", "caught_by": ("pnp", "link"), "exit_code": 1, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "good"),
    [
        (row(red={"pnp": ["test_x"], "link": ["test_y"]}), True),
        (row(red={"pnp": ["test_x"]}), False),
        (row(red={"power": ["test_z"]}), False),
        (row(caught_by=(), red={}), False),
        (row(fault=GOLDEN, caught_by=(), exit_code=0, asked={"pnp": 3}), True),
        (row(fault=GOLDEN, caught_by=(), exit_code=0, asked={"pnp": 3, "link": 0}), False),
        (row(fault=GOLDEN, caught_by=(), exit_code=1, asked={"pnp": 3}), False),
        (row(fault=GOLDEN, caught_by=(), exit_code=0, asked={}), False),
        (row(fault=f"{GOLDEN}-virtual-s0ix", caught_by=(), exit_code=0, asked={"wake": 9}), True),
    ],
)
def test_what_the_matrix_demands(one: Row, good: bool) -> None:
    """Each named suite must turn red, and a golden bench that asked nothing in a suite proves nothing."""
    assert one.good is good


def test_what_is_red_anyway_proves_nothing() -> None:
    """A test that fails on a golden bench too does not count as having caught the fault."""
    golden = row(fault=GOLDEN, red={"pnp": ["test_flaky"]})
    faulty = row(red={"pnp": ["test_flaky"], "link": ["test_y"]})
    assert faulty.good
    assert faulty.beyond(golden).red == {"link": ["test_y"]}
    assert not faulty.beyond(golden).good


@pytest.mark.parametrize(
    ("family", "phase", "red"),
    [("device", "call", True), ("device", "setup", True), ("bench", "call", True), ("bench", "setup", False),
     ("internal", "call", False), ("usage", "call", False)],
)  # fmt: skip
def test_what_catches_a_fault(family: str, phase: str, red: bool) -> None:
    """A bench that did not come up, or a mistake in a suite, must not look like a fault that was caught."""
    trouble = Trouble(phase, "error", family, "X", "x")
    assert _is_red(TestResult("a::b", "", "error", "", 0.0, (trouble,))) is red


def test_names_of_faults() -> None:
    """The folder of a run in the matrix is the name of the class."""
    assert Known("mylab.faults:Slow", "", ()).name == "Slow"
