"""The runs in a folder of reports, as a page shows them: plain dicts for JSON, times in Unix seconds.

Nothing is written, and no run knows that it is watched. What goes on is read from results.jsonl and journal.jsonl as
they grow; of a run that is over, only the ends of results.jsonl are read.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.clock import utc_now
from hil.results.causes import by_cause, headline
from hil.results.heartbeat import SILENT_S, silent_s
from hil.results.live import Doing, Live
from hil.results.model import TestResult
from hil.watch.tail import Tail, ends

PAST_RUNS = 20
SHOWN_SILENT_S = 3600.0
"""How long a run that no longer answers stays among those that run."""
WINDOW_S = 120.0
"""Of the sparklines."""
_CAUSES = 5
_BEFORE_BYTES = 1 << 20
"""Read of the journal before the running test, for the sparklines."""
_TEST_STARTS, _RUN_ENDS = b'"phase": "start", "kind": "test"', b'{"kind": "end"'
_READ_AT_EACH_LOOK = "results.jsonl", "journal.jsonl"


class WatchedRun:
    """A run that has not ended. OSError and ValueError of a folder that is none of ours pass through."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results = Tail(folder / "results.jsonl")
        self._journal = Tail(folder / "journal.jsonl", since=_TEST_STARTS, before=_BEFORE_BYTES)
        self._info: dict[str, Any] = {}
        self._live = Live()

    def look(self) -> dict[str, Any]:
        """How it stands now."""
        for line in self._results.new():
            if line["kind"] == "run":
                self._info = line
            elif line["kind"] == "plan":
                self._live.plan(line["expected_s"])
            elif line["kind"] == "test":
                self._live.ended(TestResult.from_line(line))
        for record in self._journal.new():
            self._live.record(record)
        return self._told()

    def _told(self) -> dict[str, Any]:
        live, info, now = self._live, self._info, utc_now()
        silent = silent_s(self._folder / "journal.jsonl")
        last_seen = round(now.timestamp() - silent, 1)
        remaining_s = live.remaining_s(now)
        return {
            "run": self._folder.name, "bench": info.get("testbed", ""), "about": info.get("description", ""),
            "started": _unix(info.get("started")), "answers": silent < SILENT_S,
            "last_seen": last_seen,
            "done": live.done, "total": info.get("collected", 0), "counts": dict(live.counts),
            "over": None if remaining_s is None else round(now.timestamp() + remaining_s),
            "test": _doing(live.test, live.expected_s), "doing": _doing(live.doing),
            "last": [_ended(test) for test in reversed(live.last)], "states": live.states,
            "causes": [
                {"text": cause.text, "verdict": cause.tests[0].verdict, "count": len(cause.tests)}
                for cause in by_cause(live.bad)[:_CAUSES]
            ],
            "samples": {name: _newest(points, now.timestamp()) for name, points in live.samples.items() if points},
        }  # fmt: skip


class Runs:
    """All runs below ``reports``, whether they began before or begin later."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._watched: dict[str, WatchedRun] = {}
        self._past: dict[str, dict[str, Any]] = {}

    def look(self) -> dict[str, Any]:
        """The running ones, and the newest of the others. Folders that cannot be read are left out."""
        now: list[dict[str, Any]] = []
        past: list[dict[str, Any]] = []
        for folder in self._folders():
            try:
                if not all((folder / name).is_file() for name in _READ_AT_EACH_LOOK):
                    continue
                over = self._over(folder)
                if over is None:
                    now.append(self._watched.setdefault(folder.name, WatchedRun(folder)).look())
                elif over:
                    past.append(over)
            except (OSError, ValueError, LookupError, TypeError):
                self._watched.pop(folder.name, None)  # no run of ours, or one of another version
        now.sort(key=lambda run: (run["bench"], run["started"] or 0.0))
        past.sort(key=lambda run: run["started"] or 0.0, reverse=True)
        return {"now": now, "past": past[:PAST_RUNS], "time": utc_now().timestamp()}

    def _folders(self) -> list[Path]:
        try:
            return [path for path in self._reports.iterdir() if not path.is_symlink()]
        except OSError:  # not there yet, or its disk is away for a while
            return []

    def _over(self, folder: Path) -> dict[str, Any] | None:
        """A run that is no longer among those that run; None for one that is, and empty for one that wrote nothing."""
        if folder.name in self._past:
            return self._past[folder.name]
        first, last = ends(folder / "results.jsonl")
        ended = json.loads(last) if last.startswith(_RUN_ENDS) else None
        if ended is None and silent_s(folder / "journal.jsonl") < SHOWN_SILENT_S:
            return None
        info = json.loads(first) if first else None
        if info is None:
            return {}
        report = folder / "index.html"
        told = {
            "run": folder.name, "bench": info["testbed"], "started": _unix(info["started"]),
            "ended": _unix(ended["ended"]) if ended else None, "exit_code": ended["exit_code"] if ended else None,
            "reason": ended["reason"] if ended else "", "report": report.is_file(),
        }  # fmt: skip
        self._watched.pop(folder.name, None)
        if told["ended"] is not None and told["report"]:
            self._past[folder.name] = told
        return told


def _doing(one: Doing | None, expected_s: float | None = None) -> dict[str, Any] | None:
    if one is None:
        return None
    limit_s = one.timeout_s if one.timeout_s is not None else expected_s
    return {"kind": one.kind, "what": one.what, "since": one.since.timestamp(), "limit_s": limit_s}


def _ended(test: TestResult) -> dict[str, Any]:
    return {"test": test.test, "verdict": test.verdict, "duration_s": test.duration_s, "why": headline(test)}


def _newest(points: Any, now: float) -> list[tuple[float, float | None]]:
    """The points of the window, and the one before it, which holds at its beginning."""
    shown = tuple(points)
    first = next((number for number, (at, _) in enumerate(shown) if at >= now - WINDOW_S), len(shown))
    return list(shown[max(0, first - 1) :])


def _unix(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
