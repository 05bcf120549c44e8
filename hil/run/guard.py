"""The guard around every test: what happened to the whole machine meanwhile, whatever the test itself looked at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from hil.bench import Bench
from hil.errors import DutError
from hil.windows.crash import Incident, IncidentKind, Mark
from hil.windows.machine import ResourceUsage

MIB = 2**20
NON_PAGED_POOL_GROWTH_LIMIT_BYTES = 64 * MIB
"""In one test. An idle Windows moves by some megabytes on its own; a suite that looks for leaks has its own limit."""
HANDLE_GROWTH_LIMIT = 5000
_CLOCK_ERROR = timedelta(seconds=1)
"""Of comparing two computers' clocks; hil takes a machine down only after it was silent for much longer."""


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

    def check(
        self, expected: Collection[str], artifacts: Path, *, taken_down: datetime | None = None
    ) -> tuple[DutError | None, list[Path]]:
        """The first thing since the last look that is not ``expected``, and the dumps, brought to ``artifacts``.

        Boots since ``taken_down`` (UTC of this computer) were hil's own doing. Raises BenchError when the machine does
        not answer.
        """
        if self._mark is None:
            if self._bench.connected:
                self.arm()
            return None, []
        mark, usage, machine = self._mark, self._usage, self._bench.machine
        incidents = machine.crashes.since(mark)
        for incident in incidents:
            self._bench.journal.event("observation", incident.what, incident=incident.kind)
        dumps = [dump.local for dump in machine.crashes.collect(mark, artifacts)] if incidents else []
        self.arm()
        not_ours = [incident for incident in incidents if not self._is_ours(incident, taken_down)]
        unexpected = [incident for incident in not_ours if incident.kind not in expected]
        if unexpected:
            return unexpected[0].error(self._bench.testbed.name), dumps
        assert usage is not None and self._usage is not None
        # a boot starts all counts anew
        return (None if incidents else _growth(usage, self._usage, self._bench.testbed.name)), dumps

    def _is_ours(self, incident: Incident, taken_down: datetime | None) -> bool:
        """A bugcheck never is: also a machine that hil restarts must not crash."""
        if taken_down is None or incident.kind not in (IncidentKind.REBOOT, IncidentKind.POWER_LOSS):
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
