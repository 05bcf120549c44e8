"""``hil history``: what earlier runs saw, and runs taken into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli.history_options import BENCH, HISTORY, JSON, NEWEST, REPORTS, print_json
from hil.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hil.history.trends import Trend

_FOLDER = Path("reports")


def overview(
    context: typer.Context,
    history: HISTORY = None,
    reports: REPORTS = _FOLDER,
    bench: BENCH = "",
    newest: NEWEST = 20,
    as_json: JSON = False,
) -> None:
    """What earlier runs saw. Without a command: benches and their newest runs."""
    if context.invoked_subcommand is not None:
        return
    from hil.history import queries
    from hil.history.model import Scope

    with _reading(history, reports) as connection:
        benches = queries.all_benches(connection)
        runs = queries.all_runs(connection, Scope(bench=bench, newest=newest, faults=True))
    if as_json:
        print_json({"benches": [asdict(one) for one in benches], "runs": [asdict(one) for one in runs]})
        return
    seen = [(one.bench, one.runs, one.results, f"{one.last:%Y-%m-%d %H:%M}") for one in benches]
    _table(("bench", "runs", "results", "last run, UTC"), *seen)
    print()
    ran = [
        (one.name, one.bench, one.driver_version or one.driver_sha256[:8], one.passed, one.failed, one.error,
         one.skipped, "did not end" if one.exit_code is None else one.exit_code)
        for one in runs
    ]  # fmt: skip
    _table(("run", "bench", "driver", "passed", "failed", "error", "skipped", "exit code"), *ran)


def take_in(
    folders: Annotated[list[Path], typer.Argument(help="of runs, as in reports/*")],
    history: HISTORY = None,
    reports: REPORTS = _FOLDER,
) -> int:
    """Take runs in, also those that were killed; what is known already stays as it is."""
    from hil.history.importing import import_run
    from hil.history.store import HistoryUnreachable, open_history

    refused = 0
    with open_history(history, reports, create=True) as opened:
        for folder in _runs_among(folders):
            try:
                print(f"{folder.name}: {import_run(opened, folder)} results")
            except HistoryUnreachable:
                raise
            except UsageError as error:
                refused += 1
                print(f"{folder.name}: {error}")
    return int(ExitCode.USAGE if refused else ExitCode.OK)


def trend(
    measurement: Annotated[str, typer.Argument(help="its name; hil history measurements lists them")],
    history: HISTORY = None,
    reports: REPORTS = _FOLDER,
    bench: BENCH = "",
    test: Annotated[str, typer.Option(help="node id, or the beginning of one")] = "",
    newest: NEWEST = 300,
    as_json: JSON = False,
) -> None:
    """A measurement run by run on each bench: what it is now, its noise, and the runs since which it moved."""
    from hil.history import queries
    from hil.history.model import Scope
    from hil.history.trends import trend_of

    with _reading(history, reports) as connection:
        series = queries.trend(connection, measurement, Scope(bench=bench), test)
    if not series:
        raise UsageError(
            "a measurement that the history knows", seen=repr(measurement), next_step="hil history measurements"
        )
    trends = [trend_of(one, newest) for one in series]
    if as_json:
        print_json([asdict(one) for one in trends])
        return
    for one in trends:
        print(f"{one.series.test} on {one.series.bench}")
        print("\n".join(f"  {line}" for line in _told(one)))


def measurements(history: HISTORY = None, reports: REPORTS = _FOLDER, as_json: JSON = False) -> None:
    """Names of all measurements, with how many tests take them."""
    from hil.history import queries

    with _reading(history, reports) as connection:
        found = queries.all_quantities(connection)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        _table(("measurement", "unit", "tests", "figures"), *((q.name, q.unit, q.tests, q.points) for q in found))


def tests(
    history: HISTORY = None,
    reports: REPORTS = _FOLDER,
    bench: BENCH = "",
    newest: NEWEST = 300,
    as_json: JSON = False,
) -> None:
    """Tests that are flaky: how often they fail with the same driver on the same bench, with 95 % confidence."""
    from hil.history import queries
    from hil.history.flaky import flaky
    from hil.history.model import Scope

    with _reading(history, reports) as connection:
        found = flaky(queries.mixed_outcomes(connection, Scope(bench=bench, newest=newest)))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        driver = one.driver_version or one.driver_sha256[:8]
        print(f"{one.test} on {one.bench}, driver {driver}: {one.failures} of {one.runs} ({one.side}), "
              f"{one.low:.0%} to {one.high:.0%}")  # fmt: skip
        print("\n".join(f"  {cause}" for cause in one.causes))
    print(f"{len(found) or 'no'} flaky test{'s' if len(found) != 1 else ''}")


def accept(
    measurement: Annotated[str, typer.Argument(help="its name")],
    bench: Annotated[str, typer.Option(help="name, or name@controller")],
    test: Annotated[str, typer.Option(help="node id")],
    why: Annotated[str, typer.Option(help="kept with it")],
    since: Annotated[str, typer.Option(metavar="RUN", help="the first run that counts; or else from now on")] = "",
    history: HISTORY = None,
    reports: REPORTS = _FOLDER,
) -> None:
    """Begin a new baseline: figures of runs before are not what new ones are compared with any more."""
    from hil.clock import utc_now
    from hil.history import baseline, queries
    from hil.history.store import open_history
    from hil.testbed.state import user_name

    with open_history(history, reports) as opened, opened.writing() as connection:
        begin = queries.the_run(connection, since).started if since else utc_now()
        baseline.accept(connection, bench, test, measurement, since=begin, who=user_name(), why=why)
    print(f"{measurement} on {bench}: a new baseline, of runs since {begin:%Y-%m-%d %H:%M:%S} UTC")


@contextmanager
def _reading(history: str | None, reports: Path) -> Iterator[Connection]:
    from hil.history.store import open_history

    with open_history(history, reports) as opened, opened.reading() as connection:
        yield connection


def _runs_among(folders: Iterable[Path]) -> Iterator[Path]:
    """``reports/*`` names files too, folders that are no run's, and the newest run a second time."""
    given = [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]
    several = len(given) > 1
    return (folder.resolve() for folder in given if not several or (folder / "results.jsonl").exists())


def _told(one: Trend) -> Iterator[str]:
    from hil.results.words import many, number

    unit, now = one.series.unit, one.now
    newest = f"the newest {number(one.values[-1])}"
    yield f"{number(now.mean)} {unit} in {many(now.runs, 'run')}, noise {number(now.stdev)}, {newest}"
    for move in one.moves:
        yield (
            f"{move.kind} since {move.point.run} (driver {move.point.driver_version or move.point.driver_sha256[:8]}): "
            f"{number(move.before.mean)} to {number(move.after.mean)} {unit}, {100 * move.share:+.1f} %"
        )


def _table(*rows: Sequence[object]) -> None:
    """The first row has the names; lines are as long as they need, so that names can be copied whole."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
