"""Runs come into the history whole, once, and from many places at a time; a kill costs what was not over yet."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from a_run import NIGHT, START, a_run, a_test, device

from hil.errors import UsageError
from hil.history import queries
from hil.history.importing import import_run
from hil.history.model import Scope
from hil.history.schema import metadata
from hil.history.store import History
from hil.results.heartbeat import SILENT_S
from hil.results.model import Crash, Measurement

EVERYTHING = Scope(faults=True)
WRITER = Path(__file__).parents[1] / "support/writing_run.py"
IMPORTER = """
import sys
from pathlib import Path
from hil.history.importing import import_run
from hil.history.store import History
input()
with History(sys.argv[1]) as history:
    for folder in sys.argv[2:]:
        print(import_run(history, Path(folder)), flush=True)
"""


def counts(history: History) -> dict[str, int]:
    with history.reading() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def importer(url: str, *folders: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", IMPORTER, url, *map(str, folders)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def silence(folder: Path) -> None:
    """As if the run had been dead for as long as it takes to believe it."""
    journal = folder / "journal.jsonl"
    os.utime(journal, (journal.stat().st_mtime - SILENT_S - 1,) * 2)


def test_what_a_run_recorded(history, tmp_path):
    """Verdicts, causes, figures and what was tested are in the history as the run had them."""
    crash = Crash("bugcheck", "0xD1/hilnic", "bugcheck 0xD1", "a bad address")
    crashed = a_test("test_down", "failed", device("gone"), crashes=(crash,), verifier="ndis")
    facts = {"driver SHA-256": "AB" * 32, "driver version": "2.1.0.0", "Windows": "11", "firmware": "UEFI"}
    a_run(tmp_path / "night", [*NIGHT, crashed], 1, controller="lab", seed=77, facts=facts, collected=9)
    assert import_run(history, tmp_path / "night") == 8
    with history.reading() as connection:
        run = queries.the_run(connection, "night")
        found = {one.test.partition("::")[2]: one for one in queries.results_of(connection, run.id)}
        (series,) = queries.trend(connection, "tcp send", Scope(bench="desk@lab"))
    assert (run.bench, run.seed, run.exit_code, run.collected) == ("desk@lab", "77", 1, 9)
    assert (run.driver_sha256, run.driver_version, run.windows, run.firmware) == ("AB" * 32, "2.1.0.0", "11", "UEFI")
    assert (run.passed, run.failed, run.error, run.skipped, run.started.isoformat()) == (1, 4, 1, 2, START)
    assert [*found] == [test.test.partition("::")[2] for test in NIGHT] + ["test_down"]
    assert (found["test_lost"].family, found["test_slow"].family, found["test_good"].family) == ("bench", "device", "")
    assert found["test_crash[a]"].cause == found["test_crash[b]"].cause == "Bugcheck: bugcheck # <b>"
    assert (found["test_down"].bucket, found["test_down"].cause) == ("0xD1/hilnic", "crash 0xD1/hilnic")
    assert (series.unit, series.test) == ("Mbit/s", "suites/test_pnp.py::test_good")
    assert [(one.value, one.at_least, one.verdict) for one in series.points] == [(941.2, 913.2, "passed")]


def test_a_run_is_taken_in_once(history, tmp_path):
    """The run itself and `hil history import reports/*` after it, or a copy of the folder, make no second row."""
    folder = a_run(tmp_path / "night", NIGHT, controller="lab")
    import_run(history, folder)
    before = counts(history)
    import_run(history, folder)
    import_run(history, shutil.copytree(folder, tmp_path / "copies/night"))
    assert counts(history) == before
    assert (before["runs"], before["results"], before["measurements"]) == (1, 7, 2)


def test_runs_of_one_name_on_two_controllers(history, tmp_path):
    """The name has a time of day in it, and two benches may start in the same second."""
    for controller in ("north", "south"):
        import_run(history, a_run(tmp_path / controller / "night", NIGHT, controller=controller))
    with history.reading() as connection:
        assert {bench.bench for bench in queries.all_benches(connection)} == {"desk@north", "desk@south"}
        assert [run.bench for run in queries.all_runs(connection, Scope(bench="desk@south"))] == ["desk@south"]
        assert len(queries.all_runs(connection, Scope(bench="desk"))) == 2


def test_repetitions_are_results_of_one_test(history, tmp_path):
    """`--count 3` gives a test three answers, which is what tells how flaky it is."""
    import_run(history, a_run(tmp_path / "night", [a_test(f"test_good#{number}", "passed") for number in (1, 2, 3)]))
    with history.reading() as connection:
        assert len(queries.outcomes(connection, "suites/test_pnp.py::test_good")) == 3


def test_a_run_that_goes_on_is_filled_in(history, tmp_path):
    """Someone imports while a run goes on: the test that runs is no interrupted one, and the rest comes later."""
    folder = a_run(tmp_path / "night", NIGHT[:2], None)
    import_run(history, folder)
    with history.reading() as connection:
        (early,) = queries.all_runs(connection)
    import_run(history, a_run(folder, NIGHT, 1))
    old = a_run(tmp_path / "old/night", NIGHT[:1], None)
    silence(old)
    import_run(history, old)  # a copy made in between knows less, and takes nothing back
    with history.reading() as connection:
        (run,) = queries.all_runs(connection)
    assert (early.exit_code, early.passed, early.failed, early.interrupted) == (None, 1, 1, 0)
    assert (run.exit_code, run.passed, run.failed, run.skipped) == (1, 1, 3, 2)
    assert counts(history)["results"] == 7


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_loses_the_running_test_at_most(history, tmp_path, seed):
    """A power cut at the controller at 4 in the morning: all that was over by then is there, and the rest is told."""
    folder = tmp_path / "night"
    announced: list[str] = []
    with subprocess.Popen([sys.executable, WRITER, folder], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(random.Random(seed).randrange(8, 60)):
            announced.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        announced += process.stdout.read().split("\n")[:-1]
    assert process.returncode == -signal.SIGKILL
    silence(folder)
    import_run(history, folder)
    with history.reading() as connection:
        results = queries.results_of(connection, queries.the_run(connection, "night").id)
        figures = [point.value for series in queries.trend(connection, "figure") for point in series.points]
    ended = [line.partition(" ")[2] for line in announced if line.startswith("ended")]
    measured = [float(line.partition(" ")[2]) for line in announced if line.startswith("measured")]
    over = [one.test for one in results if one.verdict == "passed"]
    assert over[: len(ended)] == ended and len(over) <= len(ended) + 1
    assert [one.verdict for one in results if one.verdict != "passed"] in ([], ["interrupted"])
    assert sorted(figures)[: len(measured)] == measured and len(figures) <= len(measured) + 1


def test_a_killed_import_is_whole_or_not_there(url, tmp_path):
    """`hil history import` is interrupted: no run is there by half, and the same command goes on where it was."""
    folders = [a_run(tmp_path / f"night-{number}", NIGHT * 20, controller="lab") for number in range(12)]
    process = importer(url, *folders)
    process.stdin.write("\n")
    process.stdin.flush()
    done = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with History(url) as history:
        found = counts(history)
        assert found["runs"] >= len(done)
        assert found["results"] == found["runs"] * 140 and found["measurements"] == found["runs"] * 40
        for folder in folders:
            import_run(history, folder)
        assert counts(history)["results"] == 12 * 140


def test_many_controllers_at_once(url, tmp_path):
    """Benches end their nights at the same hour; some of the folders are imported by two of them."""
    folders = [
        a_run(tmp_path / f"night-{number}", [replace(test, test=f"{test.test}-{number % 5}") for test in NIGHT * 3])
        for number in range(12)
    ]
    chosen = [folders[:8], folders[4:][::-1], folders[::2]]
    writing = [importer(url, *some) for some in chosen]
    for process in writing:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate() for process in writing]
    assert [error for _, error in told] == ["", "", ""]
    assert [out.split() for out, _ in told] == [["21"] * len(some) for some in chosen]
    with History(url) as history:
        found = counts(history)
    assert (found["runs"], found["results"], found["tests"], found["benches"]) == (12, 252, 35, 1)


@pytest.mark.parametrize("content", [None, "", "{}\n", "no json\n", json.dumps({"kind": "run"}) + "\n"])
def test_a_folder_that_is_no_run(history, tmp_path, content):
    """It is named, and nothing of it is taken in."""
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(UsageError, match="the folder of a run") as caught:
        import_run(history, tmp_path)
    assert caught.value.where == str(tmp_path)
    assert counts(history)["runs"] == 0


def test_deliberate_defects_stay_apart(history, tmp_path):
    """What a virtual bench with a fault did says nothing of a driver."""
    import_run(history, a_run(tmp_path / "night", NIGHT, facts={"faults": "x:Y"}))
    with history.reading() as connection:
        assert queries.all_runs(connection) == []
        assert [run.faults for run in queries.all_runs(connection, EVERYTHING)] == ["x:Y"]


def test_what_databases_are_particular_about(history, tmp_path):
    """A division by zero, NUL and broken text from a driver's messages: the run is in the history all the same."""
    figures = (Measurement("tcp \0", float("inf"), "Mbit/s"), Measurement("udp", float("nan"), "Mbit/s"))
    bad = a_test("test_\0[\udcff]", "failed", device("cause \0 \udcff \U0001f600"), measurements=figures)
    import_run(history, a_run(tmp_path / "night", [bad], description="\udcff", facts={"Windows": "\0"}))
    with history.reading() as connection:
        (series,) = queries.trend(connection, "tcp ?")
        (outcome,) = queries.results_of(connection, 1)
    assert [point.value for point in series.points] == [float("inf")]
    assert outcome.first_error == "Bugcheck: cause ? ? \U0001f600"
    assert counts(history)["measurements"] == 1
