"""``hil history pages``, ``hil history compare`` and ``hil history lost``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hil.cli.history_options import HISTORY, JSON, NEWEST, REPORTS, print_json

_LINES = 30


def pages(
    folder: Annotated[Path | None, typer.Argument(help="where to write; or else history in --reports")] = None,
    history: HISTORY = None,
    reports: REPORTS = Path("reports"),
) -> None:
    """Write pages that open from disk: what moved, what is flaky, what benches cost, a trend of every measurement."""
    from hil.history.pages import Pages
    from hil.history.store import open_history

    with open_history(history, reports) as opened:
        print(Pages(opened, (folder or reports / "history").resolve(), reports.resolve()).write())


def compare(
    first: Annotated[str, typer.Argument(help="a run, a driver (version or SHA-256) or a bench")],
    second: Annotated[str, typer.Argument(help="another one of that kind")],
    html: Annotated[Path | None, typer.Option(help="write a page into this folder")] = None,
    history: HISTORY = None,
    reports: REPORTS = Path("reports"),
    as_json: JSON = False,
) -> None:
    """Say what differs between two runs, drivers or benches, and whether chance could have done it."""
    from hil.history.pages import Pages
    from hil.history.sides import compare_named
    from hil.history.store import open_history
    from hil.history.telling import told

    with open_history(history, reports) as opened:
        with opened.reading() as connection:
            comparison = compare_named(connection, first, second)
        if as_json:
            print_json(asdict(comparison))
        else:
            print("\n".join(told(comparison, _LINES)))
        if html is not None:
            made = Pages(opened, html.resolve(), reports.resolve())
            print(made.folder / made.write_comparison(f"{first} {second}", comparison).page)


def lost(
    history: HISTORY = None, reports: REPORTS = Path("reports"), newest: NEWEST = 300, as_json: JSON = False
) -> None:
    """Say what benches cost: hours in errors by cause, tests that never began, times without any answer."""
    from hil.clock import utc_now
    from hil.history import queries
    from hil.history.model import Scope
    from hil.history.store import open_history
    from hil.history.telling import losses
    from hil.history.time_lost import time_lost

    scope = Scope(newest=newest)
    with open_history(history, reports) as opened, opened.reading() as connection:
        found = time_lost(queries.all_runs(connection, scope), queries.lost_time(connection, scope))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print("\n".join(losses(found, utc_now())) or "no runs")
