"""A run and its history: kept at the end, asked in between, and never a reason to lose a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname

from a_run import a_run
from runs import Runs

from hil.errors import ExitCode
from hil.history import queries
from hil.history.importing import import_run
from hil.history.model import Run
from hil.history.store import History
from hil.results.model import Measurement, TestResult

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
RATES = """
@pytest.mark.parametrize("mbps", [897.0, 889.0])
def test_rate(mbps, record, as_usual):
    record("tcp", mbps, "Mbit/s")
    as_usual("tcp", mbps, "Mbit/s")
"""
SLOW_LINK = """\
name: box
virtual: {}
state_dir: state
limits: {tcp_of_ceiling: 0.6}
"""
TRAFFIC = """
def test_rate(driver, adapter, traffic, limits, record, as_usual):
    adapter.wait_up()
    mbps = traffic.tcp(seconds=1).mbps
    record("tcp", mbps, "Mbit/s")
    assert mbps >= limits.tcp_of_ceiling * adapter.link_mbps * 1448 / 1538
    as_usual("tcp", mbps, "Mbit/s")
"""


def nights(file: Path, folder: Path, bench: str, values: list[float], *names: str) -> None:
    """What earlier runs of this bench have left in the history."""
    with History(f"sqlite:///{file}") as history:
        for number, value in enumerate(values):
            started = (BEGIN + timedelta(days=number)).isoformat()
            figure = Measurement("tcp", value, "Mbit/s")
            tests = [TestResult(name, "", "passed", started, 1.0, measurements=(figure,)) for name in names]
            a_run(folder / f"night-{number}", tests, 0, started=started, testbed=bench, controller=gethostname())
            import_run(history, folder / f"night-{number}")


def kept(file: Path) -> list[Run]:
    with History(f"sqlite:///{file}") as history, history.reading() as connection:
        return queries.all_runs(connection)


def test_a_run_is_kept_beside_its_reports(place, monkeypatch):
    """Without any option, as `hil run` is mostly used; the run's folder is imported again without a second row."""
    monkeypatch.delenv("HIL_HISTORY")
    outcome = place.run("def test_good(record): record('tcp', 941.0, 'Mbit/s')\ndef test_bad(): assert False")
    file = place.folder / "reports/history.sqlite"
    (run,) = kept(file)
    assert (run.name, run.bench, run.exit_code) == (outcome.folder.name, f"desk@{gethostname()}", ExitCode.DEVICE)
    assert (run.passed, run.failed, run.collected) == (1, 1, 2)
    with History(f"sqlite:///{file}") as history:
        import_run(history, outcome.folder)
    assert kept(file) == [run]


def test_a_rate_below_what_is_usual(place):
    """A loss that no limit forbids: the test fails, and says by what history, what sum, and how to accept it."""
    file = place.folder / "all.sqlite"
    tests = [f"test_suite.py::test_rate[{mbps}]" for mbps in (897.0, 889.0)]
    nights(file, place.folder / "old", "desk", [940.0, 941.0, 942.0, 941.0] * 2, *tests)
    outcome = place.run(RATES, "--history", str(file))
    assert outcome.verdicts == {"test_rate[897.0]": "passed", "test_rate[889.0]": "failed"}
    (trouble,) = outcome.tests["test_rate[889.0]"]["troubles"]
    assert (trouble["error"], trouble["family"], trouble["seen"]) == ("BelowUsual", "device", "889 Mbit/s")
    assert trouble["wanted"] == "tcp of at least 894 Mbit/s, as this bench had it before"
    assert "median 941 of the newest 8 passes here, less the greater of 5% of it (47" in trouble["tried"]
    accept = f"hil history accept 'tcp' --bench desk@{gethostname()} --test '{tests[1]}' --why TEXT"
    assert accept in trouble["next_step"] and "hil history trend 'tcp'" in trouble["next_step"]
    assert kept(file)[0].failed == 1


def test_a_history_that_does_not_answer(place):
    """The database is down for the night: the run ends as it would have, says what to do, and keeps the password."""
    url = "postgresql://hil:sword%66ish@127.0.0.1:1/hil"
    outcome = place.run(RATES, "--history", url)
    assert {*outcome.verdicts.values()} == {"passed"} and outcome.exit_code == ExitCode.OK
    assert outcome.text.count("This run is not in the history") == 1
    assert f"when that is mended: hil history import reports/{outcome.folder.name}" in outcome.text
    assert (outcome.folder / "index.html").exists()
    for path in [*outcome.folder.rglob("*")]:
        text = path.read_bytes() if path.is_file() else b""
        assert b"swordfish" not in text and b"sword%66ish" not in text, path
    assert "swordfish" not in outcome.text


def test_a_slip_is_told_before_the_bench_is_touched(place):
    """An hour of tests, and then a typing error at their end: no."""
    outcome = place.run(RATES, "--history", "postgres://db/hil")
    assert outcome.exit_code == ExitCode.USAGE and "seen: postgres://..." in outcome.text
    assert not (place.folder / "reports").exists()


def test_no_history(place):
    """`off` writes nothing, and says nothing of it."""
    outcome = place.run(RATES, "--history", "off")
    assert outcome.exit_code == ExitCode.OK and "hil history" not in outcome.text
    assert sorted(path.name for path in (place.folder / "reports").iterdir()) == [outcome.folder.name, "latest"]


def test_a_driver_that_lost_a_fifth_on_a_bench_with_a_low_limit(tmp_path):
    """The limit is 60 % of the ceiling, since this PC cannot fill the line: only the history sees a loss of a fifth."""
    file = tmp_path / "all.sqlite"
    (tmp_path / "box.yaml").write_text(SLOW_LINK)
    nights(file, tmp_path / "old", "box", [938.0, 941.0, 940.0, 941.0] * 2, "test_suite.py::test_rate")
    runs = Runs(tmp_path)
    fault = "--fault=hil.virtual.faults.driver:SlowFromTheStart"
    outcome = runs(tmp_path / "box.yaml", TRAFFIC, "--no-sampling", fault, HIL_HISTORY=str(file))
    assert outcome.verdicts == {"test_rate": "failed"}, outcome.text
    assert "BelowUsual: tcp of at least" in outcome.text
