"""Crashes over many runs."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.results.crash_store import Bucket, CrashStore, Known

BUCKET = Bucket("0xD1", "read", "hilnic.sys", "2.1.0.0")
NAME = "0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL"


def note(store: CrashStore, run: str, occurrence: str, bucket: Bucket = BUCKET) -> Known:
    return store.note(bucket, NAME, run=run, test="suites/test_pnp.py::test_pull", occurrence=occurrence)


def test_new_and_old_crashes(tmp_path: Path) -> None:
    """The first night it is new; in the next ones it is known, since when and how often.

    Who reads the report in the morning wants to know at a glance whether somebody looks at this bug already.
    """
    store = CrashStore(tmp_path)
    assert note(store, "monday", "a") == Known()
    assert note(store, "monday", "b") == Known()  # twice in one night is still new that night
    assert note(store, "tuesday", "c") == Known(2, "monday", "monday")
    assert note(CrashStore(tmp_path), "friday", "d") == Known(3, "monday", "tuesday")
    assert note(store, "friday", "e", Bucket("0x9F", "0x3", "hilnic.sys", "2.1.0.0")) == Known()


def test_one_crash_counts_once(tmp_path: Path) -> None:
    """A dump that is looked at twice (its transfer broke off, the run was begun again) is one crash."""
    store = CrashStore(tmp_path)
    for _ in range(3):
        note(store, "monday", "desk 2026-11-22T14:00:00")
    assert store.buckets()[str(BUCKET)]["count"] == 1


def test_another_version_is_another_bucket() -> None:
    """A crash that comes back in the next release is news, not an old friend."""
    assert str(BUCKET) == "0xD1/read/hilnic.sys/2.1.0.0"
    assert str(BUCKET) != str(Bucket("0xD1", "read", "hilnic.sys", "2.2.0.0"))
    assert str(Bucket("hang", "", "hilnic.sys", "2.1.0.0")) == "hang/hilnic.sys/2.1.0.0"


def _notes(folder: Path, worker: int) -> None:
    for number in range(20):
        note(CrashStore(folder), f"run{worker}", f"{worker}-{number}")


def test_many_runs_at_a_time(tmp_path: Path) -> None:
    """Benches of one lab write into one folder of reports; none loses what another found."""
    workers = [multiprocessing.get_context("spawn").Process(target=_notes, args=(tmp_path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = CrashStore(tmp_path).buckets()[str(BUCKET)]
    assert (found["count"], len(found["runs"])) == (60, 3)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9, "buckets": {}}'])
def test_a_damaged_file(text: str, tmp_path: Path) -> None:
    """A file that is not ours is named, and not written over: it may be somebody's only record."""
    (tmp_path / "crashes.json").write_text(text)
    with pytest.raises(UsageError, match=r"crashes\.json"):
        note(CrashStore(tmp_path), "monday", "a")
    assert (tmp_path / "crashes.json").read_text() == text


def test_a_quiet_lab_has_no_file(tmp_path: Path) -> None:
    """Nothing crashed, nothing is written."""
    assert CrashStore(tmp_path).buckets() == {}
    assert not (tmp_path / "crashes.json").exists()
    note(CrashStore(tmp_path), "monday", "a")
    assert json.loads((tmp_path / "crashes.json").read_text())["version"] == 1
