"""A million results in a history: how long writing takes, and every query; SQLite, and PostgreSQL if it is there.

``python benchmarks/history.py [--results N]``. Four benches, forty drivers, 120 tests a run, every second one of which
takes a figure. Everything is written to a folder that is thrown away.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from a_run import a_run, a_test  # noqa: E402
from postgres import INSTALLED, server  # noqa: E402

from hil.history import baseline, queries, schema  # noqa: E402
from hil.history.importing import import_run  # noqa: E402
from hil.history.model import Scope  # noqa: E402
from hil.history.store import History  # noqa: E402
from hil.results.model import Measurement  # noqa: E402

TESTS, BENCHES, DRIVERS, SEED = 120, 4, 40, 7
START = datetime(2024, 1, 1, tzinfo=UTC)
VERDICTS = ("passed",) * 92 + ("skipped",) * 4 + ("failed",) * 3 + ("error",)
TREND = Scope(bench="desk-1")


def fill(history: History, count: int) -> None:
    """So many results, as if they had been imported."""
    chance = random.Random(SEED)
    with history.writing() as connection:
        put(connection, schema.benches, [{"name": f"desk-{n}", "controller": "lab"} for n in range(BENCHES)])
        put(connection, schema.tests, [{"name": f"suites/test_x.py::test[{n}]"} for n in range(TESTS)])
        put(connection, schema.quantities, [{"name": f"figure {n}", "unit": "Mbit/s"} for n in range(TESTS // 4)])
        runs = range(1, count // TESTS + 1)
        put(connection, schema.runs, [a_row(number) for number in runs])
        for number in runs:
            put_results(connection, number, chance)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")  # which its autovacuum does by itself, within a minute


def a_row(number: int) -> dict[str, object]:
    started = START + timedelta(minutes=90 * number)
    driver = number * DRIVERS // 8334 % DRIVERS
    return {
        "uid": str(number), "name": f"run-{number}", "bench_id": number % BENCHES + 1, "started": started,
        "ended": started + timedelta(hours=1), "exit_code": 0, "reason": "", "driver_sha256": f"{driver:064X}",
        "driver_version": f"2.{driver}", "windows": "11", "firmware": "", "verifier": "", "seed": "", "hil": "0.1.0",
        "faults": "", "facts": "{}", "collected": TESTS, "passed": TESTS, "failed": 0, "error": 0, "skipped": 0,
        "interrupted": 0, "tests_s": 600.0, "lines": TESTS + 3,
    }  # fmt: skip


def put_results(connection: Connection, run: int, chance: random.Random) -> None:
    started = START + timedelta(minutes=90 * run)
    ended, figures = [], []
    for number in range(1, TESTS + 1):
        verdict = chance.choice(VERDICTS)
        bad = verdict in ("failed", "error")
        cause = f"{verdict}: cause {chance.randrange(9)}" if bad else ""
        family = {"failed": "device", "error": "bench"}.get(verdict, "")
        ended.append({
            "run_id": run, "number": number, "test_id": number, "verdict": verdict, "started": started,
            "duration_s": chance.uniform(1, 9), "family": family, "cause": cause, "first_error": cause, "bucket": "",
            "verifier": "",
        })  # fmt: skip
        if number % 2:
            figures.append({
                "run_id": run, "result": number, "number": 1, "quantity_id": number // 4 + 1, "test_id": number,
                "value": chance.gauss(941, 1), "at_least": 913.2, "at_most": None, "verdict": verdict,
            })  # fmt: skip
    put(connection, schema.results, ended)
    put(connection, schema.measurements, figures)


def put(connection: Connection, table: object, rows: list[dict[str, object]]) -> None:
    connection.execute(table.insert(), rows)  # type: ignore[attr-defined]


def questions() -> dict[str, Callable[[Connection], object]]:
    test, bench = "suites/test_x.py::test[6]", "desk-1"
    return {
        "benches": queries.all_benches,
        "drivers": queries.all_drivers,
        "runs, all": queries.all_runs,
        "runs, the newest 50 of a bench": lambda c: queries.all_runs(c, Scope(bench=bench, newest=50)),
        "a run by its name": lambda c: queries.the_run(c, "run-77"),
        "results of a run": lambda c: queries.results_of(c, 77),
        "names of measurements": queries.all_quantities,
        "trend of a measurement, all benches": lambda c: queries.trend(c, "figure 3"),
        "trend of a measurement, a bench": lambda c: queries.trend(c, "figure 3", TREND),
        "outcomes of a test": lambda c: queries.outcomes(c, test),
        "tallies of all tests": queries.tallies,
        "tallies of all tests, a bench": lambda c: queries.tallies(c, TREND),
        "tallies of all tests, a driver": lambda c: queries.tallies(c, Scope(driver="2.7")),
        "time lost to benches": queries.lost_time,
        "expected durations": lambda c: queries.expected_durations(c, bench),
        "baseline of a figure": lambda c: baseline.earlier(c, f"{bench}@lab", test, "figure 1", "Mbit/s"),
    }


def measure(history: History, folder: Path, count: int) -> dict[str, float]:
    """Seconds: filling, one more run of 120 tests, then the best of three of each query."""
    found: dict[str, float] = {}
    found[f"{count:,} results written at once"] = timed(lambda: fill(history, count))
    tests = [a_test(f"test[{n}]", "passed", measurements=(Measurement("tcp", 941.0, "Mbit/s"),)) for n in range(TESTS)]
    a_run(folder, tests)
    found[f"import of a run of {TESTS} tests"] = timed(lambda: import_run(history, folder))
    found["import of the same again"] = timed(lambda: import_run(history, folder))
    for name, ask in questions().items():
        with history.reading() as connection:
            found[name] = min(timed(lambda: ask(connection)) for _ in range(3))  # noqa: B023 - called at once
    return found


def timed(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


@contextmanager
def histories(folder: Path) -> Iterator[dict[str, History]]:
    with server(folder / "pg") if INSTALLED else nullcontext() as postgres:
        urls = {"SQLite": f"sqlite:///{folder / 'history.sqlite'}"}
        urls |= {"PostgreSQL": postgres.database()} if postgres else {}
        found = {name: History(url) for name, url in urls.items()}
        try:
            yield found
        finally:
            for history in found.values():
                history.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1_000_000)
    count: int = parser.parse_args().results
    with tempfile.TemporaryDirectory(prefix="hil-history-") as name, histories(Path(name)) as opened:
        figures = {database: measure(history, Path(name) / "run", count) for database, history in opened.items()}
    table = Table(*("", *(f"{database}, s" for database in figures)), title=f"{count:,} results")
    for what in next(iter(figures.values())):
        table.add_row(what, *(f"{found[what]:.3f}" for found in figures.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
