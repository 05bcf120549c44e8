"""Makes the pictures of docs/report.md: ``python docs/make_pictures.py [RUN_FOLDER]`` (default: the newest run).

Needs Chromium. Each picture is what a person sees in a window, at most 200 kB.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from browser import CHROMIUM, Browser  # noqa: E402

from hil.results.report import Report  # noqa: E402
from hil.results.writing import write_reports  # noqa: E402

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
    finally:
        browser.close()


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
