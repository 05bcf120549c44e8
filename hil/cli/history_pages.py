"""``hil history pages`` and ``hil history compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_FROM = "a file or URL; or else HIL_HISTORY, or a file in --reports"
HISTORY = Annotated[str | None, typer.Option("--history", help=_FROM)]
REPORTS = Annotated[Path, typer.Option("--reports", help="folder with the runs")]
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
) -> None:
    """Say what differs between two runs, drivers or benches, and whether chance could have done it."""
    from hil.history.pages import Pages
    from hil.history.sides import compare_named
    from hil.history.store import open_history
    from hil.history.telling import told

    with open_history(history, reports) as opened:
        with opened.reading() as connection:
            comparison = compare_named(connection, first, second)
        print("\n".join(told(comparison, _LINES)))
        if html is not None:
            made = Pages(opened, html.resolve(), reports.resolve())
            print(made.folder / made.write_comparison(f"{first} {second}", comparison).page)
