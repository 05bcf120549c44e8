"""``--adapter-settings FILE``: advanced properties that the adapter has all through a run, as a bundle tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import UsageError

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.run.undo import Undo


def read(path: Path) -> dict[str, str]:
    """Keyword to registry value, from a JSON object. Raises UsageError."""
    try:
        wanted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError("a JSON file for --adapter-settings", seen=str(error), where=str(path)) from error
    if not isinstance(wanted, dict) or not all(isinstance(value, str) for value in wanted.values()):
        raise UsageError("a JSON object of keywords and strings", seen=str(wanted)[:200], where=str(path))
    return wanted


def apply(bench: Bench, wanted: Mapping[str, str], undo: Undo) -> None:
    """Set what differs, with one restart of the adapter; a keyword that this adapter does not have is only noted."""
    adapter = bench.adapter
    had = adapter.settings()
    differ = {keyword: value for keyword, value in wanted.items() if had.get(keyword, value) != value}
    with bench.journal.span("step", "apply the adapter's settings", settings=differ) as outcome:
        outcome["unknown"] = sorted(wanted.keys() - had.keys())
        if not differ:
            return
        undo(adapter.wait_up)
        for number, (keyword, value) in enumerate(differ.items()):
            # undone in reverse, so the first one set is the last one put back, and restarts the adapter
            undo(adapter.set, keyword, had[keyword], restart=number == 0)
            adapter.set(keyword, value, restart=False)
        adapter.restart()
        adapter.wait_up()
