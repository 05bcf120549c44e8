"""``hil report``: the pages of a run, made anew from what it recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.errors import UsageError


def report(folder: Annotated[Path, typer.Argument(help="of a run")] = Path("reports/latest")) -> None:
    """Write index.html, junit.xml and summary.md of a run, also of one that was killed."""
    from hil.results.writing import write_reports

    if not (folder / "results.jsonl").is_file():
        raise UsageError("the folder of a run, with results.jsonl", seen="none", where=str(folder))
    print(write_reports(folder.resolve()))
