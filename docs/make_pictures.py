"""Makes the pictures of report, history and live view: ``python docs/make_pictures.py [RUN_FOLDER]``.

The report's are of that run, or else of the newest; the others' of made-up ones (tests/support). Needs
Chromium. Each picture is what a person sees in a window, at most 200 kB.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from a_history import fill  # noqa: E402
from a_watch import GoingRun, record_two_minutes, watching  # noqa: E402
from browser import CHROMIUM, Browser  # noqa: E402

from hil.history.pages import Pages, page_of  # noqa: E402
from hil.history.store import History  # noqa: E402
from hil.results.report import Report  # noqa: E402
from hil.results.writing import write_reports  # noqa: E402
from hil.wait import wait_until  # noqa: E402

_MOST_BYTES = 200_000


def main() -> None:
    if CHROMIUM is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    run = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "reports/latest").resolve()
    index = write_reports(run)
    report = Report(run)
    richest = max(report.tests, key=lambda test: (bool(test.troubles), _journal_bytes(run / report.page(test))))
    browser = Browser()
    try:
        browser.open(index, width=1200, height=800)
        _save("report.png", browser.picture())
        browser.open(index, width=390, height=844, dark=True)
        _save("report-phone.png", browser.picture())
        browser.open(run / report.page(richest), width=1200, height=760)
        browser.script("document.getElementById('timeline-title').scrollIntoView()")
        _save("timeline.png", browser.picture())
        history_pictures(browser)
        watch_picture(browser)
    finally:
        browser.close()


def history_pictures(browser: Browser) -> None:
    with tempfile.TemporaryDirectory(prefix="hil-pictures-") as name:
        folder = Path(name)
        with History(f"sqlite:///{folder / 'history.sqlite'}") as history:
            fill(history)
            index = Pages(history, folder / "history", folder).write()
        browser.open(index, width=1200, height=800)
        _save("history.png", browser.picture())
        browser.open(index.parent / page_of("tcp send Mbit/s"), width=1200, height=640)
        _save("trend.png", browser.picture())


def watch_picture(browser: Browser) -> None:
    """Two benches at work, a third that was killed."""
    with tempfile.TemporaryDirectory(prefix="hil-pictures-") as name, ExitStack() as stack:
        reports = Path(name)
        for bench in ("bench-3", "bench-7"):
            run = GoingRun(reports / f"20261122-210000-{bench}", bench, tests=40)
            stack.callback(run.close)
            record_two_minutes(run)
            run.begin(6, waits_for="the machine to sleep (S3)" if bench == "bench-3" else "the adapter up")
        os.utime(run.folder / "journal.jsonl", (0, time.time() - 90))
        with watching(reports) as server:
            browser.open(server.url, width=1200, height=800)
            wait_until(lambda: "bench-7" in browser.script("document.body.innerText"), what="the runs", timeout_s=20)
            browser.script("new Promise((done) => setTimeout(done, 1200))")
            _save("watch.png", browser.picture())


def _journal_bytes(page: Path) -> int:
    return page.stat().st_size if page.exists() else 0


def _save(name: str, picture: bytes) -> None:
    if len(picture) > _MOST_BYTES:
        raise SystemExit(f"{name} has {len(picture)} bytes, at most {_MOST_BYTES} are kept in the repository")
    path = ROOT / "docs" / name
    path.write_bytes(picture)
    print(json.dumps({"picture": str(path.relative_to(ROOT)), "bytes": len(picture)}))


if __name__ == "__main__":
    main()
