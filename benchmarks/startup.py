"""How long a person waits before anything happens: importing hil, listing the suites, a cold run of one trivial test.

    python benchmarks/startup.py [--repeat N]

Each figure is the median of N fresh processes; the last column is its share of the limit.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from hil.clock import now_s

ROOT = Path(__file__).parents[1]
PYTHON = [sys.executable]
TRIVIAL = """
def test_the_machine_answers(machine):
    "One question to a provisioned machine."
    assert machine.os().build
"""


def measure(command: list[str], repeat: int) -> float:
    """Median seconds of the command, after one run that fills the disk cache. Raises when it fails."""
    times = []
    for _ in range(repeat + 1):
        started = now_s()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        times.append(now_s() - started)
        if done.returncode:
            raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "test_trivial.py"
        suite.write_text(TRIVIAL)
        bare = measure([*PYTHON, "-c", "pass"], repeat)
        run = [*PYTHON, "-m", "hil.cli", "run", "--reports", folder]
        rows = [
            ("import hil", 0.15, measure([*PYTHON, "-c", "import hil, hil.cli"], repeat) - bare),
            ("hil --help", 0.5, measure([*PYTHON, "-m", "hil.cli", "--help"], repeat)),
            ("collect all suites", 1.0, measure([*run, "--collect-only", "-q"], repeat)),
            ("cold run of one test", 4.0, measure([*run, "--testbed", "testbeds/virtual.yaml", str(suite)], repeat)),
        ]
    print(f"{repeat} repetitions each; Python alone takes {bare * 1000:.0f} ms")
    print(f"{'what':<22} {'median':>9} {'limit':>9} {'share':>7}")
    for what, limit_s, seconds in rows:
        print(f"{what:<22} {seconds:>7.3f} s {limit_s:>7.2f} s {seconds / limit_s:>7.2f}")


if __name__ == "__main__":
    main()
