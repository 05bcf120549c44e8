"""What is told of the runs in a folder of reports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from a_run import NIGHT, a_run, a_test, bench, device
from a_watch import GoingRun

from hil.clock import utc_now
from hil.watch.runs import PAST_RUNS, Runs


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    """Test, wait with its deadline, remaining time, what went wrong by cause, last results, samples."""
    run, runs = GoingRun(tmp_path / "night"), Runs(tmp_path)
    run.begin(0)
    run.end(a_test("test_0", "failed", device("died 1")))
    run.begin(1)
    run.end(a_test("test_1", "failed", device("died 2")), a_test("test_2", "error", bench("stuck")))
    run.begin(3)
    run.journal.event("sample", "wire", sent_mbps=940.0, received_mbps=0.0, link=True)
    (told,) = runs.look()["now"]
    now = utc_now().timestamp()
    assert (told["bench"], told["answers"], told["done"], told["total"]) == ("desk", True, 3, 4)
    assert told["test"]["what"] == run.names[3]
    assert told["test"]["limit_s"] == 60.0
    assert (told["doing"]["what"], told["doing"]["limit_s"]) == ("the device to go", 30)
    assert now - 30 < told["doing"]["since"] <= now
    assert 0 < told["over"] - now < 62
    assert [(cause["text"], cause["count"]) for cause in told["causes"]] == [
        ("Bugcheck: died 1", 2), ("BenchError: stuck", 1)
    ]  # fmt: skip
    assert [one["verdict"] for one in told["last"]] == ["error", "failed", "failed"]
    assert told["samples"]["sent_mbps"][-1][1] == 940.0
    run.close()


def test_watched_from_the_middle_on(tmp_path: Path) -> None:
    """Whoever begins to watch at midnight sees the same as one who watched from the beginning."""
    run, early = GoingRun(tmp_path / "night"), Runs(tmp_path)
    early.look()
    run.begin(0)
    early.look()
    run.end(a_test("test_0", "passed"))
    run.begin(1)
    assert early.look()["now"] == Runs(tmp_path).look()["now"]
    run.close()


def test_a_run_that_was_killed_no_longer_answers(tmp_path: Path) -> None:
    """It does not run for ever: silence is told at once, and after an hour it is a run of the past."""
    run, runs = GoingRun(tmp_path / "night"), Runs(tmp_path)
    run.begin(0)
    run.close()
    assert [one["answers"] for one in runs.look()["now"]] == [True]
    for age_s, answers in ((60, [False]), (7200, [])):
        os.utime(run.folder / "journal.jsonl", (0, utc_now().timestamp() - age_s))
        assert [one["answers"] for one in runs.look()["now"]] == answers
    (past,) = runs.look()["past"]
    assert (past["bench"], past["ended"], past["report"]) == ("desk", None, False)


def test_a_run_that_ends_is_one_of_the_past(tmp_path: Path) -> None:
    """With how it ended and its report; the newest runs first, and no more than a page holds."""
    runs = Runs(tmp_path)
    for number in range(PAST_RUNS + 5):
        a_run(tmp_path / f"night{number:02}", NIGHT[:1], started=f"2026-11-22T13:{number:02}:00+00:00")
    run = GoingRun(tmp_path / "now")
    assert len(runs.look()["now"]) == 1
    run.over(6)
    run.close()
    seen = runs.look()
    assert seen["now"] == []
    assert [one["run"] for one in seen["past"]][:2] == ["now", "night24"]
    assert len(seen["past"]) == PAST_RUNS
    assert (seen["past"][0]["exit_code"], seen["past"][0]["report"]) == (6, True)


@pytest.mark.parametrize("line", ["[]", "{}", "x", '{"kind": "test"}', '{"kind": "end"}', '{"kind": "plan"}', "3", ""])
def test_folders_of_others(tmp_path: Path, line: str) -> None:
    """Whatever lies in the folder of reports, the runs beside it are shown."""
    (tmp_path / "other").mkdir()
    for name in ("results.jsonl", "journal.jsonl"):
        (tmp_path / "other" / name).write_text(line + "\n")
    (tmp_path / "file").write_text("")
    run = GoingRun(tmp_path / "night")
    (tmp_path / "latest").symlink_to("night")
    seen = Runs(tmp_path).look()
    assert "night" in [one["run"] for one in seen["now"]]
    assert len(json.dumps(seen)) > 50
    run.close()


def test_no_folder_yet(tmp_path: Path) -> None:
    """It may be watched before the first run makes it."""
    assert Runs(tmp_path / "none").look()["now"] == []


def test_reports_that_are_away(tmp_path: Path) -> None:
    """A share that is gone for a while shows nothing for a while; the page does not stay dark when it is back."""
    reports = tmp_path / "reports"
    reports.write_text("")
    runs = Runs(reports)
    assert runs.look()["past"] == []
    reports.unlink()
    a_run(reports / "night", NIGHT)
    assert [run["run"] for run in runs.look()["past"]] == ["night"]
