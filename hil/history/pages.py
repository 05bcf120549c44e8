"""Pages of the history: files that open from disk, without a network, written anew from the database.

Each shows the newest runs only, as many as can be seen, and says how many those are: so a database of a million results
makes its pages as fast as one of a thousand.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice, pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zlib import crc32

from hil.clock import utc_now
from hil.errors import UsageError
from hil.history import queries, sides
from hil.history.compare import Comparison
from hil.history.flaky import flaky
from hil.history.model import Point, Quantity, Run, Scope, Series
from hil.history.steps import LEAST_RUNS
from hil.history.telling import share
from hil.history.time_lost import time_lost
from hil.history.trends import Trend, by_weight, trend_of
from hil.results.html import asset, environment
from hil.results.words import seconds

if TYPE_CHECKING:
    from jinja2 import Environment
    from sqlalchemy import Connection

    from hil.history.store import History

INDEX = "index.html"
NEWEST_RUNS = 300
"""Of a series; more would be less than two pixels apart."""
NEWEST_RESULTS = 30_000
"""That flaky tests and lost time are told from."""
MOST_CHARTS = 40
_MOST_BENCHES = 8
_LONGEST_NAME = 60
_ASSETS = files("hil.history") / "assets"


@dataclass(frozen=True)
class Measured:
    """A measurement, the file of its page, and all its trends."""

    quantity: Quantity
    page: str
    trends: tuple[Trend, ...]


@dataclass(frozen=True)
class Compared:
    """A comparison and the file of its page."""

    comparison: Comparison
    page: str


class Pages:
    """Written into ``folder``; they link to the reports of runs that are below ``reports``."""

    def __init__(self, history: History, folder: Path, reports: Path) -> None:
        self.folder, self._history = folder, history
        self._templates = _templates()
        self._to_reports = Path(os.path.relpath(reports, folder)).as_posix()
        self._reports = {page.parent.name for page in reports.glob(f"*/{INDEX}")}

    def write(self) -> Path:
        """All pages; comes back with the overview. Raises UsageError for a folder that cannot be written."""
        with self._history.reading() as connection:
            measured = [self.write_measurement(connection, one) for one in queries.all_quantities(connection)]
            compared = [self.write_comparison(*one) for one in _comparisons(connection)]
            return self.write_overview(connection, measured, compared)

    def write_overview(
        self, connection: Connection, measured: Sequence[Measured], compared: Sequence[Compared]
    ) -> Path:
        runs = queries.all_runs(connection)
        newest = list(islice(runs, _runs_of(runs, NEWEST_RESULTS)))
        scope = Scope(newest=len(newest))
        moves = by_weight(move for one in measured for trend in one.trends for move in trend.moves)
        return self._write(
            INDEX, "overview.html.j2", benches=queries.all_benches(connection), runs=runs, newest=newest, moves=moves,
            measured=measured, compared=compared, now=utc_now(), page_of_measurement=_page_of_measurement,
            flaky=flaky(queries.mixed_outcomes(connection, scope)),
            losses=time_lost(newest, queries.lost_time(connection, scope)),
        )  # fmt: skip

    def write_measurement(self, connection: Connection, quantity: Quantity) -> Measured:
        found = [one for one in queries.trend(connection, quantity.name) if one.unit == quantity.unit and _finite(one)]
        trends = sorted((trend_of(series, NEWEST_RUNS) for series in found), key=_last_moved, reverse=True)
        page = page_of(f"{quantity.name} {quantity.unit}")
        self._write(
            page, "measurement.html.j2", quantity=quantity, trends=trends, most=MOST_CHARTS, newest=NEWEST_RUNS,
            few=LEAST_RUNS, data=_in_script(self._data(trends[:MOST_CHARTS])),
            scripts=[asset("paged.js"), _own("trend.js")],
        )  # fmt: skip
        return Measured(quantity, page, tuple(trends))

    def write_comparison(self, name: str, comparison: Comparison) -> Compared:
        page = page_of(name)
        self._write(page, "comparison.html.j2", comparison=comparison)
        return Compared(comparison, page)

    def report_of(self, run: str) -> str | None:
        """Link to the report of a run, if that is still there."""
        return f"{self._to_reports}/{quote(run)}/{INDEX}" if run in self._reports else None

    def _data(self, trends: Iterable[Trend]) -> dict[str, Any]:
        """What charts are drawn from: every run once, and the figures of each series by the run's number."""
        runs: dict[int, list[str | None]] = {}
        series = []
        for trend in trends:
            for point in trend.points:
                if point.run_id not in runs:
                    started = point.started.strftime("%Y-%m-%d %H:%M")
                    driver = point.driver_version or point.driver_sha256[:12]
                    runs[point.run_id] = [point.run, started, driver, self.report_of(point.run)]
            series.append({
                "unit": trend.series.unit,
                "points": [[point.run_id, value, taken] for point, value, taken in zip(
                    trend.points, trend.values, trend.taken, strict=True)],
                "groups": [[one.start, one.end, one.mean, one.stdev] for one in trend.groups],
                "moves": [[move.after.start, move.kind, share(move.share)] for move in trend.moves],
                "limits": _limits(trend.points[-1]),
            })  # fmt: skip
        return {"runs": runs, "series": series}

    def _write(self, page: str, template: str, **what: Any) -> Path:
        text = self._templates.get_template(template).render(
            **what, style=asset("report.css") + _own("history.css"), report_of=self.report_of, index=INDEX
        )
        path = self.folder / page
        fresh = path.with_suffix(f".{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh.write_text(text, encoding="utf-8", errors="replace")
            # at once: somebody may be reading, another controller may be writing
            fresh.replace(path)
        except OSError as error:
            raise UsageError("a folder for pages that can be written", seen=str(error), where=str(path)) from error
        return path


def page_of(name: str) -> str:
    """A file's name that is readable, and unique by the name's checksum."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:_LONGEST_NAME]
    return f"{readable}-{crc32(name.encode('utf-8', 'replace')):08x}.html"


def _comparisons(connection: Connection) -> Iterator[tuple[str, Comparison]]:
    """The newest driver with the one before, the two benches that ran last, and of each bench its two newest runs."""
    drivers = queries.all_drivers(connection)[:2]
    if len(drivers) == 2:
        yield "drivers", sides.compare_drivers(connection, *(one.driver_sha256 for one in reversed(drivers)))
    benches = [one.bench for one in queries.all_benches(connection)[:_MOST_BENCHES]]
    if len(benches) > 1:
        yield "benches", sides.compare_benches(connection, *sorted(benches[:2]))
    for bench in benches:
        runs = queries.all_runs(connection, Scope(bench=bench, newest=2))
        for later, earlier in pairwise(runs):
            yield f"runs of {bench}", sides.compare_runs(connection, earlier, later)


def _runs_of(runs: Iterable[Run], results: int) -> int:
    """How many of the first runs have so many results, one at least."""
    count = 0
    for run in runs:
        results -= run.passed + run.failed + run.error + run.skipped + run.interrupted
        if results < 0 and count:
            break
        count += 1
    return count


def _last_moved(trend: Trend) -> tuple[bool, datetime, str]:
    move = trend.last_move
    return (move is not None, move.point.started if move else datetime.min.replace(tzinfo=UTC), trend.series.test)


def _finite(series: Series) -> bool:
    return any(isfinite(point.value) for point in series.points)


def _limits(point: Point) -> list[float]:
    return [limit for limit in (point.at_least, point.at_most) if limit is not None]


def _page_of_measurement(series: Series) -> str:
    return page_of(f"{series.measurement} {series.unit}")


def _chance(part: float) -> str:
    return "less than 0.1 %" if part < 0.001 else f"{100 * part:.{0 if part > 0.1 else 1}f} %"


def _in_script(data: object) -> str:
    """JSON that may stand in a page: a ``<`` stands in texts only, where it must not end the script."""
    return json.dumps(data).replace("<", "\\u003c")


def _own(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _templates() -> Environment:
    templates = environment("hil.history")
    templates.filters |= {
        "share": share, "percent": lambda part: f"{100 * part:.0f} %", "moment": lambda at: f"{at:%Y-%m-%d %H:%M}",
        "hours": lambda spent_s: f"{spent_s / 3600:.1f} h" if spent_s >= 3600 else seconds(spent_s), "chance": _chance,
    }  # fmt: skip
    return templates
