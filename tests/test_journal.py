"""The journal: whatever a secret looks like, it is in no record, and each record can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hil.journal import Journal

SECRETS = ["1234", "0", "event", "e", "kind", "point", "2026", "null", "true", 's3cr"t', "back\\slash", "\n"]


def written(path: Path, secrets: list[str], **fields: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Records as a listener saw them and as the file has them."""
    journal, heard = Journal(path), list[dict[str, Any]]()
    for secret in secrets:
        journal.mask(secret)
    journal.listen(heard.append)
    for number in range(300):
        journal.event("event", f"login with {' '.join(secrets)}", number=number, **fields)
    journal.close()
    return heard, [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_of_any_form_leaves_records_that_can_be_read(tmp_path: Path, secret: str) -> None:
    """A PIN of digits, or a password that is a word of the journal's own, breaks no record.

    An unlucky number would raise in the middle of a setting or its undo, and leave the adapter half changed.
    """
    heard, told = written(tmp_path / "journal.jsonl", [secret], values=[1234, 0.1234, None, True], at="2026-01-02")
    assert heard == told
    for number, record in enumerate(told):
        assert (record["kind"], record["phase"], record["number"]) == ("event", "point", number)
        assert record["values"] == [1234, 0.1234, None, True]
        assert secret not in record["what"].replace("login with ", "")
        assert record["utc"].endswith("+00:00")
        assert set(record) == set(told[0]) >= {"t_s", "utc", "kind", "what", "phase", "id", "parent", "test", "at"}


def test_of_two_secrets_the_longer_one_is_masked_first(tmp_path: Path) -> None:
    """A password that begins with another one leaves no rest of itself."""
    _, told = written(tmp_path / "journal.jsonl", ["hunter", "hunter2-and-more", "hunter2"])
    assert {record["what"] for record in told} == {"login with *** *** ***"}


def test_secrets_are_masked_wherever_text_is(tmp_path: Path) -> None:
    """In lists, in objects, in what is no plain data, and in names that a test gave; field names stay."""
    nested = {"of": ["a hunter2", {"test_x[hunter2]": Path("/home/hunter2")}], "quoted": repr('hunter2"')}
    _, told = written(tmp_path / "journal.jsonl", ["hunter2", "of"], nested=nested)
    assert told[0]["nested"] == {"of": ["a ***", {"test_x[***]": "/home/***"}], "quoted": "'***\"'"}


def test_a_line_of_results_keeps_its_form(tmp_path: Path) -> None:
    """Results are masked by the journal, too: figures, times and verdicts stay what they are."""
    journal = Journal()
    for secret in ("1234", "passed"):
        journal.mask(secret)
    line = {"kind": "test", "verdict": "passed", "value": 0.1234, "started": "2026-11-22T20:12:34.123456+00:00"}
    assert json.loads(journal.masked(json.dumps(line))) == line
    assert json.loads(journal.masked(json.dumps({**line, "output": "pin 1234"}))) == {**line, "output": "pin ***"}
