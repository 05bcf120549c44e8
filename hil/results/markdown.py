"""summary.md: the first screen of the report for chat and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hil.results.bundle import SUFFIX
from hil.results.causes import Cause
from hil.results.report import SIDES, Report
from hil.results.words import limits, many, number, seconds

_MOST = 10
_ANSWERS = {"good": "yes", "bad": "**no**", "unknown": "not known"}
# characters that CommonMark would take for markup, in text that comes from drivers and instruments
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def write_markdown(report: Report) -> Path:
    path = report.folder / "summary.md"
    path.write_text("\n".join(_lines(report)) + "\n", encoding="utf-8", errors="replace")
    return path


def _lines(report: Report) -> Iterator[str]:
    counts = report.counts
    yield f"## {_plain(report.info.testbed)}: driver {report.driver}, bench {report.bench}"
    yield ""
    yield f"- Is the driver good? {_ANSWERS[report.driver]}: {counts['passed']} passed, {counts['failed']} failed"
    errors = many(report.in_error, "error")
    yield f"- Is the bench good? {_ANSWERS[report.bench]}: {errors}, {counts['skipped']} not asked"
    if report.mistakes:
        mistaken = many(report.mistaken, "test")
        yield f"- Were the tests good? **no**: {mistaken} ended by a mistake in a suite, an argument or hil"
    yield f"- What is new? {_news(report)}"
    if report.unfinished:
        yield f"- **{_plain(report.unfinished)}**"
    tests = f"{many(len(report.tests), 'test')} in {seconds(report.duration_s)}"
    yield f"- {tests}, run {_plain(report.info.run)}, hil {report.info.hil}"
    yield from _causes("The device failed", report.failures)
    yield from _causes("The bench failed", report.errors)
    yield from _causes("Mistakes in suites, arguments or hil", report.mistakes)
    yield from _causes("Stopped", report.stopped)
    for side, causes in report.skips.items():
        yield from _causes(f"Not asked: {SIDES[side].lower()}", causes)
    outside = [figure for figure in report.figures if not figure.measurement.within]
    if outside:
        yield from ("", "### Outside their limits", "", "| what | value | limit | before |", "|---|---:|---|---:|")
    for figure in outside[:_MOST]:
        one, before = figure.measurement, "" if figure.before is None else number(figure.before)
        yield f"| {_plain(one.name)} | {number(one.value)} {_plain(one.unit)} | {limits(one)} | {before} |"
    yield from ("", "### What was tested", "")
    for name, value in report.info.facts.items():
        yield f"- {_plain(name)}: {_plain(value)}"
    if report.info.seed is not None:
        yield f"- seed: {report.info.seed}"


def _news(report: Report) -> str:
    changes = report.changes
    if changes is None or report.before is None:
        return "no run before this one to compare with"
    told = [
        f"{len(tests)} {what}"
        for tests, what in (
            (changes.newly_bad, "newly bad"), (changes.fixed, "fixed"), (changes.still_bad, "still bad"),
            (changes.no_longer_asked, "no longer asked"), (changes.added, "added"), (changes.gone, "gone"),
        )
        if tests
    ]  # fmt: skip
    return f"{', '.join(told) or 'nothing'}, since {_plain(report.before.run)}"


def _causes(title: str, causes: list[Cause]) -> Iterator[str]:
    if not causes:
        return
    yield from ("", f"### {title}", "")
    for cause in causes[:_MOST]:
        mark, count = " (new)" if cause.new else "", many(len(cause.tests), "test")
        yield f"- {_plain(cause.text)}{mark}: {count}, such as `{_code(cause.tests[0].test)}`{_bundle(cause)}"
    if len(causes) > _MOST:
        yield f"- and {many(len(causes) - _MOST, 'other cause')}"


def _bundle(cause: Cause) -> str:
    found = [one for test in cause.tests for one in test.artifacts if one.endswith(SUFFIX)]
    return f", [bundle](<{found[0]}>)" if found else ""


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
