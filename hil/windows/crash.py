"""What went wrong with the whole machine: bugcheck, hang, power loss, a reboot, NDIS resets, fatal events, live dumps.

Told apart by the records that Windows writes at the next boot (reference windows/events.json, sequences "bugcheck",
"power cut" and "clean restart"): all begin with Kernel-General 12; Kernel-Power 41 follows a dirty shutdown, with the
bugcheck's code when there was one, and WER 1001 names the dump. A clean one left its own records, or Kernel-Boot 20
tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import Bugcheck, DutError
from hil.remote import Command
from hil.wait import wait_until
from hil.windows import dump
from hil.windows.bugchecks import in_full, meaning
from hil.windows.event_log import KERNEL_BOOT, KERNEL_GENERAL, KERNEL_POWER, NDIS, SYSTEM, WER, Bookmark, Event

if TYPE_CHECKING:
    from hil.windows.machine import Machine

DUMP_SETTLES_S = 120.0
"""Windows extracts a dump from the page file after the boot; a kernel dump of a large PC takes a minute."""
PROVOKED = 0xEF
_DELAY_MS = 500
"""A bugcheck that was asked for comes this much later, so that the answer still reaches us."""
_BUGCHECK_TEXT = re.compile(r"(0x[0-9a-fA-F]+)\s*\(((?:0x[0-9a-fA-F]+(?:,\s*)?){0,4})\)")
# values of mapResetReason and of mapMiniportEvent in reference windows/events.json
_RESET_REASONS = {1: "an OID request timed out", 2: "the hardware stopped responding", 3: "the driver asked for it"}
_FATAL_EVENTS = {
    70: "the miniport failed on a user's request", 71: "the miniport detected an internal error",
    72: "the IM miniport failed to initialize", 73: "MiniportRestart failed",
    74: "the miniport failed a transition to D0", 75: "the miniport failed a transition to a low power state",
}  # fmt: skip
_CLEAN_END = {("User32", 1074), ("EventLog", 6006), (KERNEL_GENERAL, 13), (KERNEL_POWER, 109)}
# positions in Kernel-Power 41
_SLEEP_IN_PROGRESS, _LONG_PRESS = 5, 15


class IncidentKind(StrEnum):
    BUGCHECK = "bugcheck"
    POWER_LOSS = "power_loss"
    """Booted without a clean shutdown or a bugcheck: power was lost, or the machine hung and was reset."""
    HANG = "hang"
    """As a power loss, and hil took the machine down since it did not answer any more (the guard knows)."""
    REBOOT = "reboot"
    """A clean restart or shutdown."""
    UNEXPLAINED = "unexplained"
    """Booted, and nothing tells how the boot before it ended."""
    RESET = "reset"
    """NDIS reset the adapter."""
    FATAL = "fatal"
    """The miniport entered an error state."""
    LIVE_DUMP = "live_dump"
    """Windows caught a driver, wrote a dump and went on."""


OF_THE_MACHINE = frozenset(
    {
        IncidentKind.BUGCHECK, IncidentKind.POWER_LOSS, IncidentKind.HANG, IncidentKind.UNEXPLAINED,
        IncidentKind.LIVE_DUMP,
    }
)  # fmt: skip
"""What counts as a crash; the rest are restarts, and events of the adapter alone."""


@dataclass(frozen=True)
class Incident:
    """One thing that went wrong; ``what`` is for people, ``at`` (UTC by the machine's clock) when Windows recorded it:
    of a crash or a restart, when it booted again."""

    kind: IncidentKind
    what: str
    at: datetime
    events: tuple[Event, ...] = ()
    code: int | None = None
    parameters: tuple[int, ...] = ()
    dump: str | None = None

    def error(self, where: str = "") -> DutError:
        """The exception that says this."""
        family = Bugcheck if self.kind is IncidentKind.BUGCHECK else DutError
        next_step = f"open the dump {self.dump} in a debugger" if self.dump else ""
        return family("the machine goes on working", seen=self.what, where=where, next_step=next_step)


@dataclass(frozen=True)
class Mark:
    """The machine's state of health at one moment."""

    bookmark: Bookmark
    dumps: frozenset[dump.DumpFile]


class Crashes:
    """What happened to the machine since a mark."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def mark(self) -> Mark:
        return Mark(self._machine.events.mark(), self._dumps())

    def since(self, mark: Mark) -> list[Incident]:
        """Oldest first; nothing is an empty list."""
        found = incidents(self._machine.events.since(mark.bookmark, logs=[SYSTEM]))
        live = [file for file in self.new_dumps(mark) if file.live]
        return found + [
            Incident(IncidentKind.LIVE_DUMP, f"Windows wrote a live dump: {file.path}", file.modified, dump=file.path)
            for file in live
        ]

    def provoke(self) -> None:
        """Stop Windows with a bugcheck; comes back before it happens. For benches that say that they may.

        Bugcheck 0xEF, CRITICAL_PROCESS_DIED. Raises PowerShellError without elevation.
        """
        self._machine.shell.run(Command("Invoke-HilBugcheck", DelayMs=_DELAY_MS))

    def new_dumps(self, mark: Mark) -> list[dump.DumpFile]:
        return sorted(self._dumps() - mark.dumps, key=lambda file: file.modified)

    def settle(self, mark: Mark, found: Iterable[Incident], timeout_s: float = DUMP_SETTLES_S) -> bool:
        """Wait until the dumps that Windows announced are there and grow no more; False when time is up before.

        A bugcheck without a dump (volmgr 161) announces none.
        """
        announced = {one.dump.lower() for one in found if one.kind is IncidentKind.BUGCHECK and one.dump}
        sizes: list[frozenset[dump.DumpFile]] = []

        def settled() -> bool:
            sizes.append(frozenset(self.new_dumps(mark)))
            there = {file.path.lower() for file in sizes[-1]}
            return announced <= there and len(sizes) > 1 and sizes[-1] == sizes[-2]

        try:
            if announced:
                wait_until(
                    settled, what="the dump to be written", timeout_s=timeout_s, interval_s=0.2,
                    journal=self._machine.journal, where=self._machine.where, error=_NotWritten,
                )  # fmt: skip
        except _NotWritten:
            return False
        return True

    def collect(
        self, mark: Mark, folder: Path, *, limit_bytes: int = dump.LIMIT_BYTES
    ) -> list[dump.CollectedDump]:
        """Bring the dumps since ``mark`` to ``folder``; of one above ``limit_bytes`` its header alone."""
        return [dump.collect(self._machine, file, folder, limit_bytes=limit_bytes) for file in self.new_dumps(mark)]

    def _dumps(self) -> frozenset[dump.DumpFile]:
        return dump.listed(self._machine.shell.batch(dump.queries()))


class _NotWritten(DutError):
    """The dump that the event log names is not there."""


def with_headers(found: Iterable[Incident], dumps: Sequence[dump.CollectedDump]) -> list[Incident]:
    """Live dumps with the code and the parameters that their files tell."""
    headers = {one.source: one.header for one in dumps}
    told = []
    for incident in found:
        header = headers.get(incident.dump or "")
        if incident.kind is IncidentKind.LIVE_DUMP and header is not None:
            what = f"Windows wrote a live dump and went on: {_told(header.code, header.parameters)}"
            incident = replace(incident, what=what, code=header.code, parameters=header.parameters)
        told.append(incident)
    return told


def _told(code: int, parameters: Sequence[int]) -> str:
    words = meaning(code, parameters)
    return in_full(code, parameters) + (f": {words}" if words else "")


def incidents(events: Sequence[Event]) -> list[Incident]:
    """Read records of the System log, in the order they were written."""
    found: list[Incident] = []
    starts = [index for index, event in enumerate(events) if _is(event, KERNEL_GENERAL, 12)]
    previous: Sequence[Event] = ()
    for start, end in pairwise(sorted({0, *starts, len(events)})):
        boot = events[start:end]
        cause = _cause(boot, previous)
        found += [cause] if cause else []
        found += _of_ndis(boot)
        previous = boot
    return found


def _cause(boot: Sequence[Event], previous: Sequence[Event]) -> Incident | None:
    """Why this boot came about; None when the records begin in the middle of a boot and show no cause."""
    dirty = next((event for event in boot if _is(event, KERNEL_POWER, 41)), None)
    report = next((event for event in boot if _is(event, WER, 1001)), None)
    at, told = boot[0].time, tuple(event for event in (dirty, report) if event)
    code, parameters = _bugcheck(dirty, report)
    if code:
        path = str(report.fields[1]) if report and len(report.fields) > 1 else None
        what = f"bugcheck {_told(code, parameters)}" + ("" if path else "; no dump was written")
        return Incident(IncidentKind.BUGCHECK, what, at, told, code, parameters, path)
    if dirty:
        return _of_power(dirty, at, told)
    if not _is(boot[0], KERNEL_GENERAL, 12):
        return None
    asked = next((event for event in reversed(previous) if _is(event, "User32", 1074)), None)
    if not _ended_cleanly(boot, previous):
        what = "it booted, and neither a shutdown nor a crash is on record"
        return Incident(IncidentKind.UNEXPLAINED, what, at)
    by = f", asked for by {asked.fields[0]}" if asked and asked.fields else ""
    return Incident(IncidentKind.REBOOT, f"restarted cleanly{by}", at, (asked,) if asked else ())


def _of_power(dirty: Event, at: datetime, told: tuple[Event, ...]) -> Incident:
    """A dirty shutdown without a bugcheck."""
    asleep = len(dirty.fields) > _SLEEP_IN_PROGRESS and _number(dirty.fields[_SLEEP_IN_PROGRESS]) > 0
    held = len(dirty.fields) > _LONG_PRESS and dirty.fields[_LONG_PRESS] in (True, "true", "True")
    cause = "its power button was held" if held else "power was lost, or it hung and was reset"
    what = f"booted without a clean shutdown and without a bugcheck: {cause}"
    return Incident(IncidentKind.POWER_LOSS, what + (", in a sleep transition" if asleep else ""), at, told)


def _ended_cleanly(boot: Sequence[Event], previous: Sequence[Event]) -> bool:
    """By the records of the shutdown, or by what this boot knows of it."""
    good = next((event.fields[0] for event in boot if _is(event, KERNEL_BOOT, 20) and event.fields), None)
    return good in (True, "true", "True") or any((event.provider, event.id) in _CLEAN_END for event in previous)


def _bugcheck(dirty: Event | None, report: Event | None) -> tuple[int, tuple[int, ...]]:
    """Code and parameters, from the kernel's record or else from the report's text; code 0 for none."""
    if dirty and len(dirty.fields) >= 5 and _number(dirty.fields[0]):
        return _number(dirty.fields[0]), tuple(_number(value) for value in dirty.fields[1:5])
    found = _BUGCHECK_TEXT.search(str(report.fields[0])) if report and report.fields else None
    if found is None:
        return 0, ()
    return int(found[1], 16), tuple(int(value, 16) for value in found[2].replace(" ", "").split(",") if value)


def _of_ndis(events: Sequence[Event]) -> Iterator[Incident]:
    for event in events:
        adapter = event.fields[3] if len(event.fields) > 3 else "an adapter"
        number = _number(event.fields[4]) if len(event.fields) > 4 else 0
        if _is(event, NDIS, 10400):
            reason = _RESET_REASONS.get(number, f"reason {number}")
            yield Incident(IncidentKind.RESET, f"NDIS reset {adapter}: {reason}", event.time, (event,))
        elif _is(event, NDIS, 10317) and number in _FATAL_EVENTS:
            what = f"{adapter}: {_FATAL_EVENTS[number]} (event {number})"
            yield Incident(IncidentKind.FATAL, what, event.time, (event,))


def _is(event: Event, provider: str, event_id: int) -> bool:
    return event.provider == provider and event.id == event_id


def _number(value: object) -> int:
    """A field that is a number, also when it travelled as text."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(str(value), 0)
    except ValueError:
        return 0
