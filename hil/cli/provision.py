"""``hil provision``: make a machine ready for tests, or put it back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def provision(
    testbed: Annotated[Path, typer.Argument(help="testbed file of a real bench")],
    undo: Annotated[bool, typer.Option("--undo", help="put the machine back as it was")] = False,
) -> int:
    """Make the machine of a bench ready: trust, test signing, tools, crash dumps. Can be run again and again."""
    raise NotImplementedError
