"""After each test that did not pass: what is kept of it, and its bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.journal import Journal
from hil.results.model import RunInfo
from hil.results.store import RunFolder
from hil.run.bundling import Bundler
from hil.run.evidence import Evidence
from hil.run.recorder import Recorder
from hil.run.requirements import needs_bench
from hil.run.verdict import Verdict
from hil.testbed.model import Testbed

if TYPE_CHECKING:
    from hil.bench import Bench


class Keeper:
    """Of one run. ``fit`` says whether the bench is still in it."""

    def __init__(self, config: pytest.Config, folder: RunFolder, journal: Journal, info: RunInfo) -> None:
        self._folder, self._journal = folder, journal
        self._bundler = Bundler(config, folder, journal, info)
        self._evidence: Evidence | None = None
        self._began_fit = False

    def watch(self, bench: Bench) -> None:
        """The bench is ready: frames are kept from now on."""
        self._evidence = Evidence(bench, self._folder)
        self._evidence.watch()

    def close(self) -> None:
        if self._evidence is not None:
            self._evidence.close()

    def begins(self, *, fit: bool) -> None:
        """A test begins."""
        self._began_fit = fit
        self._bundler.begins()

    def ends(self, recorder: Recorder, testbed: Testbed, *, fit: bool) -> None:
        """The running test is over; a bench that it drove out of the run is asked for nothing more."""
        current = recorder.current
        assert current is not None
        bad = current.verdict in (Verdict.FAILED, Verdict.ERROR)
        if not bad or not self._began_fit or not needs_bench(current.item):
            return
        settings = None
        if self._evidence is not None:
            kept = self._evidence.keep_files(current.item.nodeid, current.started_s, machine_answers=fit)
            current.artifacts += [str(path.relative_to(self._folder.path)) for path in kept]
            settings = self._evidence.settings() if fit else None
        result, before = recorder.result(), recorder.results
        try:
            current.artifacts.append(self._bundler.write(current.item, result, before, testbed, settings))
        except OSError as error:
            self._journal.event("observation", f"the bundle cannot be written: {error}")
