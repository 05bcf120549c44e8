"""``hil report``: pages of a run that was killed, or of one from last year."""

from __future__ import annotations

from pathlib import Path

import pytest
from a_run import NIGHT, a_run

from hil.cli import run_command
from hil.errors import ExitCode


def test_pages_are_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was recorded up to the kill can be looked at."""
    folder = a_run(tmp_path / "night", NIGHT, exit_code=None)
    assert run_command(["report", str(folder)]) == ExitCode.OK
    assert capsys.readouterr().out.strip() == str(folder / "index.html")
    assert {"index.html", "junit.xml", "summary.md"} <= {path.name for path in folder.iterdir()}


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong folder is said as such."""
    assert run_command(["report", str(tmp_path)]) == ExitCode.USAGE
    assert "results.jsonl" in capsys.readouterr().err
