"""The guard around every test: what happened to the whole machine meanwhile, whatever the test itself looked at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hil.bench import Bench
from hil.errors import DutError
from hil.windows import CollectedDump
from hil.windows.crash import Incident, IncidentKind, Mark, with_headers
from hil.windows.machine import ResourceUsage

MIB = 2**20
NON_PAGED_POOL_GROWTH_LIMIT_BYTES = 64 * MIB
"""In one test. An idle Windows moves by some megabytes on its own; a suite that looks for leaks has its own limit."""
HANDLE_GROWTH_LIMIT = 5000
_DOWN = (IncidentKind.REBOOT, IncidentKind.POWER_LOSS, IncidentKind.UNEXPLAINED, IncidentKind.HANG)
_CLOCK_ERROR = timedelta(seconds=1)
"""Of comparing two computers' clocks; hil takes a machine down only after it was silent for much longer."""


@dataclass(frozen=True)
class Seen:
    """What happened since the last look; ``error`` is the first of it that must not have."""

    error: DutError | None = None
    incidents: tuple[Incident, ...] = ()
    dumps: tuple[CollectedDump, ...] = ()


class Guard:
    """Remembers how the machine was when it was last looked at, so that nothing between two tests is missed."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._mark: Mark | None = None
        self._usage: ResourceUsage | None = None

    def arm(self) -> None:
        """Look from now on. Raises BenchError when the machine does not answer."""
        machine = self._bench.machine
        self._mark, self._usage = machine.crashes.mark(), machine.resource_usage()

    def check(self, expected: Collection[str], artifacts: Path, *, taken_down: datetime | None = None) -> Seen:
        """What happened since the last look, and the dumps, brought to ``artifacts``; ``expected`` may happen.

        Boots since ``taken_down`` (UTC of this computer) were hil's own doing. Raises BenchError when the machine does
        not answer.
        """
        if self._mark is None:
            if self._bench.connected:
                self.arm()
            return Seen()
        mark, usage, machine = self._mark, self._usage, self._bench.machine
        found = machine.crashes.since(mark)
        dumps: list[CollectedDump] = []
        if found:
            machine.crashes.settle(mark, found)
            dumps = machine.crashes.collect(mark, artifacts)
            found = [self._judged(incident, taken_down) for incident in with_headers(found, dumps)]
        for incident in found:
            self._bench.journal.event("observation", incident.what, incident=incident.kind)
        self.arm()
        where = self._bench.testbed.name
        unexpected = [one for one in found if one.kind not in expected and not self._is_ours(one, taken_down)]
        assert usage is not None and self._usage is not None
        # a boot starts all counts anew
        error = None if found else _growth(usage, self._usage, where)
        return Seen(unexpected[0].error(where) if unexpected else error, tuple(found), tuple(dumps))

    def _judged(self, incident: Incident, taken_down: datetime | None) -> Incident:
        """A machine that only hil took down, since it did not answer, hung; what the test saw of it is the verdict."""
        if incident.kind is IncidentKind.REBOOT or not self._is_ours(incident, taken_down):
            return incident
        what = "it did not answer any more, until hil cut its power: it hung, or its network was lost"
        return replace(incident, kind=IncidentKind.HANG, what=what)

    def _is_ours(self, incident: Incident, taken_down: datetime | None) -> bool:
        """A bugcheck never is: also a machine that hil restarts must not crash."""
        if taken_down is None or incident.kind not in _DOWN:
            return False
        by_our_clock = incident.at - timedelta(seconds=self._bench.machine.clock_offset_s)
        return by_our_clock > taken_down - _CLOCK_ERROR


def _growth(before: ResourceUsage, after: ResourceUsage, where: str) -> DutError | None:
    pool = after.non_paged_pool_bytes - before.non_paged_pool_bytes
    handles = after.handles - before.handles
    if pool <= NON_PAGED_POOL_GROWTH_LIMIT_BYTES and handles <= HANDLE_GROWTH_LIMIT:
        return None
    limit_mib = NON_PAGED_POOL_GROWTH_LIMIT_BYTES // MIB
    return DutError(
        f"at most {limit_mib} MiB of non-paged pool and {HANDLE_GROWTH_LIMIT} handles more",
        seen=f"{pool / MIB:.1f} MiB and {handles} handles in one test",
        where=where,
        next_step="find the pool tag with poolmon",
    )
