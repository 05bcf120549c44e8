"""``hil repro`` as it is typed, on a bench that the test does not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import make_bundle

from hil.cli import run_command

TESTBED = """\
name: desk
machine:
  ssh: {host: 127.0.0.1, port: 1, user: hil, key_file: key, host_key: ssh-ed25519 AAAA}
adapter: {hardware_id: PCI, link_mbps: 1000, address: 198.18.0.1/24}
state_dir: state
"""
SUITE = """
import os, signal, pytest
RUNS = []

def test_before():
    RUNS.append("before")

def test_it():
    RUNS.append("it")
    count = RUNS.count("it")
    if count % 5 == 0:
        raise AssertionError("seldom")
    if count % 7 == 0:
        raise AssertionError("something else")
    if count % 11 == 0:
        pytest.skip("not now")
    if count == int(os.environ.get("STOP", 0)):
        os.kill(os.getpid(), signal.SIGINT)
    assert "ORDER" not in os.environ or RUNS[-2] == os.environ["ORDER"]
"""


class Place:
    """A folder with a testbed and a suite whose test fails in each fifth run, and otherwise in each seventh."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.testbed, self.suite = folder, folder / "desk.yaml", folder / "test_suite.py"
        self.testbed.write_text(TESTBED)
        (folder / "key").touch()
        self.suite.write_text(SUITE)

    def bundle(self, **fields: object) -> Path:
        return make_bundle(self.folder, self.testbed, self.suite, **fields)

    def repro(self, bundle: Path, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "hil.cli", "repro", str(bundle), *arguments],
            cwd=self.folder, env={**os.environ, "COLUMNS": "200", **environment}, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def results(self) -> list[dict]:
        lines = (self.folder / "reports/latest/results.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_counts_the_same_failure_apart(place: Place) -> None:
    """Twenty runs: the failure of the bundle four times with its interval, another one twice, a skip once.

    Who mends a driver must not take some other failure for the one that was reported.
    """
    code, text = place.repro(place.bundle(), "--count", "20", "--run-id", "r")
    assert code == 1
    assert "the same failure: 4 of 19 runs; 21.1%, 95 % interval 6.1% to 45.6%" in text
    assert "another failure: 2 of 19 runs: something else" in text
    assert "no answer: 1 time: skipped: not now" in text
    info = [line for line in place.results() if line["kind"] == "run"][-1]
    assert info["seed"] == 7
    assert "test_suite.py::test_it of run then" in info["facts"]["reproduces"]
    assert "4 of 19 runs" in info["facts"]["found"]
    assert "other than then" not in text


def test_stops_when_it_failed_so(place: Place) -> None:
    """With --until-fail the first failure of the same cause ends it, and the run is whole."""
    code, text = place.repro(place.bundle(cause="something else", headline="something else"), "--until-fail")
    assert code == 1
    assert "the same failure: 1 of 7 runs; 14.3%" in text
    assert "another failure: 1 of 7 runs: seldom" in text
    assert [line for line in place.results() if line["kind"] == "run"][-1]["collected"] == 7


def test_with_the_order(place: Place) -> None:
    """With --with-order the tests before it run before each repetition, in their order, and are not counted."""
    order = ("test_suite.py::test_before", "test_suite.py::test_gone")
    code, text = place.repro(place.bundle(order=order), "--count", "2", "--with-order", ORDER="before")
    assert code == 0, text
    assert "0 of 2 runs" in text
    assert "test_suite.py::test_gone, which ran before it, is no longer there" in text
    tests = [line["test"].partition("::")[2] for line in place.results() if line["kind"] == "test"]
    assert tests == ["test_before#1", "test_it#1", "test_before#2", "test_it#2"]


def test_ctrl_c_gives_the_figures(place: Place) -> None:
    """Ctrl-C ends it in order, with the figures so far, and with their answer as the exit code."""
    code, text = place.repro(place.bundle(), "--count", "50", STOP="6")
    assert (code, "the same failure: 1 of 5 runs" in text) == (1, True), text


@pytest.mark.parametrize(
    ("fields", "arguments", "seen"),
    [
        ({"test": "test_gone.py::test_it"}, (), "no test_gone.py here"),
        ({"test": "../test_suite.py::test_it"}, (), "no ../test_suite.py here"),
        ({"testbed_path": "/none.yaml"}, (), "--virtual"),
        ({"requires": ("slot",), "capabilities": ("slot",)}, (), "a bench with slot, as the test requires"),
        ({"package": {"content_sha256": "AB", "inf": "a.inf", "version": "1"}}, (), "name its folder with --package"),
        ({}, ("--virtual", "--testbed", "desk.yaml"), "--testbed or --virtual"),
        ({}, ("--count", "0"), "--count"),
    ],
)
def test_what_a_person_must_mend(
    fields: dict, arguments: tuple, seen: str, place: Place, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A bundle that cannot be tried here is told with one sentence and exit code 4, before a bench is touched."""
    monkeypatch.chdir(place.folder)
    assert run_command(["repro", str(place.bundle(**fields)), *arguments]) == 4
    assert seen in capfd.readouterr().err
    assert not (place.folder / "reports").exists()


def test_a_test_that_is_gone(place: Place) -> None:
    """A test that its suite no longer has is told so, instead of a run without tests."""
    code, text = place.repro(place.bundle(test="test_suite.py::test_gone"))
    assert (code, "no test test_suite.py::test_gone in its suite any more" in text) == (4, True), text


def test_differences_are_told_before(place: Place) -> None:
    """What is not as it was stands above the run: another hil, a changed suite, a bench with less.

    Runs without that failure end with 0, and the interval says what may still be.
    """
    bundle = place.bundle(hil="0.0.1", suite_sha256="", capabilities=("meter",), options={"faults": ("a:B",)})
    code, text = place.repro(bundle, "--count", "3", "--seed", "12")
    told = text.partition("test session starts")[0]
    for difference in ("the bundle is of 0.0.1", "test_suite.py has changed", "desk has no meter", "were a:B"):
        assert difference in told
    assert code == 0
    assert "the same failure: 0 of 3 runs; 0.0%, 95 % interval 0.0% to 70.8%" in text
    assert "seed: 12" in text
