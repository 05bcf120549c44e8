"""How long each test takes on a bench, as the runs before have it."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from itertools import islice
from pathlib import Path

from hil.results.before import earlier_runs
from hil.results.store import Results

_RUNS = 5
_REPETITION = re.compile(r"#\d+$")


def expected_durations(folder: Path, testbed: str, started: str) -> dict[str, float]:
    """Median seconds of each test that was asked in the newest runs of this testbed before the one in ``folder``."""
    took: dict[str, list[float]] = defaultdict(list)
    for earlier in islice(earlier_runs(folder, testbed, started), _RUNS):
        for test in Results(earlier / "results.jsonl").tests:
            if test.verdict in ("passed", "failed", "error"):
                took[_REPETITION.sub("", test.test)].append(test.duration_s)
    return {test: statistics.median(durations) for test, durations in took.items()}
