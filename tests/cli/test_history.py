"""``hil history``: what a person and a program get to see of earlier runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from a_run import NIGHT, a_run, a_test, device

from hil.cli import run_command
from hil.errors import ExitCode
from hil.history.importing import import_run
from hil.history.store import open_history
from hil.results.model import Measurement, TestResult

BEGIN = datetime(2026, 11, 1, 20, tzinfo=UTC)


class Shell:
    """In a folder of reports with a history."""

    def __init__(self, reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.reports, self._capsys = reports, capsys

    def __call__(self, *arguments: str | Path, code: int = ExitCode.OK) -> str:
        """What was printed, errors too."""
        words = ["history", *map(str, arguments), "--reports", str(self.reports)]
        assert run_command(words) == code
        captured = self._capsys.readouterr()
        return captured.out + captured.err


def night(number: int) -> list[TestResult]:
    flaky = ("failed", device("700")) if number % 4 == 0 else ("passed",)
    figure = Measurement("tcp", 941.0 + number % 3 - (90 if number > 19 else 0), "Mbit/s", at_least=700.0)
    return [a_test("test_good", "passed", measurements=(figure,)), a_test("test_flaky", *flaky)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """Thirty nights with two drivers, all in the history."""
    folder: Path = tmp_path_factory.mktemp("reports")
    with open_history(str(folder / "history.sqlite"), folder, create=True) as history:
        for number in range(30):
            started = (BEGIN + timedelta(days=number)).isoformat()
            facts = {"driver SHA-256": ("BB" if number > 19 else "AA") * 32}
            place = folder / f"night-{number:02}"
            import_run(history, a_run(place, night(number), 0, started=started, controller="lab", facts=facts))
    return folder


@pytest.fixture
def hil(reports, capsys, monkeypatch) -> Shell:
    monkeypatch.delenv("HIL_HISTORY")
    return Shell(reports, capsys)


def test_overview(hil):
    """Benches, and the newest runs first."""
    text = hil()
    assert "desk@lab  30    60" in text
    assert text.index("night-29") < text.index("night-10") and "night-09" not in text
    found = json.loads(hil("--json", "--newest", "1"))
    assert found["benches"][0]["runs"] == 30
    assert (found["runs"][0]["name"], found["runs"][0]["started"]) == ("night-29", "2026-11-30T20:00:00+00:00")


def test_import_takes_all_that_it_can(tmp_path, capsys, monkeypatch):
    """`reports/*` has files and the link to the newest run in it; one broken folder is named and holds up nothing."""
    monkeypatch.delenv("HIL_HISTORY")
    hil = Shell(tmp_path, capsys)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/results.jsonl").write_text("{}\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "crashes.json").write_text("{}")
    for name, code in (("ended", 0), ("killed", None)):
        a_run(tmp_path / name, NIGHT, code)
    (tmp_path / "latest").symlink_to("killed")
    told = hil("import", *sorted(tmp_path.iterdir()), code=ExitCode.USAGE).splitlines()
    assert told[0].startswith("broken: the folder of a run, with results.jsonl; seen:")
    assert told[1:] == ["ended: 7 results", "killed: 7 results"]
    assert hil().count("did not end") == 1


def test_trend(hil):
    """What it is now, and since which run and driver."""
    text = hil("trend", "tcp")
    assert "suites/test_pnp.py::test_good on desk@lab" in text and "Mbit/s in 10 runs" in text
    assert "regression since night-20 (driver BBBBBBBB): 942 to 852.1 Mbit/s, -9.5 %" in text
    assert len(json.loads(hil("trend", "tcp", "--json", "--bench", "desk"))[0]["values"]) == 30
    assert "hil history measurements" in hil("trend", "udp", code=ExitCode.USAGE)
    assert hil("measurements").splitlines()[1].split() == ["tcp", "Mbit/s", "1", "30"]


def test_flaky_tests(hil):
    """With the driver, how often, and how far that can be trusted."""
    text = hil("tests")
    assert "suites/test_pnp.py::test_flaky on desk@lab, driver AAAAAAAA: 5 of 20 (device), 9% to 49%" in text
    assert "  Bugcheck: 700" in text and "test_good" not in text
    assert {one["test"] for one in json.loads(hil("tests", "--json"))} == {"suites/test_pnp.py::test_flaky"}


def test_accept(hil):
    """A change that is meant: said by whom it was meant, and only of what is known."""
    chosen = ("--bench", "desk@lab", "--test", "suites/test_pnp.py::test_good", "--why", "new cable")
    told = hil("accept", "tcp", *chosen, "--since", "night-20")
    assert told == "tcp on desk@lab: a new baseline, of runs since 2026-11-21 20:00:00 UTC\n"
    assert "no 'udp' of suites/test_pnp.py::test_good" in hil("accept", "udp", *chosen, code=ExitCode.USAGE)
    assert "a run that the history knows" in hil("accept", "tcp", *chosen, "--since", "x", code=ExitCode.USAGE)


def test_no_history_yet(tmp_path, capsys, monkeypatch):
    """A first look says how there comes to be one, and makes no empty file."""
    monkeypatch.delenv("HIL_HISTORY")
    assert "hil history import FOLDER" in Shell(tmp_path, capsys)(code=ExitCode.USAGE)
    assert [*tmp_path.iterdir()] == []
