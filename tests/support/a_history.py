"""A history with a story, as many nights of many benches would leave it: seeded, written straight into the tables.

A new driver is slower to send on every bench; one test is flaky, one broke; the first bench has errors now and then,
and its third night from the end gave no answer at all.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hil.history.schema import benches, measurements, quantities, results, runs, tests
from hil.history.store import History

NEWEST = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
SLOWER_FOR = 12
"""Of the nights: those with the new driver, which is slower."""
DRIVERS = ("A" * 64, "2.0.0"), ("B" * 64, "2.1.0")
UNITS = (("tcp send", "Mbit/s", 940.0), ("wake latency", "s", 1.8), ("power in S3", "W", 2.4), ("udp loss", "%", 0.5))


def fill(
    history: History, nights: int = 40, tests_each: int = 20, bench_names: tuple[str, ...] = ("desk", "rack"),
    measured: int = 4, quantity_count: int = 4,
) -> None:  # fmt: skip
    """So many nights on each bench, tests in each, and of these so many that take two figures each."""
    seed = random.Random(1)
    names = [(f"{UNITS[n % 4][0]}{f' {n // 4}' if n > 3 else ''}", *UNITS[n % 4][1:]) for n in range(quantity_count)]
    with history.writing() as connection:
        named: dict[Any, list[dict[str, Any]]] = {
            benches: [{"id": n, "name": name, "controller": "lab"} for n, name in enumerate(bench_names)],
            tests: [{"id": n, "name": f"suites/test_x.py::test_{n}"} for n in range(tests_each)],
            quantities: [{"id": n, "name": name, "unit": unit} for n, (name, unit, _) in enumerate(names)],
        }
        for table, rows in named.items():
            connection.execute(table.insert(), rows)
        number = 0
        for night in range(nights):
            for bench_id in range(len(bench_names)):
                number += 1
                silent = bench_id == 0 and night == nights - 3
                rows = [_result(seed, number, test, night, nights, bench_id, silent) for test in range(tests_each)]
                figures = [
                    _figure(seed, number, row, quantity, names[quantity][2], night >= nights - SLOWER_FOR)
                    for row in rows[:measured] if row["verdict"] == "passed"
                    for quantity in {row["test_id"] % quantity_count, (row["test_id"] + 1) % quantity_count}
                ]  # fmt: skip
                connection.execute(runs.insert(), _run(number, bench_id, bench_names[bench_id], night, nights, rows))
                connection.execute(results.insert(), rows)
                if figures:
                    connection.execute(measurements.insert(), figures)


def _started(night: int, nights: int) -> datetime:
    return NEWEST - timedelta(days=nights - 1 - night)


def _run(number: int, bench_id: int, bench: str, night: int, nights: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    started = _started(night, nights) + timedelta(minutes=bench_id)
    driver_sha256, driver_version = DRIVERS[night >= nights - SLOWER_FOR]
    return {
        "id": number, "uid": f"{number:032}", "name": f"{started:%Y%m%d-%H%M%S}-{bench}", "bench_id": bench_id,
        "started": started, "ended": started + timedelta(hours=1), "exit_code": 0, "reason": "",
        "driver_sha256": driver_sha256, "driver_version": driver_version, "hil": "0.1.0", "facts": "{}",
        **dict.fromkeys(("windows", "firmware", "verifier", "seed", "faults"), ""),
        "collected": len(rows), "tests_s": sum(row["duration_s"] for row in rows), "lines": len(rows) + 2,
        **{word: sum(row["verdict"] == word for row in rows)
           for word in ("passed", "failed", "error", "skipped", "interrupted")},
    }  # fmt: skip


def _result(
    seed: random.Random, run: int, test: int, night: int, nights: int, bench_id: int, silent: bool
) -> dict[str, Any]:
    broke = test % 50 == 7 and night >= nights - 5
    flaky = test % 50 == 9 and seed.random() < 0.2
    lost = silent or (bench_id == 0 and test % 50 == 11 and seed.random() < 0.1)
    family = "bench" if lost else "device" if broke or flaky else ""
    cause = {"bench": "BenchError: the relay is stuck", "device": "Bugcheck: 0xD1 in hilnic.sys", "": ""}[family]
    return {
        "run_id": run, "number": test + 1, "test_id": test, "started": _started(night, nights),
        "verdict": {"bench": "error", "device": "failed", "": "passed"}[family], "duration_s": 240.0 if lost else 2.0,
        "family": family, "cause": cause, "first_error": cause, "bucket": "", "verifier": "",
    }  # fmt: skip


def _figure(
    seed: random.Random, run: int, row: dict[str, Any], quantity: int, usual: float, new_driver: bool
) -> dict[str, Any]:
    slower = 0.9 if new_driver and quantity == 0 else 1.0
    return {
        "run_id": run, "result": row["number"], "number": quantity + 1, "quantity_id": quantity,
        "test_id": row["test_id"], "verdict": row["verdict"], "value": usual * slower * seed.gauss(1, 0.01),
        "at_least": usual * 0.8 if quantity % 4 == 0 else None, "at_most": None,
    }  # fmt: skip
