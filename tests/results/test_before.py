"""What is new since last night: the run before is found, and compared fairly."""

from __future__ import annotations

from pathlib import Path

import pytest
from a_run import NIGHT, a_run, a_test, device

from hil.results.before import Before, run_before
from hil.results.model import Measurement, TestResult
from hil.results.report import Report
from hil.results.store import Results

EARLIER, NOW = "2026-11-21T13:00:00+00:00", "2026-11-22T13:00:00+00:00"


def before(folder: Path) -> Before | None:
    return run_before(folder, Results(folder / "results.jsonl"))


def nights(reports: Path, then: list[TestResult], now: list[TestResult], **info: object) -> Report:
    a_run(reports / "monday", then, started=EARLIER, **info)
    return Report(a_run(reports / "tuesday", now, started=NOW))


def test_changes(tmp_path: Path) -> None:
    """The morning's first question: what broke, what was mended, what is silently no longer asked."""
    then = [
        a_test("test_breaks", "passed"), a_test("test_mended", "failed", device("x")), a_test("test_bad", "error"),
        a_test("test_silent", "passed"), a_test("test_removed", "passed"),
    ]  # fmt: skip
    now = [
        a_test("test_breaks", "failed", device("y")), a_test("test_mended", "passed"), a_test("test_bad", "failed"),
        a_test("test_silent", "skipped"), a_test("test_new", "passed"),
    ]  # fmt: skip
    changes = nights(tmp_path, then, now).changes
    assert changes is not None
    by_kind = [
        [test.test.partition("::")[2] for test in tests]
        for tests in (changes.newly_bad, changes.fixed, changes.still_bad, changes.no_longer_asked, changes.added)
    ]
    assert by_kind == [["test_breaks"], ["test_mended"], ["test_bad"], ["test_silent"], ["test_new"]]
    assert changes.gone == ("suites/test_pnp.py::test_removed",)


def test_another_driver_is_said(tmp_path: Path) -> None:
    """A failure that came with a new build of the driver is read differently."""
    report = nights(tmp_path, NIGHT, NIGHT, facts={"package": "HIL Lab hilnic.inf 2.0.0.0"})
    assert report.changes is not None
    assert report.changes.facts == (("package", "HIL Lab hilnic.inf 2.0.0.0", "HIL Lab hilnic.inf 2.1.0.0"),)


def test_figures_of_the_run_before(tmp_path: Path) -> None:
    """A rate that sank within its limit is seen."""
    then = a_test("test_good", "passed", measurements=(Measurement("tcp send", 948.0, "Mbit/s"),))
    report = nights(tmp_path, [then, *NIGHT[1:]], NIGHT)
    assert [figure.before for figure in report.figures] == [948.0, 700.0]


def test_which_run_it_is(tmp_path: Path) -> None:
    """The newest earlier one of this testbed: not a later one, not another bench's, not its own folder, no symlink."""
    for name, started in (("a", EARLIER), ("b", "2026-11-22T01:00:00+00:00"), ("later", "2026-11-23T13:00:00+00:00")):
        a_run(tmp_path / name, NIGHT, started=started)
    other = a_run(tmp_path / "other", NIGHT, started="2026-11-22T02:00:00+00:00")
    (other / "results.jsonl").write_text((other / "results.jsonl").read_text().replace('"desk"', '"shelf"'))
    (tmp_path / "latest").symlink_to("b")
    found = before(a_run(tmp_path / "now", NIGHT, started=NOW))
    assert found is not None
    assert found.run == "b"


def test_a_run_of_one_test_is_no_night(tmp_path: Path) -> None:
    """Someone who tried one test at noon does not make all others look new."""
    a_run(tmp_path / "night", NIGHT, started=EARLIER)
    a_run(tmp_path / "noon", NIGHT[:1], started="2026-11-22T12:00:00+00:00")
    found = before(a_run(tmp_path / "now", NIGHT, started=NOW))
    assert found is not None
    assert found.run == "night"


def test_runs_that_were_cut(tmp_path: Path) -> None:
    """A folder whose first line is not whole is no run to compare with, and no trouble either."""
    a_run(tmp_path / "cut", NIGHT, started=EARLIER)
    (tmp_path / "cut/results.jsonl").write_text('{"kind": "run", "testbed": "de')
    assert before(a_run(tmp_path / "now", NIGHT, started=NOW)) is None


@pytest.mark.parametrize(
    "line", ["\0\0\0\n", '{"kind": "run", "testbed": "desk", "started": "2026-11-21", "of_the_next_hil": 1}\n', "[]\n"]
)
def test_damaged_runs_are_left_out(tmp_path: Path, line: str) -> None:
    """A folder that a power cut damaged, or that another hil wrote, does not cost each later night its report."""
    damaged = a_run(tmp_path / "damaged", NIGHT, started=EARLIER) / "results.jsonl"
    damaged.write_text(line + damaged.read_text().partition("\n")[2])
    assert before(a_run(tmp_path / "now", NIGHT, started=NOW)) is None


def test_deliberate_defects_are_no_night_to_compare_with(tmp_path: Path) -> None:
    """Somebody tried a fault of the virtual bench at noon: the next night is compared with the last real one."""
    a_run(tmp_path / "night", NIGHT, started=EARLIER)
    a_run(tmp_path / "noon", NIGHT, started="2026-11-22T12:00:00+00:00", facts={"faults": "lost-wakeup"})
    found = before(a_run(tmp_path / "now", NIGHT, started=NOW))
    assert found is not None
    assert found.run == "night"
