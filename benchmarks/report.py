"""What reports and sampling cost: ten thousand tests beside pytest-html and allure-pytest, and a run with and without.

``python benchmarks/report.py [--tests N] [--no-bench]``. The peers are installed for the measurement into a folder that
is thrown away; where that cannot be, it says so. Allure's pages come from a Java program on top of what is timed here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from a_run import a_run, a_test, device, record_test  # noqa: E402
from browser import CHROMIUM, Browser  # noqa: E402

from hil.errors import BenchError  # noqa: E402
from hil.journal import Journal  # noqa: E402
from hil.results.writing import write_reports  # noqa: E402

PEERS = {
    "pytest-html": ["--html=peer/report.html", "--self-contained-html"], "allure-pytest": ["--alluredir=peer/allure"]
}  # fmt: skip
SUITE = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_x(number):
    "Claim of the test."
    assert number % 50, "cause"
"""
RATES = """
def test_rate(driver, traffic, record):
    for _ in range(8):
        record("tcp", traffic.tcp(streams=4, seconds=1).mbps, "Mbit/s")
"""


def ours(folder: Path, count: int) -> Path:
    """A run of so many tests with a journal of 25 records each."""
    tests = [
        a_test(f"test_x[{number}]", "passed" if number % 50 else "failed", *([] if number % 50 else [device("cause")]))
        for number in range(count)
    ]
    a_run(folder, tests)
    journal = Journal(folder / "journal.jsonl")
    for test in tests:
        record_test(journal, test.test, steps=3)
    journal.close()
    return folder


def pytest_seconds(folder: Path, plugins: Path, *arguments: str) -> float:
    """Processor time of a run of pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(plugins)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def opened(browser: Browser | None, page: Path) -> tuple[str, str]:
    """Seconds until a page from disk can be used, and how many elements it then has."""
    if browser is None:
        return "no chromium", ""
    began = time.perf_counter()
    try:
        browser.open(page)
    except (BenchError, TimeoutError):
        return f"not in {time.perf_counter() - began:.0f}", ""
    return f"{time.perf_counter() - began:.2f}", str(browser.script("document.getElementsByTagName('*').length"))


def megabytes(path: Path) -> str:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f}"


def rendering(folder: Path, count: int, console: Console) -> None:
    table = Table(title=f"{count:,} tests, one in fifty failed")
    table.add_column("report")
    for column in ("processor, s", "first page, MB", "opened in, s", "elements", "all files, MB", "timelines"):
        table.add_column(column, justify="right")
    browser = Browser() if CHROMIUM else None
    run = ours(folder / "night", count)
    began = time.process_time()
    index = write_reports(run)
    took = time.process_time() - began
    table.add_row("hil", f"{took:.2f}", megabytes(index), *opened(browser, index), megabytes(run), f"{count:,}")
    peers(folder, count, table, browser)
    if browser is not None:
        browser.close()
    console.print(table)


def peers(folder: Path, count: int, table: Table, browser: Browser | None) -> None:
    plugins, suite = folder / "plugins", folder / "suite"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(plugins), *PEERS]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        table.add_row("peers", "not installed: " + installed.stderr.strip().splitlines()[-1])
        return
    suite.mkdir()
    (suite / "test_peer.py").write_text(SUITE.format(tests=count))
    bare = pytest_seconds(suite, plugins)
    html = pytest_seconds(suite, plugins, *PEERS["pytest-html"]) - bare
    page = suite / "peer/report.html"
    table.add_row("pytest-html", f"{html:.2f}", megabytes(page), *opened(browser, page), megabytes(page), "none")
    allure = pytest_seconds(suite, plugins, *PEERS["allure-pytest"]) - bare
    table.add_row("allure-pytest, data only", f"{allure:.2f}", "", "", "", megabytes(suite / "peer/allure"), "none")


def sampling(folder: Path, console: Console) -> None:
    """The same traffic with and without sampling, in turns, and the processor time of the sampler."""
    (folder / "test_rate.py").write_text(RATES)
    rates: dict[bool, list[float]] = {True: [], False: []}
    shares: list[float] = []
    for _ in range(2):
        for on in (True, False):
            arguments = ["--testbed", str(ROOT / "testbeds/virtual.yaml"), "-q", "-p", "no:cacheprovider"]
            arguments += [] if on else ["--no-sampling"]
            subprocess.run([sys.executable, "-m", "pytest", "test_rate.py", *arguments], cwd=folder, check=True)
            run = (folder / "reports/latest").resolve()
            results = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
            rates[on] += [one["value"] for line in results for one in line.get("measurements", ())]
            records = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
            if on:
                shares.append(sum(one.get("processor_s", 0) for one in records) / records[-1]["t_s"])
    table = Table(title="Sampling beside four TCP streams")
    for column in ("", "median, Mbit/s", "least", "processor time of hil, of one core"):
        table.add_column(column, justify="right" if column else "left")
    for on, name in ((True, "sampled"), (False, "not sampled")):
        share = f"{statistics.mean(shares):.1%}" if on else ""
        table.add_row(name, f"{statistics.median(rates[on]):.0f}", f"{min(rates[on]):.0f}", share)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--no-bench", action="store_true", help="leave out the runs on the virtual bench")
    arguments = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="hil-report-") as name:
        rendering(Path(name), arguments.tests, console)
        if not arguments.no_bench:
            (Path(name) / "bench").mkdir()
            sampling(Path(name) / "bench", console)


if __name__ == "__main__":
    main()
