"""A run as a user starts it: results as they happen, skips with a cause, refusals with one message."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.errors import ExitCode

Run = Callable[..., Any]


def test_results_are_written_as_tests_end(run: Run) -> None:
    """What was measured before the lights went out is on disk: the second test reads the first one's line."""
    outcome = run(
        """
import json
from pathlib import Path
def test_first(record):
    record("tcp send", 941.25, "Mbit/s", at_least=913.2)
def test_second():
    lines = [json.loads(line) for line in Path("reports/latest/results.jsonl").read_text().splitlines()]
    assert lines[-1]["measurements"] == [
        {"name": "tcp send", "value": 941.25, "unit": "Mbit/s", "at_least": 913.2, "at_most": None}]
"""
    )
    assert outcome.verdicts == {"test_first": "passed", "test_second": "passed"}


def test_what_a_run_leaves_behind(run: Run) -> None:
    """The page, JUnit XML, results, journal and a place for artifacts, and reports/latest points there."""
    outcome = run('def test_x(journal):\n    "A claim."\n    journal.event("step", "looked")')
    assert {path.name for path in outcome.folder.iterdir()} == {
        "index.html", "junit.xml", "results.jsonl", "journal.jsonl", "artifacts", "summary.md", "tests", "assets"
    }  # fmt: skip
    assert outcome.tests["test_x"]["claim"] == "A claim."
    assert (outcome.folder.parent / "latest").is_symlink()
    steps = [json.loads(line) for line in (outcome.folder / "journal.jsonl").read_text().splitlines()]
    assert any(step["what"] == "looked" and step["test"] == "test_suite.py::test_x" for step in steps)
    assert any("looked" in page.read_text() for page in (outcome.folder / "tests").iterdir())
    assert f"report: reports/{outcome.folder.name}/index.html" in outcome.text


def test_skip_by_what_the_bench_lacks(run: Run) -> None:
    """Why a question was not asked can be counted by a program, and no bench is started for skipped tests."""
    outcome = run(
        """
@pytest.mark.requires("slot")
class TestSlot:
    @pytest.mark.requires("meter")
    def test_x(self, slot): raise AssertionError
def test_y(): pass
"""
    )
    assert outcome.exit_code == ExitCode.OK
    assert outcome.tests["TestSlot::test_x"]["skip"] == {
        "text": "bench desk has no meter, no slot", "missing": ["meter", "slot"], "side": "bench"
    }  # fmt: skip


def test_secrets_are_masked(run: Run) -> None:
    """A secret that the run came to know is in none of its files, whatever a test does with it."""
    outcome = run(
        """
def test_x(journal):
    journal.mask('s3cr"t')
    journal.event("step", 's3cr"t')
    print('s3cr"t')
    assert 's3cr"t' == ""
"""
    )
    text = "".join(path.read_text() for path in outcome.folder.iterdir() if path.is_file())
    assert 's3cr"t' not in text
    assert "s3cr&#34;t" not in text
    assert "***" in text


def test_secrets_of_the_testbed_are_in_no_file(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test prints, raises or is named after: a password that the testbed names is in no page, no log."""
    monkeypatch.setenv("PDU_PASSWORD", "s3cr<t>")
    with (place.folder / "desk.yaml").open("a") as testbed:
        testbed.write("""\
instruments:
  outlet: {role: outlet, family: netio, resource: "http://127.0.0.1:1", user: hil, secret: {env: PDU_PASSWORD}}
""")
    outcome = place.run(
        """
import os
secret = os.environ["PDU_PASSWORD"]
@pytest.mark.parametrize("word", [secret])
def test_named(word): pass
def test_bench(journal):
    journal.event("instrument", f"login {secret}")
    print(secret)
    raise BenchError(f"no logon with {secret}", seen=secret, where=secret, next_step=secret)
def test_assertion(): assert secret == "other", secret
def test_skipped(): pytest.skip(secret)
"""
    )
    assert outcome.verdicts["test_bench"] == "error"
    leaks = [path.name for path in outcome.folder.rglob("*") if path.is_file() and b"s3cr" in path.read_bytes()]
    assert leaks == []
    assert "s3cr" not in outcome.text


@pytest.mark.parametrize("fill", ['journal.event("step", "x" * 30_000)', 'raise LinkLost("x" * 30_000)'])
def test_disk_full(run: Run, fill: str, tmp_path: Path) -> None:
    """A full disk ends the run in order with one clear message: the bench is put back, and what is written stays."""
    outcome = run(
        f"""
from pathlib import Path
def test_first(): pass
def test_fills(undo, journal):
    undo(Path("undone").touch)
    {fill}
def test_never(): pass
""",
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert outcome.exit_code == ExitCode.USAGE
    assert "results cannot be written: [Errno 27] File too large; the bench is put to rest" in outcome.text
    assert outcome.verdicts["test_first"] == "passed"
    assert "test_never" not in outcome.verdicts
    assert (tmp_path / "undone").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--testbed", "gone.yaml"], "gone.yaml"),
        (["-n", "2"], "one process per bench; seen: -n 2 and 1 bench"),
        (["--fault", "hil.virtual.faults.driver:LeakPerRemoval"], "--fault with a virtual bench"),
        (["--reports", "desk.yaml"], "a folder for reports that can be written"),
        (["--run-id", "../up"], "--run-id"),
    ],
)
def test_refusals(run: Run, arguments: list[str], message: str) -> None:
    """What the person can mend is one message and exit code 4, before any test runs."""
    outcome = run("def test_x(): raise AssertionError('ran')", *arguments)
    assert outcome.exit_code == ExitCode.USAGE
    assert message in outcome.text
    assert "Traceback" not in outcome.text


def test_a_run_id_is_used_once(run: Run) -> None:
    """A second run of the same name does not write over the first."""
    assert run("def test_x(): pass", "--run-id", "night").exit_code == ExitCode.OK
    again = run("def test_x(): pass", "--run-id", "night")
    assert again.exit_code == ExitCode.USAGE
    assert "choose another --run-id" in again.text


def test_one_worker_is_this_process(run: Run) -> None:
    """``-n 1`` from a habit or a shared option file works as without it."""
    assert run("def test_x(): pass", "-n", "1").verdicts == {"test_x": "passed"}


def test_collecting_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """Looking at what would run makes no folder, needs no bench and no key file."""
    (tmp_path / "key").unlink()
    outcome = run("def test_x(machine): pass", "--collect-only", "-q")
    assert (outcome.exit_code, (tmp_path / "reports").exists()) == (0, False)
    assert "test_x" in outcome.text


def test_other_projects_do_not_notice_the_plugin(tmp_path: Path) -> None:
    """In another project, fixtures of ours do not exist, and nothing of hil but the options is loaded."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_x(): assert not [name for name in sys.modules if name.startswith('hil.') and name != 'hil.run.plugin'"
        " and name != 'hil.run']\n"
        "def test_y(undo): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "fixture 'undo' not found" in done.stdout
    assert "1 passed, 1 error" in done.stdout
    assert not (tmp_path / "reports").exists()


def test_suites_without_a_bench_are_refused() -> None:
    """``pytest suites`` alone says what is missing instead of a list of unknown fixtures."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "suites"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == ExitCode.USAGE
    assert "--testbed testbeds/virtual.yaml" in done.stderr
