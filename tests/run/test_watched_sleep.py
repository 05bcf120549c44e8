"""Sleeps that the suites watch for longer than the guard's time."""

from __future__ import annotations

from pathlib import Path

from runs import Desk, Runs

from hil.errors import ExitCode

OTHER_FRAMES = Path(__file__).parents[2] / "suites" / "test_wake.py::test_other_frames_do_not_wake"
"""It watches the machine sleep six times, for a second each on this bench."""


def test_guard_waits_for_all_that_is_watched(desk: Desk, runs: Runs, tmp_path: Path) -> None:
    """The guard's timer ends no sleep that is still being watched, however slow the meter shows a wake.

    The timer's wake in the middle would be blamed on the frame that was sent last.
    """
    outcome = runs(desk.variant(tmp_path, {"limits": {"wake_guard_s": 5}}), "", str(OTHER_FRAMES))
    assert outcome.exit_code == ExitCode.OK, outcome.text
    assert list(outcome.verdicts.values()) == ["passed"]
