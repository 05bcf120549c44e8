"""Pages of a history of a million results: processor time and size of each kind, and how soon it can be used.

``python benchmarks/history_pages.py [--results N]``. Then the search for steps by the number of runs, beside jumpavg of
FD.io CSIT, which is installed for the measurement into a folder that is thrown away; where that cannot be, it says so.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from browser import CHROMIUM, Browser  # noqa: E402
from history import fill  # noqa: E402

from hil.history import queries, sides  # noqa: E402
from hil.history.pages import Pages  # noqa: E402
from hil.history.steps import groups  # noqa: E402
from hil.history.store import History  # noqa: E402

T = TypeVar("T")
RUNS = 30, 100, 300, 1000
SERIES = 40
NOISES: dict[str, Callable[[random.Random], float]] = {
    "Gaussian": lambda seed: seed.gauss(940, 5),
    "outlier in 20": lambda seed: seed.gauss(940, 60 if seed.random() < 0.05 else 5),
}


def pages(folder: Path, count: int, console: Console) -> None:
    table = Table(title=f"{count:,} results")
    for column in ("page", "processor, s", "clock, s", "kB", "opened in, s"):
        table.add_column(column, justify="right" if column != "page" else "left")
    with History(f"sqlite:///{folder / 'history.sqlite'}") as history:
        fill(history, count)
        made = Pages(history, folder / "pages", folder)
        browser = Browser() if CHROMIUM else None

        def add(name: str, write: Callable[[], T], page: Callable[[T], str]) -> T:
            processor, clock = time.process_time(), time.perf_counter()
            written = write()
            took = time.process_time() - processor, time.perf_counter() - clock
            path = made.folder / page(written)
            opened = seconds_to_open(browser, path)
            table.add_row(name, f"{took[0]:.2f}", f"{took[1]:.2f}", f"{path.stat().st_size / 1e3:.0f}", opened)
            return written

        try:
            with history.reading() as connection:
                quantities = queries.all_quantities(connection)
                measured = [
                    add(f"measurement {one.name}, {one.points:,} figures",
                        lambda: made.write_measurement(connection, one), lambda one: one.page)  # noqa: B023 - at once
                    for one in quantities[:2]
                ]  # fmt: skip
                drivers = [one.driver_sha256 for one in queries.all_drivers(connection)]
                oldest, newest = drivers[-1], drivers[0]
                compared = add(
                    "comparison of two drivers",
                    lambda: made.write_comparison("drivers", sides.compare_drivers(connection, oldest, newest)),
                    lambda one: one.page,
                )
                add("overview", lambda: made.write_overview(connection, measured, [compared]), lambda path: path.name)
            add(f"all {len(quantities)} measurements, comparisons and the overview", made.write, lambda path: path.name)
        finally:
            if browser is not None:
                browser.close()
    console.print(table)


def seconds_to_open(browser: Browser | None, page: Path) -> str:
    if browser is None:
        return "no chromium"
    began = time.perf_counter()
    browser.open(page)
    return f"{time.perf_counter() - began:.2f}"


def steps(folder: Path, console: Console) -> None:
    table = Table(title=f"Steps in {SERIES} series of noise")
    for column in ("noise", "runs", "hil, ms a series", "alarms", "jumpavg, ms a series", "alarms"):
        table.add_column(column, justify="right" if column != "noise" else "left")
    peer = jumpavg(folder)
    for name, noise in NOISES.items():
        for runs in RUNS[:-1]:
            seed = random.Random(runs)
            series = [[noise(seed) for _ in range(runs)] for _ in range(SERIES)]
            told = [text for found in (groups, peer) for text in rated(found, series)]
            table.add_row(name, str(runs), *told)
    values = [random.Random(run).gauss(940, 5) for run in range(RUNS[-1])]
    told = [text for found in (groups, peer) for text in rated(found, [values])]
    table.add_row("Gaussian, one series", str(RUNS[-1]), *told)
    console.print(table)


def rated(search: Callable[[Sequence[float]], Sequence[object]] | None, series: Sequence[Sequence[float]]) -> list[str]:
    if search is None:
        return ["not installed", ""]
    began = time.process_time()
    alarms = sum(len(search(values)) > 1 for values in series)
    return [f"{(time.process_time() - began) / len(series) * 1e3:.2f}", str(alarms)]


def jumpavg(folder: Path) -> Callable[[Sequence[float]], Sequence[object]] | None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder / "peer"), "jumpavg"]
    if subprocess.run(pip, capture_output=True, check=False).returncode != 0:
        return None
    sys.path.append(str(folder / "peer"))
    from jumpavg import classify  # type: ignore[import-not-found]

    return classify  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1_000_000)
    arguments = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="hil-history-") as name:
        pages(Path(name), arguments.results, console)
        steps(Path(name), console)


if __name__ == "__main__":
    main()
