"""The journal by test, without parsing all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from a_run import record_test

from hil.journal import Journal
from hil.results import recorded
from hil.results.recorded import Recorded


def records(path: Path, test: str) -> list[dict[str, object]]:
    with Recorded(path) as journal:
        return [json.loads(line) for line in journal.lines(test)]


def test_each_test_has_its_own(tmp_path: Path) -> None:
    """A page shows what its test did, from its start to its end, and nothing of its neighbours."""
    journal = Journal(tmp_path / "journal.jsonl")
    for name in ("a", "b", 'odd "phase": "start", "kind": "test" \n name'):
        record_test(journal, name, steps=2)
        journal.event("step", "between tests")
    journal.close()
    for name in ("a", "b", 'odd "phase": "start", "kind": "test" \n name'):
        found = records(tmp_path / "journal.jsonl", name)
        assert {record["test"] for record in found} == {name}
        assert (found[0]["phase"], found[0]["kind"]) == ("start", "test")
        assert [record["kind"] for record in found].count("test") == 2
    assert records(tmp_path / "journal.jsonl", "c") == []


def test_records_of_windows_belong_to_their_time(tmp_path: Path) -> None:
    """Windows is asked late: a reset in one test must not be shown in the next."""
    journal = Journal(tmp_path / "journal.jsonl")
    record_test(journal, "a")
    begun_s = json.loads((tmp_path / "journal.jsonl").read_text().partition("\n")[0])["t_s"]
    journal.test = "b"
    with journal.span("test", "b"):
        journal.event("event", "NDIS 1", age_s=json.loads(_last(tmp_path))["t_s"] - begun_s)
        journal.event("event", "NDIS 2", age_s=0.0)
    journal.event("event", "NDIS 3", age_s=1e6)
    journal.close()
    found = {test: records(tmp_path / "journal.jsonl", test) for test in "ab"}
    told = {test: [record["what"] for record in found[test] if record["kind"] == "event"] for test in found}
    assert told == {"a": ["Microsoft-Windows-NDIS 10400", "NDIS 1"], "b": ["NDIS 2"]}


def test_a_killed_run(tmp_path: Path) -> None:
    """Of a test that never ended, everything up to the last whole line."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    record_test(journal, "a")
    journal.test = "b"
    with pytest.raises(KeyboardInterrupt), journal.span("test", "b"):
        journal.event("step", "seen")
        whole = path.read_bytes() + b'{"cut'
        raise KeyboardInterrupt
    journal.close()
    path.write_bytes(whole)
    assert [record["what"] for record in records(path, "b")] == ["b", "seen"]


def test_the_newest_repetition(tmp_path: Path) -> None:
    """A test that ran twice shows the run that the verdict is of."""
    journal = Journal(tmp_path / "journal.jsonl")
    record_test(journal, "a", steps=1)
    record_test(journal, "a", steps=3)
    journal.close()
    steps = [record for record in records(tmp_path / "journal.jsonl", "a") if record["kind"] == "step"]
    assert len(steps) == 6


def test_a_very_long_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A soak of a night opens too: with its beginning and its end, in whole lines."""
    monkeypatch.setattr(recorded, "MOST_BYTES", 4000)
    journal = Journal(tmp_path / "journal.jsonl")
    record_test(journal, "a", steps=50)
    journal.close()
    found = records(tmp_path / "journal.jsonl", "a")
    assert (found[0]["phase"], found[-2]["phase"], found[-2]["kind"]) == ("start", "end", "test")
    assert len(json.dumps(found)) < 6000


@pytest.mark.parametrize("content", [None, b"", b"\n", b'{"cut'])
def test_no_journal(tmp_path: Path, content: bytes | None) -> None:
    """A run that ended before its first record has pages all the same."""
    if content is not None:
        (tmp_path / "journal.jsonl").write_bytes(content)
    assert records(tmp_path / "journal.jsonl", "a") == []


def _last(folder: Path) -> str:
    return (folder / "journal.jsonl").read_text().splitlines()[-1]
