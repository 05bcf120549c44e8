"""index.html and a page for each test: files that open from disk, without a network, on any screen.

The first screen is plain HTML. The list of all tests and the timelines are drawn by the scripts in ``assets``, from
data that lies beside them, since a page with ten thousand rows or a hundred thousand bars would not open at all.
"""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.results import words
from hil.results.causes import headline
from hil.results.model import TestResult
from hil.results.recorded import Recorded
from hil.results.report import SIDES, Report

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_VERDICTS = ("failed", "error", "interrupted", "passed", "skipped")
_CHANGES = ("", "new here", "fixed", "added")
_ASSETS = files("hil.results") / "assets"


def write_html(report: Report) -> Path:
    """Write index.html, tests/ and assets/ into the folder of the run; comes back with the index."""
    _write_assets(report.folder / "assets")
    _write_list(report)
    templates = environment()
    _write_tests(report, templates.get_template("test.html.j2"))
    page = templates.get_template("index.html.j2").render(
        report=report, sides=SIDES, style=asset("report.css"), scripts=[asset("paged.js"), asset("index.js")]
    )
    path = report.folder / "index.html"
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def environment(package: str = "hil.results") -> Environment:
    """The templates of a package, and words to write figures with."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "seconds": words.seconds, "utc": words.utc, "size": words.size, "number": words.number, "limits": words.limits,
        "many": words.many, "headline": headline,
    }  # fmt: skip
    return made


def asset(name: str) -> str:
    """The text of one of the files in ``assets``."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def _write_assets(folder: Path) -> None:
    with as_file(_ASSETS) as assets:
        shutil.copytree(assets, folder, dirs_exist_ok=True)


def _write_list(report: Report) -> None:
    """assets/tests.js: all tests in few bytes each. A script, since pages from disk may not read other files."""
    claims = {claim: number for number, claim in enumerate({test.claim: None for test in report.tests})}
    marks = _marks(report)
    rows = [
        [
            test.test, _VERDICTS.index(test.verdict), test.duration_s, report.page(test), claims[test.claim],
            report.cause_number(test), marks.get(test.test, 0),
        ]
        for test in sorted(report.tests, key=lambda test: _VERDICTS.index(test.verdict))
    ]  # fmt: skip
    data = json.dumps({"rows": rows, "claims": list(claims), "verdicts": _VERDICTS, "changes": _CHANGES})
    (report.folder / "assets" / "tests.js").write_text(f"globalThis.hilTests = {data};\n", encoding="utf-8")


def _marks(report: Report) -> dict[str, int]:
    """Node id to a place in ``_CHANGES``."""
    changes = report.changes
    if changes is None:
        return {}
    by_mark = ("new here", changes.newly_bad), ("fixed", changes.fixed), ("added", changes.added)
    return {test.test: _CHANGES.index(mark) for mark, tests in by_mark for test in tests}


def _write_tests(report: Report, template: Template) -> None:
    folder = report.folder / "tests"
    folder.mkdir(exist_ok=True)
    with Recorded(report.folder / "journal.jsonl") as recorded:
        for test in report.tests:
            page = template.render(report=report, test=test, **_of_test(report, test))
            head, _, tail = page.rpartition("@journal@")
            # in JSON a < stands in texts only, where it must not end the script
            journal = b",\n".join(recorded.lines(test.test)).replace(b"<", b"\\u003c")
            (report.folder / report.page(test)).write_bytes(_bytes(head) + b"[" + journal + b"]" + _bytes(tail))


def _of_test(report: Report, test: TestResult) -> dict[str, Any]:
    then = report.before.tests.get(test.test) if report.before else None
    return {
        "then": then, "page_before": report.page_before(test), "artifacts": report.artifacts(test),
        "figures": report.figures_of(test),
    }  # fmt: skip


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
