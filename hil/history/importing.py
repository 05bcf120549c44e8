"""From the folder of a run to the history: the same folder as often as anyone likes, also of a run that was killed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from hil.errors import UsageError
from hil.history.schema import VERDICTS, benches, measurements, quantities, results, runs, tests
from hil.history.store import History
from hil.results.causes import cause_key, crash_of, headline
from hil.results.heartbeat import SILENT_S, silent_s
from hil.results.model import FAULTS_FACT, Measurement, RunInfo, TestResult
from hil.results.node_ids import base_id
from hil.results.recorded import Recorded
from hil.results.store import Results

_FACTS = {
    "driver_sha256": "driver SHA-256", "driver_version": "driver version", "windows": "Windows", "firmware": "firmware",
    "verifier": "Driver Verifier", "faults": FAULTS_FACT,
}  # fmt: skip


def import_run(history: History, folder: Path) -> int:
    """Take in all that the history lacks of a run; how many of its results it holds then.

    Of a run that was killed the test in which it was counts too, as interrupted, with what it had measured by then.
    Raises UsageError for a folder that holds no run, HistoryUnreachable; all of the run is taken in, or nothing.
    """
    lines, info, recorded = _read(folder)
    found = [*recorded.tests, *([] if recorded.end or _goes_on(folder) else _unfinished(folder, recorded))]
    bench = (_text(info.testbed), _text(info.controller))
    with history.writing() as connection:
        bench_id = _ids(connection, benches, [bench])[bench]
        run_id = _put_run(connection, {"bench_id": bench_id, "lines": lines, **_run(info, recorded, found)})
        _put_results(connection, run_id, found)
    return len(found)


def _put_results(connection: Connection, run_id: int, found: list[TestResult]) -> None:
    """Those that are not there yet; a figure that is no number is none."""
    names = [(_text(base_id(test.test)),) for test in found]
    figures = [
        (result, number, (_text(one.name), _text(one.unit)), one)
        for result, test in enumerate(found)
        for number, one in enumerate(test.measurements, start=1)
        if not isnan(one.value)
    ]
    test_ids = _ids(connection, tests, names)
    quantity_ids = _ids(connection, quantities, [key for _, _, key, _ in figures])
    ended = [
        {"run_id": run_id, "number": number, "test_id": test_ids[name], **_result(test)}
        for number, (name, test) in enumerate(zip(names, found, strict=True), start=1)
    ]
    measured = [
        {"run_id": run_id, "result": result + 1, "number": number, "test_id": ended[result]["test_id"],
         "quantity_id": quantity_ids[key], "value": one.value, "at_least": one.at_least, "at_most": one.at_most,
         "verdict": ended[result]["verdict"]}
        for result, number, key, one in figures
    ]  # fmt: skip
    _add(connection, results, ended)
    _add(connection, measurements, measured)


def _read(folder: Path) -> tuple[int, RunInfo, Results]:
    """How many lines there were at least, and what they say."""
    path = folder / "results.jsonl"
    try:
        lines = path.read_bytes().count(b"\n")
        recorded = Results(path)
        if recorded.info is None:
            raise ValueError("nothing in it says of which run it is")
    except (OSError, ValueError, UsageError) as error:
        raise UsageError(
            "the folder of a run, with results.jsonl", seen=f"{type(error).__name__}: {error}", where=str(folder)
        ) from error
    return lines, recorded.info, recorded


def _goes_on(folder: Path) -> bool:
    journal = folder / "journal.jsonl"
    return journal.exists() and silent_s(journal) < SILENT_S


def _unfinished(folder: Path, known: Results) -> list[TestResult]:
    """The test in which a run was killed, as far as it came: its samples reach the journal one by one."""
    with Recorded(folder / "journal.jsonl") as recorded:
        records = recorded.last() if recorded.begun > len(known.tests) else []
    if not records:
        return []
    start = records[0]
    measured = tuple(
        Measurement(one["what"], one["value"], one["unit"], one["at_least"], one["at_most"])
        for one in records
        if one["kind"] == "observation" and "unit" in one
    )
    lasted_s = round(records[-1]["t_s"] - start["t_s"], 3)
    return [TestResult(start["what"], start["claim"], "interrupted", start["utc"], lasted_s, measurements=measured)]


def _run(info: RunInfo, recorded: Results, found: list[TestResult]) -> dict[str, Any]:
    end = recorded.end or {}
    identity = json.dumps([info.run, info.started, info.testbed, info.controller])
    counts = {verdict: sum(test.verdict == verdict for test in found) for verdict in VERDICTS}
    return {
        "uid": hashlib.sha256(identity.encode()).hexdigest()[:32], "name": info.run, "hil": info.hil,
        "started": datetime.fromisoformat(info.started),
        "ended": datetime.fromisoformat(end["ended"]) if end else None,
        "exit_code": end.get("exit_code"), "reason": end.get("reason", ""), "collected": info.collected,
        "seed": "" if info.seed is None else str(info.seed), "facts": json.dumps(info.facts, ensure_ascii=False),
        "tests_s": sum(test.duration_s for test in found), **counts,
        **{column: info.facts.get(fact, "") for column, fact in _FACTS.items()},
    }  # fmt: skip


def _result(test: TestResult) -> dict[str, Any]:
    crash = crash_of(test)
    bad = test.verdict != "passed"
    return {
        "verdict": test.verdict, "started": datetime.fromisoformat(test.started), "duration_s": test.duration_s,
        "family": test.troubles[0].family if test.troubles else "", "cause": cause_key(test) if bad else "",
        "first_error": headline(test) if bad else "", "bucket": crash.bucket if crash else "",
        "verifier": test.verifier,
    }  # fmt: skip


def _text(text: str) -> str:
    """As databases take it: without NUL, which PostgreSQL has no place for, and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _put_run(connection: Connection, row: Mapping[str, Any]) -> int:
    """The run's own row; what was read of fewer lines does not take the place of what was of more."""
    insert = _insert(connection, runs).values(_storable(row))
    new = {name: insert.excluded[name] for name in row if name != "uid"}
    newer = runs.c.lines <= insert.excluded.lines
    connection.execute(insert.on_conflict_do_update(index_elements=["uid"], set_=new, where=newer))
    found: int = connection.execute(select(runs.c.id).where(runs.c.uid == row["uid"])).scalar_one()
    return found


def _ids(connection: Connection, table: Table, wanted: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Numbers of names, which are added where they are new: in order, so that two writers never wait in a circle."""
    key = [column for column in table.c if column.name != "id"]
    for attempt in range(2):
        known = {tuple(names): number for number, *names in connection.execute(select(table.c.id, *key))}
        missing = {names for names in wanted if names not in known}
        if missing and not attempt:
            columns = [column.name for column in key]
            _add(connection, table, [dict(zip(columns, names, strict=True)) for names in sorted(missing)])
    return known


def _add(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Those that are not there yet."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), [_storable(row) for row in rows])


def _storable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
