"""What reports and sampling cost: ten thousand tests beside pytest-html and Allure, and a run with and without.

``python benchmarks/report.py [--tests N] [--no-bench]``. The peers are installed for the measurement, in the versions
below, into a folder that is thrown away: from PyPI, and Allure's generator with npm. Where that cannot be, it says so.
All are timed on the same tests; what pytest itself takes for them is subtracted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
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

PEERS = "pytest-html==4.2.0", "allure-pytest==2.16.2"
ALLURE = "allure@3.18.0"
# one file, since Allure's usual report does not open from disk
ALLURE_SETTINGS = {"name": "night", "plugins": {"awesome": {"options": {"singleFile": True}}}}
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


def seconds(command: list[str], folder: Path, **environment: str) -> float:
    """Processor time of a command; pytest and Allure end with 1, since tests failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pytest_seconds(folder: Path, plugins: Path, *arguments: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    return seconds(command, folder, PYTHONPATH=str(plugins))


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
    run = ours(folder / "night", count)
    began = time.process_time()
    index = write_reports(run)
    took = time.process_time() - began
    with ExitStack() as stack:
        browser = stack.enter_context(closing(Browser())) if CHROMIUM else None
        table.add_row("hil", f"{took:.2f}", megabytes(index), *opened(browser, index), megabytes(run), f"{count:,}")
        peers(folder, count, table, browser)
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
    html = pytest_seconds(suite, plugins, "--html=report.html", "--self-contained-html") - bare
    page = suite / "report.html"
    table.add_row("pytest-html", f"{html:.2f}", megabytes(page), *opened(browser, page), megabytes(page), "none")
    data = pytest_seconds(suite, plugins, "--alluredir=allure") - bare
    table.add_row("allure-pytest, data alone", f"{data:.2f}", "", "", "", megabytes(suite / "allure"), "none")
    allure(folder, suite, data, table, browser)


def allure(folder: Path, suite: Path, data_s: float, table: Table, browser: Browser | None) -> None:
    """Data by allure-pytest and pages by the generator."""
    npm = shutil.which("npm")
    if npm is None or subprocess.run([npm, "install", "--silent", ALLURE], cwd=folder, check=False).returncode != 0:
        table.add_row("Allure", "not installed: it wants npm")
        return
    (suite / "allurerc.json").write_text(json.dumps(ALLURE_SETTINGS))
    command = [str(folder / "node_modules/.bin/allure"), "generate", "allure", "--output", "pages"]
    pages_s = seconds(command, suite, ALLURE_NO_ANALYTICS="1")
    page = suite / "pages/index.html"
    if not page.exists():
        table.add_row("Allure", "no pages: its generator failed")
        return
    whole = f"{data_s + pages_s:.2f}"
    table.add_row("Allure", whole, megabytes(page), *opened(browser, page), megabytes(suite / "pages"), "none")


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
