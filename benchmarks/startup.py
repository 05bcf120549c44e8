"""How long a person waits before anything happens: importing hil, listing the suites, a cold run of one trivial test.

    python benchmarks/startup.py [--repeat N]

Each figure is the median of N fresh processes; the last column is its share of the limit. Modules are compiled before,
into a folder of this measurement, as Python does unless it is told not to.
"""

from __future__ import annotations

import argparse
import os
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


def measure(command: list[str], repeat: int, bytecode: str) -> float:
    """Median seconds of the command, after one run that fills the caches. Raises when it fails."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(repeat + 1):
        started = now_s()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
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

        def seconds(*arguments: str) -> float:
            return measure([*PYTHON, *arguments], repeat, f"{folder}/bytecode")

        bare = seconds("-c", "pass")
        run = ("-m", "hil.cli", "run", "--reports", folder)
        rows = [
            ("import hil", 0.15, seconds("-c", "import hil, hil.cli") - bare),
            ("hil --help", 0.5, seconds("-m", "hil.cli", "--help")),
            ("collect all suites", 1.0, seconds(*run, "--collect-only", "-q")),
            ("cold run of one test", 4.0, seconds(*run, "--testbed", "testbeds/virtual.yaml", str(suite))),
        ]
    print(f"{repeat} repetitions each; Python alone takes {bare * 1000:.0f} ms")
    print(f"{'what':<22} {'median':>9} {'limit':>9} {'share':>7}")
    for what, limit_s, seen_s in rows:
        print(f"{what:<22} {seen_s:>7.3f} s {limit_s:>7.2f} s {seen_s / limit_s:>7.2f}")


if __name__ == "__main__":
    main()
