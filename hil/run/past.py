"""The history as a run uses it: asked for what is usual on this bench, and given what the run recorded at its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import DutError, UsageError
from hil.history.place import is_off, passwords, place

if TYPE_CHECKING:
    from hil.history.baseline import Baseline
    from hil.history.store import History
    from hil.journal import Journal


class BelowUsual(DutError):
    """A figure is lower than noise explains, as earlier runs on the same bench show it."""


class Past:
    """Opened when it is needed. A history that cannot be had costs the run nothing, and is told at its end."""

    def __init__(self, given: str | None, reports: Path, bench: str, journal: Journal) -> None:
        self._url = "" if is_off(given, os.environ) else place(given, os.environ, reports)
        self._bench, self._journal = bench, journal
        self._lacked: UsageError | None = None
        for password in passwords(self._url):
            journal.mask(password)

    def durations(self) -> dict[str, float]:
        """Seconds that each test mostly takes on this bench; nothing of tests that are not known."""
        if not self._url:
            return {}
        from hil.history.queries import expected_durations

        try:
            with self._opened() as history, history.reading() as connection:
                return expected_durations(connection, self._bench)
        except UsageError as error:
            self._lacked = error
            return {}

    def compare(self, test: str, measurement: str, value: float, unit: str, *, margin: float, verified: bool) -> None:
        """Raises BelowUsual for a figure that is too low for this bench; says nothing while too little is known.

        ``margin`` is the share of the usual that is no loss, ``verified`` whether Driver Verifier is at work.
        """
        usual = self._usual(test, measurement, unit, verified=verified)
        if usual is None:
            return
        least = usual.least(margin)
        self._journal.event("observation", f"{measurement}: {value:.4g} {unit}, at least {least:.4g} as usual here")
        if value < least:
            raise BelowUsual(
                f"{measurement} of at least {least:.4g} {unit}, as this bench had it before",
                seen=f"{value:.4g} {unit}",
                where=self._bench,
                tried=usual.explained(margin),
                next_step=f"hil history trend '{measurement}' shows since when; if it is to be so from now on: "
                f"hil history accept '{measurement}' --bench {self._bench} --test '{test}' --why TEXT",
            )

    def keep(self, folder: Path) -> str:
        """Add what the run recorded; comes back with what a person must know of it, mostly nothing."""
        if not self._url:
            return ""
        from hil.history.importing import import_run

        try:
            with self._opened() as history:
                import_run(history, folder)
        except UsageError as error:
            return f"This run is not in the history: {error}; when that is mended: hil history import {folder}"
        return f"Figures were not compared with earlier ones: {self._lacked}" if self._lacked else ""

    def _usual(self, test: str, measurement: str, unit: str, *, verified: bool) -> Baseline | None:
        if not self._url or self._lacked is not None:
            return None
        from hil.history import baseline

        try:
            with self._opened() as history, history.reading() as connection:
                return baseline.earlier(connection, self._bench, test, measurement, unit, verified=verified)
        except UsageError as error:
            self._lacked = error
            return None

    def _opened(self) -> History:
        from hil.history.store import History

        return History(self._url)
