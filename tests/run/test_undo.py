"""Undo: last in, first out, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.journal import Journal
from hil.run.undo import Undo
from hil.wait import pause


def test_newest_first() -> None:
    """Changes are taken back in the reverse order, as the later ones rest on the earlier ones."""
    done: list[int] = []
    undo = Undo(Journal())
    for number in range(3):
        undo(done.append, number)
    undo.run()
    undo.run()
    assert done == [2, 1, 0]


def test_one_that_fails_does_not_stop_the_others() -> None:
    """A slot that does not plug must not leave the mains off as well."""
    done: list[str] = []
    undo = Undo(Journal())
    undo(done.append, "first")
    undo({}.__getitem__, "missing")
    undo(done.append, "last")
    with pytest.raises(BenchError, match="missing"):
        undo.run()
    assert done == ["last", "first"]


def test_again_once_the_machine_is_back() -> None:
    """What met a machine that was down is undone later, and only that: a setting that stays is the next test's."""
    done: list[str] = []
    back = False

    def restore(name: str) -> None:
        if not back:
            raise BenchError("the machine")
        done.append(name)

    undo = Undo(Journal())
    undo(restore, "older")
    undo(done.append, "slot")
    undo(restore, "newer")
    with pytest.raises(BenchError, match=r"restore.*restore"):
        undo.run()
    back = True
    undo.again()
    undo.again()
    assert done == ["slot", "newer", "older"]


def test_bounded_in_time() -> None:
    """An undo that takes too long costs the ones before it, which are named, but never the night."""
    done: list[str] = []
    undo = Undo(Journal(), timeout_s=0.05)
    undo(done.append, "not reached")
    undo(pause, 0.1, why="slow")
    with pytest.raises(BenchError, match=r"append: not reached within 0\.05 s"):
        undo.run()
    assert done == []


def test_each_step_is_on_the_journal(tmp_path: Path) -> None:
    """What was put back can be read afterwards."""
    journal = Journal(tmp_path / "journal.jsonl")
    undo = Undo(journal)
    undo(sorted, [1])
    undo.run()
    journal.close()
    assert '"undo"' in (tmp_path / "journal.jsonl").read_text()
