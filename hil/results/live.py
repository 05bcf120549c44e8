"""What a run does now, from its stream of records: for the lines on the terminal and for ``hil watch``."""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hil.journal import Record
from hil.results.model import TestResult
from hil.results.words import rough

_LEAST_KNOWN = 5
"""Durations without which the rest of a run is not guessed."""
_SAMPLES = 600
"""Kept of each figure: two minutes of the fastest one."""
_BAD = {"failed": "failed", "error": "error", "interrupted": "stopped"}
FIGURES = "sent_mbps", "received_mbps", "watts"
STATES = "adapter", "link"


@dataclass(frozen=True)
class Doing:
    """Something that is not over yet; ``timeout_s`` is how long it may take, where that is known."""

    kind: str
    what: str
    since: datetime
    timeout_s: float | None

    def __str__(self) -> str:
        return f"{'waits for' if self.kind == 'wait' else self.kind} {self.what}"


class Live:
    """Fed on any thread with the journal's records and with tests as they end; read on any other."""

    def __init__(self, bench: str = "") -> None:
        self.bench = bench
        self.counts: Counter[str] = Counter()
        self.last: deque[TestResult] = deque(maxlen=8)
        self.bad: list[TestResult] = []
        self.samples: dict[str, deque[tuple[float, float | None]]] = {name: deque(maxlen=_SAMPLES) for name in FIGURES}
        """Unix time and value; None from when on it could not be had. A value holds until the next one."""
        self.states: dict[str, object] = {}
        self._open: dict[int, Doing] = {}
        self._planned: dict[str, float | None] = {}
        self._took: list[float] = []
        self._left_s: float | None = None

    # what is fed

    def plan(self, tests: Mapping[str, float | None]) -> None:
        """All tests that are to run, each with how long it mostly takes."""
        self._planned = dict(tests)
        self._took = [seconds for seconds in tests.values() if seconds is not None]
        self._estimate()

    def record(self, record: Record) -> None:
        """One record of the journal."""
        if record["phase"] == "start":
            since = datetime.fromisoformat(record["utc"])
            self._open[record["id"]] = Doing(record["kind"], str(record["what"]), since, record.get("timeout_s"))
        elif record["phase"] == "end":
            self._open.pop(record["id"], None)
        elif record["kind"] == "sample":
            self._sample(record)

    def ended(self, test: TestResult) -> None:
        """One test, as results.jsonl has it."""
        self.counts[test.verdict] += 1
        self.last.append(test)
        if test.verdict in _BAD:
            self.bad.append(test)
        self._planned.pop(test.test, None)
        if test.verdict != "skipped":
            self._took.append(test.duration_s)
        self._estimate()

    # what is read

    @property
    def done(self) -> int:
        return self.counts.total()

    @property
    def test(self) -> Doing | None:
        """The running test."""
        return next((one for one in tuple(self._open.values()) if one.kind == "test"), None)

    @property
    def doing(self) -> Doing | None:
        """The innermost thing that is not over, other than the test itself."""
        inner = tuple(self._open.values())[-1:]
        return inner[0] if inner and inner[0].kind != "test" else None

    @property
    def expected_s(self) -> float | None:
        """How long the running test mostly takes."""
        return self._planned.get(self.test.what) if self.test else None

    def remaining_s(self, now: datetime) -> float | None:
        """Seconds until the last test ends, if all take what they mostly take; None when too little is known."""
        test = self.test
        if self._left_s is None or test is None or test.what not in self._planned:
            return self._left_s
        expected = self._planned[test.what]
        usual = expected if expected is not None else statistics.fmean(self._took)
        return self._left_s - min(usual, (now - test.since).total_seconds())

    def lines(self, now: datetime, total: int) -> list[str]:
        """Bench and rest of the run; the running test; what it waits for. What is long stands last, to be cut."""
        first = [self.bench, ", ".join([f"{self.done}/{total}", *self._bad_in_words()])]
        remaining_s = self.remaining_s(now)
        if remaining_s is not None and self.done < total:
            first.append(f"about {rough(remaining_s)} left")
        told = ["  ".join(first)]
        if self.test is not None:
            told.append(f"  {_spent(self.test, now, 'about', self.expected_s)}  {self.test.what}")
        if self.doing is not None:
            told.append(f"  {_spent(self.doing, now, 'at most', self.doing.timeout_s)}  {self.doing}")
        return told

    def _bad_in_words(self) -> list[str]:
        return [f"{self.counts[verdict]} {word}" for verdict, word in _BAD.items() if self.counts[verdict]]

    def _estimate(self) -> None:
        """Of the tests that have not ended, those that nobody knows count as a mean one."""
        if len(self._took) < _LEAST_KNOWN and None in self._planned.values():
            self._left_s = None
            return
        mean = statistics.fmean(self._took or [0.0])
        self._left_s = sum(mean if seconds is None else seconds for seconds in self._planned.values())

    def _sample(self, record: Record) -> None:
        at = datetime.fromisoformat(record["utc"]).timestamp()
        missing = "missing" in record
        for name in {"wire": FIGURES[:2], "watts": FIGURES[2:]}.get(record["what"], ()):
            if missing or name in record:
                value = record.get(name)
                self.samples[name].append((at, value if value is not None and math.isfinite(value) else None))
        self.states |= {name: record[name] for name in STATES if name in record}


def _spent(one: Doing, now: datetime, limit: str, seconds: float | None) -> str:
    spent = rough((now - one.since).total_seconds())
    return f"{spent} of {limit} {rough(seconds)}" if seconds is not None else spent
