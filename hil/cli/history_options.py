"""What the commands of ``hil history`` have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

_FROM = "a file or URL; or else HIL_HISTORY, or a file in --reports"
HISTORY = Annotated[str | None, typer.Option("--history", help=_FROM)]
REPORTS = Annotated[Path, typer.Option("--reports", help="folder with the runs")]
NEWEST = Annotated[int, typer.Option(min=1, help="so many runs, the newest")]
JSON = Annotated[bool, typer.Option("--json", help="one JSON value, for programs")]
BENCH = Annotated[str, typer.Option(help="name, or name@controller")]


def print_json(found: object) -> None:
    """Dataclasses have to be dicts by then; times are written in ISO 8601."""
    print(json.dumps(found, indent=1, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
