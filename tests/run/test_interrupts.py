"""Ctrl-C and SIGTERM in each phase: undone, at rest, written down, exit code 2."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest

from hil.errors import ExitCode
from hil.run.interrupts import Interrupts

SUITE = """
import os, signal, sys
from pathlib import Path
from hil.wait import pause

def hang(phase):
    if os.environ.get("HANG") == phase:
        Path("hanging").touch()
        pause(20, why="a signal")

def test_before(): pass

@pytest.fixture
def phases(undo):
    undo(Path("undone").touch)
    hang("setup")
    yield
    hang("teardown")

def test_it(phases, undo):
    undo(hang, "undo")
    hang("call")

def test_after(): pass
"""


@pytest.mark.parametrize(
    ("phase", "number"),
    [("setup", signal.SIGTERM), ("call", signal.SIGINT), ("call", signal.SIGTERM), ("teardown", signal.SIGINT)],
)
def test_in_each_phase(place: Any, phase: str, number: signal.Signals) -> None:
    """A night that is stopped leaves the bench as it was, and keeps what it had measured."""
    outcome = _interrupted(place, phase, number)
    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert (place.folder / "undone").exists()
    assert outcome.verdicts["test_before"] == "passed"
    assert outcome.verdicts["test_it"] == "interrupted"
    assert "test_after" not in outcome.verdicts
    assert outcome.lines[-1]["reason"] == "interrupted"
    assert (outcome.folder / "index.html").exists()
    assert (outcome.folder / "junit.xml").exists()


def test_a_fixture_that_cannot_be_taken_down(place: Any) -> None:
    """Where a signal ended a test, its fixtures end late, on a machine that may be down: all is written down still."""
    suite = SUITE.replace("    yield\n", "    yield\n    raise BenchError('down')\n")
    outcome = _interrupted(place, "call", signal.SIGINT, suite)
    assert outcome.exit_code == ExitCode.INTERRUPTED
    assert outcome.verdicts["test_it"] == "interrupted"
    assert "BenchError: down" in outcome.text
    assert (place.folder / "undone").exists()
    assert (outcome.folder / "index.html").exists()


def _interrupted(place: Any, phase: str, number: signal.Signals, suite: str = SUITE) -> Any:
    from hil.wait import wait_until

    with subprocess.Popen(
        place.command(suite), cwd=place.folder, env={**place.environment, "HANG": phase},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        wait_until((place.folder / "hanging").exists, what=f"the test to hang in {phase}", timeout_s=20)
        process.send_signal(number)
        text, _ = process.communicate(timeout=20)
        return place.outcome(process.returncode, text)


def test_a_shielded_block_ends_first() -> None:
    """While the bench is put to rest a signal waits, and is not lost."""
    interrupts, done = Interrupts(), False
    with interrupts.installed(), pytest.raises(KeyboardInterrupt), interrupts.shielded():
        with interrupts.shielded():
            signal.raise_signal(signal.SIGTERM)
        done = True
    assert done


def test_handlers_are_put_back() -> None:
    """After the run, signals do again what the embedding program had set."""
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts().installed():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
