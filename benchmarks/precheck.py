"""How long the pre-check takes over a year of nightly runs, beside what merely reading the same lines takes.

    python benchmarks/precheck.py [runs] [tests]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.clock import now_s
from hil.results.hlk import catalogue
from hil.results.model import RunInfo, TestResult
from hil.results.precheck import PACKAGE_FACT, evaluate, read_history
from hil.results.precheck_page import write_precheck
from hil.results.store import ResultWriter

PACKAGES = 50
"""Builds of the driver over the year: a build is tested for about a week."""
LIMIT_S = 1.0


def a_year(reports: Path, runs: int, tests: int) -> None:
    """One run a night, each with all tests."""
    started = datetime(2026, 1, 1, tzinfo=UTC)
    for night in range(runs):
        folder = reports / f"{night:04}"
        folder.mkdir()
        package = f"{night * PACKAGES // runs:064}"
        facts = {PACKAGE_FACT: package, "Windows": "Microsoft Windows 11 Pro, build 26100", "package": "hilnic.inf"}
        when = (started + timedelta(days=night)).isoformat()
        writer = ResultWriter(folder / "results.jsonl", lambda line: line)
        writer.run(RunInfo(folder.name, when, "0.1.0", "desk", facts=facts))
        for number in range(tests):
            writer.test(TestResult(f"suites/test_a.py::test_{number}", "A claim of usual length.", "passed", when, 1.0))
        writer.close()


def seconds(work: Callable[[], object]) -> float:
    began = now_s()
    work()
    return now_s() - began


def main() -> int:
    runs, tests = (int(argument) for argument in (sys.argv[1:] + ["365", "120"][len(sys.argv) - 1 :]))
    names = list(catalogue().tests)
    predictions = {f"suites/test_a.py::test_{number}": (names[number % len(names)],) for number in range(tests)}
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder)
        a_year(reports, runs, tests)

        def read() -> None:
            for path in reports.glob("*/results.jsonl"):
                for line in path.read_bytes().splitlines():
                    json.loads(line)

        def precheck() -> None:
            today = datetime.now(UTC).date()
            write_precheck(evaluate(read_history(reports), predictions, catalogue(), (), today), reports)

        floor_s, took_s = seconds(read), min(seconds(precheck) for _ in range(3))
    print(f"{runs} runs of {tests} tests")
    print(f"reading every line     {floor_s:6.3f} s")
    print(f"pre-check with pages   {took_s:6.3f} s  {took_s / floor_s:5.2f} of it; at most {LIMIT_S:g} s")
    return int(took_s > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
