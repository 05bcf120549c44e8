"""A storm on the virtual bench, as a person starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hil.errors import ExitCode

HIL = [sys.executable, "-m", "hil.cli"]
FAULT = "--fault=storm_faults:CrashOnAnyRemoval"


def hil(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support"), "COLUMNS": "200"}
    (place / "box.yaml").write_text("name: box\nvirtual: {link_mbps: 100, instruments: [slot]}\nstate_dir: state\n")
    return subprocess.run(
        [*HIL, *words], cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90
    )


def test_what_it_finds_is_a_test_file(tmp_path: Path) -> None:
    """A driver that does not survive its removal is found and told as its bugcheck, and what is left behind is a test
    that hil run takes."""
    limits = ("--seed", "7", "--steps", "2", "--length", "1", "--replays", "1")
    done = hil(tmp_path, "storm", "box.yaml", *limits, FAULT, "--run-id", "found")
    assert done.returncode == ExitCode.DEVICE, done.stdout + done.stderr
    assert "Seed 7: after 1 steps, pull the NIC failed 1 of 1 times: " in done.stdout
    assert "DRIVER_IRQL_NOT_LESS_OR_EQUAL" in done.stdout
    file = tmp_path / "reports/found/test_storm_7.py"
    assert "\n    slot.pull()\n    undo(adapter.wait_present)\n    undo(slot.plug)\n" in file.read_text()
    again = hil(tmp_path, "run", "--testbed=box.yaml", "--collect-only", "-q", "-p", "no:cacheprovider", str(file))
    assert again.returncode == ExitCode.OK, again.stdout + again.stderr
    assert "test_storm_7.py::test_storm_7" in again.stdout
