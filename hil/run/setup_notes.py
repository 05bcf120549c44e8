"""What Windows noted of a failed test's installs, among its artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.errors import BenchError
from hil.run.verdict import Verdict

if TYPE_CHECKING:
    from hil.journal import Journal
    from hil.results.store import RunFolder
    from hil.run.recorder import Current
    from hil.windows.driver_store import DriverStore


def keep_setup_log(store: DriverStore, current: Current, folder: RunFolder, journal: Journal) -> None:
    """Sections of setupapi.dev.log since the test's first change of the store, if it failed and the machine answers."""
    if current.verdict not in (Verdict.FAILED, Verdict.ERROR):
        return
    try:
        text = store.log()
    except BenchError as error:
        journal.event("observation", f"setupapi.dev.log cannot be had: {error}")
        return
    if text:
        file = folder.artifacts_of(current.item.nodeid) / "setupapi.dev.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        current.artifacts.append(str(file.relative_to(folder.path)))
