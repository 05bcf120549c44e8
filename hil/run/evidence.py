"""What is kept of a test that did not pass: the newest frames on the wire, records of Windows, settings, a bundle.

It is gathered when the test is over and the bench is fit again. Whatever cannot be had is only noted: the verdict is
never changed by it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hil.bench import Bench
from hil.clock import now_s
from hil.errors import HilError
from hil.journal import Journal
from hil.results.store import RunFolder
from hil.traffic import Kept, Partner

RING_BYTES = 2 << 20
RING_S = 120.0
"""How far back frames are taken, at most, and no further than to the beginning of the test."""
_EVENTS_BEFORE_S = 60.0
T = TypeVar("T")


class Evidence:
    """Of one bench. ``watch`` starts the ring of frames beside the tests, through a port agent of its own."""

    def __init__(self, bench: Bench, folder: RunFolder) -> None:
        self._bench, self._folder = bench, folder
        self._ring: Partner | None = None

    def watch(self) -> None:
        """Keep frames from now on, where there is a partner."""
        from hil.traffic import open_partner

        described = self._bench.testbed.partner
        if described is None:
            return

        def start() -> Partner:
            partner = open_partner(described, Journal(), self._bench.permit)
            try:
                partner.start_ring(RING_BYTES)
            except BaseException:
                partner.close()
                raise
            return partner

        self._ring = self._had("a ring of frames at the link partner", start)

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def keep_files(self, node_id: str, started_s: float, *, machine_answers: bool) -> list[Path]:
        """Capture and records of Windows of a test that began at ``started_s``, among its artifacts."""
        place = self._folder.artifacts_of(node_id)
        kept = [self._had("the frames of the ring", lambda: self._keep_frames(place, now_s() - started_s))]
        if machine_answers:
            seconds = now_s() - started_s + _EVENTS_BEFORE_S
            kept.append(self._had("the event logs", lambda: self._keep_events(place, seconds)))
        return [path for path in kept if path is not None]

    def settings(self) -> dict[str, str] | None:
        """The adapter's advanced properties: those that the test began with, since its own changes are undone."""
        return self._had("the adapter's settings", self._bench.adapter.settings)

    def _keep_frames(self, place: Path, seconds: float) -> Path | None:
        from hil.traffic.pcapng import write_pcapng

        if self._ring is None:
            return None
        try:
            kept = self._ring.kept(min(RING_S, seconds))
        except HilError:
            # the partner was lost: the next test has a ring again
            self.close()
            self.watch()
            raise
        path = place / "capture.pcapng"
        place.mkdir(parents=True, exist_ok=True)
        write_pcapng(path, kept.frames, self._ring.interface)
        self._tell(path, kept)
        return path

    def _tell(self, path: Path, kept: Kept) -> None:
        """For the timeline, at the time of the first frame."""
        ages = [round(frame.age_s, 4) for frame in kept.frames]
        span = {"age_s": ages[0], "lasted_s": round(ages[0] - ages[-1], 4)} if ages else {}
        self._bench.journal.event(
            "capture", f"{len(ages)} frames kept at the link partner", frames=len(ages), lost=kept.lost,
            file=str(path.relative_to(self._folder.path)), **span,
        )  # fmt: skip

    def _keep_events(self, place: Path, seconds: float) -> Path:
        from hil.windows.event_export import export_xml

        text = export_xml(self._bench.machine, seconds)
        path = place / "events.xml"
        place.mkdir(parents=True, exist_ok=True)
        path.write_text(self._bench.journal.masked_text(text), encoding="utf-8", errors="replace")
        return path

    def _had(self, what: str, get: Callable[[], T]) -> T | None:
        try:
            return get()
        except (HilError, OSError) as error:
            self._bench.journal.event("observation", f"{what} cannot be had: {error}")
            return None
