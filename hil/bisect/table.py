"""What a bisect leaves: bisect.json, bisect.md and bisect.html in the folder of the run; the same on the console."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hil.bisect.probing import Probing
from hil.history.confidence import interval

PAGE, TEXT, DATA = "bisect.html", "bisect.md", "bisect.json"
_HEADINGS = ("package", "version", "date", "runs", "failures", "failure rate (95 %)", "first bad one", "")


@dataclass(frozen=True)
class Row:
    """One package; ``low`` and ``high`` are the interval of its failure rate, where it ran."""

    package: str
    folder: str
    version: str
    date: str
    runs: int
    failures: int
    low: float | None
    high: float | None
    probability: float | None
    remark: str

    @property
    def cells(self) -> tuple[str, ...]:
        """As people read them, in the order of the headings."""
        rate = f"{self.low:.0%} to {self.high:.0%}" if self.low is not None and self.high is not None else ""
        chance = "" if self.probability is None else f"{self.probability:.1%}"
        return (
            self.package, self.version, self.date, str(self.runs), str(self.failures), rate, chance, self.remark,
        )  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The outcome of a bisect, found or not."""

    test: str
    outcome: str
    first_bad: str
    """Its version; empty when it was not found."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    confidence: float
    runs: int

    def console(self) -> str:
        cells = [_HEADINGS, *(row.cells for row in self.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS) - 1)]
        lines = ["  ".join([*map(str.ljust, line, widths), line[-1]]).rstrip() for line in cells]
        return "\n".join([*(f"note: {note}" for note in self.notes), *lines, "", self.outcome])

    def markdown(self) -> str:
        head = ["| " + " | ".join(_HEADINGS) + " |", "|---|---|---|---:|---:|---|---:|---|"]
        body = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row.cells) + " |" for row in self.rows]
        notes = [f"- {note}" for note in self.notes]
        lines = [f"## Bisect by `{self.test}`", "", self.outcome, "", *head, *body, "", *notes]
        return "\n".join(lines).rstrip() + "\n"

    def data(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}


def table(probing: Probing, test: str) -> Table:
    """Of a bisect that ended."""
    found, search, answer = probing.found, probing.search, probing.answer
    first = found.packages[answer.first].version if answer else ""
    return Table(
        test=test, outcome=probing.outcome, first_bad=first, rows=tuple(_rows(probing)), notes=found.notes,
        confidence=search.wanted, runs=search.runs,
    )  # fmt: skip


def write(done: Table, folder: Path) -> Path:
    """Write all three into ``folder``; comes back with the page. OSError passes through."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hil.results"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    style = files("hil.results").joinpath("assets/report.css").read_text(encoding="utf-8")
    page = environment.get_template("bisect.html.j2").render(table=done, headings=_HEADINGS, style=style)
    (folder / DATA).write_text(json.dumps(done.data(), indent=1), encoding="utf-8")
    (folder / TEXT).write_text(done.markdown(), encoding="utf-8")
    path = folder / PAGE
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def line(probing: Probing, package: int) -> str:
    """How a package stands after a run on it."""
    count, best = probing.search.counts[package], ""
    if package in probing.search.untestable:
        return f"      {probing.found.packages[package]}: {probing.remarks[package]}"
    if probing.search.counts[-1].failures:
        posterior = probing.search.posterior()
        likely = probing.found.packages[probing.search.tested[posterior.best]]
        best = f"; likeliest {likely.version}, {posterior.confidence:.0%}"
    return f"      {probing.found.packages[package]}: {count.failures} of {count.runs} failed{best}"


def _rows(probing: Probing) -> list[Row]:
    search = probing.search
    known = search.counts[-1].failures and not search.counts[0].failures
    chances: Sequence[float | None] = search.probabilities() if known else [None] * len(search.counts)
    rows = []
    for number, (candidate, count, chance) in enumerate(
        zip(probing.found.packages, search.counts, chances, strict=True)
    ):
        low, high = interval(count.failures, count.runs) if count.runs else (None, None)
        rows.append(
            Row(
                package=candidate.folder.name, folder=str(candidate.folder), version=candidate.version,
                date=candidate.released.isoformat(), runs=count.runs, failures=count.failures, low=low, high=high,
                probability=chance, remark=probing.remarks.get(number, ""),
            )
        )  # fmt: skip
    return rows
