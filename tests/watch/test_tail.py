"""Files that grow while they are read."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.watch.tail import Tail, ends


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text() | st.integers(), max_size=8), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_each_line_comes_once_however_it_is_written(tmp_path: Path, values: list[object], cuts: list[int]) -> None:
    """A record that is only half on disk is read when it is whole, and none is lost or read twice."""
    path = tmp_path / "journal.jsonl"
    whole = "".join(json.dumps({"value": value}) + "\n" for value in values).encode()
    path.write_bytes(b"")
    tail, seen = Tail(path), []
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:cut])
        seen += [line["value"] for line in tail.new()]
    assert seen == values


def test_begins_with_the_newest_mark(tmp_path: Path) -> None:
    """Of a journal of hundreds of megabytes only the running test is read."""
    path = tmp_path / "journal.jsonl"
    path.write_text('{"a": 1, "mark": 1}\n{"a": 2}\n{"a": 3, "mark": 1}\n{"a": 4}\n')
    assert [line["a"] for line in Tail(path, since=b'"mark"').new()] == [3, 4]
    assert [line["a"] for line in Tail(path, since=b'"mark"', before=2).new()] == [2, 3, 4]
    assert [line["a"] for line in Tail(path, since=b'"mark"', before=2000).new()] == [1, 2, 3, 4]
    assert [line["a"] for line in Tail(path, since=b"none").new()] == [1, 2, 3, 4]
    path.write_text("")
    assert list(Tail(path, since=b"none").new()) == []


def test_ends(tmp_path: Path) -> None:
    """The first and the last whole line tell of a finished run without reading what is between."""
    path = tmp_path / "results.jsonl"
    for text, wanted in (
        (b"", (b"", b"")), (b"first", (b"", b"")), (b"one\n", (b"one\n", b"one")), (b"one\ntwo\n", (b"one\n", b"two")),
        (b"one\ntwo\nhal", (b"one\n", b"two")), (b"one\n" + b"x" * 70_000 + b"\nlast\n", (b"one\n", b"last")),
    ):  # fmt: skip
        path.write_bytes(text)
        assert ends(path) == wanted
