"""What is compared is found by its name, and ``hil history compare`` says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from a_history import fill
from sqlalchemy import Connection

from hil.cli import run_command
from hil.errors import UsageError
from hil.history.sides import compare_named
from hil.history.store import History


@pytest.fixture(scope="session")
def filled(databases: Any) -> str:
    """The same nights in each kind of database."""
    url = databases.ready()
    with History(url) as history:
        fill(history)
    return url


@pytest.fixture
def connection(filled: str) -> Iterator[Connection]:
    with History(filled) as history, history.reading() as connection:
        yield connection


@pytest.mark.parametrize("names", [("2.0.0", "2.1.0"), ("aaaaaaaa", "BBBBBBBB")])
def test_drivers(connection: Connection, names: tuple[str, str]) -> None:
    """By version or by the beginning of the hash: the slower driver's sending and the test that broke."""
    found = compare_named(connection, *names)
    assert (found.first, found.second) == ("driver 2.0.0 (AAAAAAAA)", "driver 2.1.0 (BBBBBBBB)")
    assert [(one.test[-6:], one.kind, one.sure) for one in found.outcomes][:1] == [("test_7", "newly failing", True)]
    slower = [one for one in found.figures if one.kind == "regression"]
    assert {one.measurement for one in slower} == {"tcp send"}
    assert {one.bench for one in slower} == {"desk@lab", "rack@lab"}
    assert all(-0.12 < one.share < -0.08 for one in slower)


def test_benches(connection: Connection) -> None:
    """Two benches that measure the same do not differ."""
    found = compare_named(connection, "desk", "rack@lab")
    assert {one.kind for one in found.figures} == {"no difference"}


def test_runs(connection: Connection) -> None:
    """The last night of the old driver and the first of the new one, judged by the noise of the nights before."""
    found = compare_named(connection, "20261110-010100-rack", "20261111-010100-rack")
    slower = [one for one in found.figures if one.kind == "regression"]
    assert {one.measurement for one in slower} == {"tcp send"}
    assert all(one.by_noise for one in slower)


def test_names_of_nothing(connection: Connection) -> None:
    """Two things that are not of a kind, or not known, cannot be compared."""
    for names in (("desk", "2.0.0"), ("desk", "nowhere"), ("", "desk")):
        with pytest.raises(UsageError, match="two runs, two drivers"):
            compare_named(connection, *names)


def test_command_line(filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``hil history compare`` prints what matters first and can write the same as a page; unknown names end with 4."""
    at = ["--reports", str(tmp_path), "--history", filled]
    assert run_command(["history", "compare", "2.0.0", "2.1.0", *at, "--html", str(tmp_path / "side")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "driver 2.0.0 (AAAAAAAA) and driver 2.1.0 (BBBBBBBB): 20 tests"
    assert said[1].startswith("newly failing: suites/test_x.py::test_7, 30 passed 0 failed before")
    assert said[2].startswith("regression: tcp send on ")
    assert said[-2] == "4 figures differ, 12 do not, of 0 there are too few runs to tell"
    assert Path(said[-1]).is_file()
    assert run_command(["history", "compare", "2.0.0", "3", *at]) == 4
    assert run_command(["history", "lost", *at]) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"desk@lab: 9\d min \d+ s in 2\d errors, of 1\d\d min \d+ s", said[0])
    assert re.fullmatch(r"  9\d min \d+ s in 2\d errors: BenchError: the relay is stuck", said[1])
    assert said[2] == "  no answer for 24.0 h from 2026-11-20 01:00 to 2026-11-21 01:00, 1 run"
    assert run_command(["history", "pages", *at]) == 0
    assert (tmp_path / "history/index.html").is_file()
