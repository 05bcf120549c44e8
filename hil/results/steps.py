"""What happened in each test, step by step, from the journal of the run."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_STEPS = 400
"""Of one test; a loop of ten thousand reads helps nobody. The journal has them all."""
_FRAME = {"t_s", "utc", "phase", "kind", "what", "id", "parent", "test", "duration_s", "error"}


@dataclass(frozen=True)
class Step:
    """One line of a test's story. ``at_s`` counts from the start of the test, ``duration_s`` is None for a moment."""

    at_s: float
    depth: int
    kind: str
    what: str
    detail: str
    duration_s: float | None
    error: str


def read_steps(journal: Path) -> dict[str, list[Step]]:
    """Node id to steps, in the order they began."""
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with journal.open("rb") as file:
        for line in file:
            # the last line of a killed run may be cut
            record = json.loads(line) if line.endswith(b"\n") else {}
            if record.get("test"):
                records[record["test"]].append(record)
    return {test: _story(of_test) for test, of_test in records.items()}


def _story(records: list[dict[str, Any]]) -> list[Step]:
    ends = {record["id"]: record for record in records if record["phase"] == "end"}
    depths: dict[int, int] = {}
    begun_s = records[0]["t_s"]
    steps = []
    for record in records:
        if record["phase"] == "end" or record["kind"] == "test":
            continue
        depth = depths.get(record["parent"] or 0, -1) + 1
        depths[record["id"]] = depth
        end = ends.get(record["id"], {}) if record["phase"] == "start" else {}
        free = {key: value for key, value in {**record, **end}.items() if key not in _FRAME}
        detail = ", ".join(f"{key} {value}" for key, value in free.items() if value not in (None, ""))
        steps.append(
            Step(
                at_s=record["t_s"] - begun_s,
                depth=depth,
                kind=record["kind"],
                what=record["what"],
                detail=detail,
                duration_s=end.get("duration_s"),
                error=str(end.get("error", "")),
            )
        )
    return steps[:MOST_STEPS]
