"""``hil watch``: what all benches do now, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def watch(
    reports: Annotated[Path, typer.Argument(help="folder of reports; it may be made later")] = Path("reports"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 8470,
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="who else may look")] = "127.0.0.1",
) -> None:
    """Serve a page of what all runs below a folder of reports do now, until interrupted. It can change nothing."""
    from contextlib import closing, suppress

    from hil.run.interrupts import Interrupts
    from hil.watch.board import Board
    from hil.watch.server import Server

    board = Board(reports)
    server = Server(listen, port, reports, board)
    with Interrupts().installed(), suppress(KeyboardInterrupt), closing(server), board:
        print(f"watching {reports.resolve()} at {server.url} (Ctrl-C ends it)", flush=True)
        server.serve_forever(poll_interval=0.1)
