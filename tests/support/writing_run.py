"""``python writing_run.py FOLDER``: writes a run as the recorder does, and says what it has written, until killed."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from hil.clock import utc_now
from hil.journal import Journal
from hil.results.model import Measurement, RunInfo, TestResult
from hil.results.store import ResultWriter

FIGURES = 5

folder = Path(sys.argv[1])
folder.mkdir()
journal, writer = Journal(folder / "journal.jsonl"), ResultWriter(folder / "results.jsonl", lambda line: line)
writer.run(RunInfo(folder.name, utc_now().isoformat(), "0.1.0", "desk"))
for number in itertools.count():
    test, started = f"test_x[{number}]", utc_now().isoformat()
    figures = []
    with journal.span("test", test, claim="Claim."):
        for figure in range(FIGURES):
            value = float(number * FIGURES + figure)
            figures.append(Measurement("figure", value, "W"))
            journal.event("observation", "figure", value=value, unit="W", at_least=None, at_most=None)
            print("measured", value, flush=True)
    writer.test(TestResult(test, "Claim.", "passed", started, 0.1, measurements=tuple(figures)))
    print("ended", test, flush=True)
