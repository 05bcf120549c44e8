"""index.html: is the driver good, is the bench good, and why not. One file that opens without a network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.results.model import TestResult
from hil.results.steps import read_steps
from hil.results.store import Results


def write_html(folder: Path) -> Path:
    """Write index.html from results.jsonl and journal.jsonl in the folder of a run. OSError passes through."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    results = Results(folder / "results.jsonl")
    environment = Environment(
        loader=PackageLoader("hil.results"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"seconds": seconds, "anchor": anchor, "utc": utc}
    page = environment.get_template("index.html.j2").render(
        info=results.info,
        end=results.end,
        tests=results.tests,
        steps=read_steps(folder / "journal.jsonl"),
        **summary(results),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def summary(results: Results) -> dict[str, Any]:
    """What the first screen says: counts, both verdicts, and what went wrong by cause."""
    tests = results.tests
    counts = Counter(test.verdict for test in tests)
    red = [test for test in tests if test.verdict == "failed"]
    errors = [test for test in tests if test.verdict in ("error", "interrupted")]
    return {
        "counts": counts,
        "duration_s": sum(test.duration_s for test in tests),
        "driver": "bad" if red else "good" if counts["passed"] else "unknown",
        "bench": "bad" if errors else "good" if tests else "unknown",
        "failures": by_cause(red),
        "errors": by_cause(errors),
        "skips": by_cause(test for test in tests if test.verdict == "skipped"),
    }


def by_cause(tests: Iterable[TestResult]) -> list[tuple[str, list[TestResult]]]:
    """Tests with the same first cause together, the most frequent cause first."""
    groups: dict[str, list[TestResult]] = defaultdict(list)
    for test in tests:
        groups[_cause(test)].append(test)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _cause(test: TestResult) -> str:
    if test.troubles:
        first = test.troubles[0]
        return f"{first.error}: {first.message}".partition("\n")[0]
    return test.skip.text if test.skip else test.verdict


def seconds(value: float | None) -> str:
    """Short, with a unit that fits."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value // 60:.0f} min {value % 60:.0f} s"


def utc(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def anchor(test: str) -> str:
    """A name for a place in the page, the same for the same test."""
    return "t-" + "".join(letter if letter.isalnum() else f"-{ord(letter):x}-" for letter in test)
