"""Windows event logs, read from a bookmark on.

A bookmark is the newest record id of each log: clocks jump when a machine sleeps, record ids do not (reference
windows/events.json, rules). Records are asked for with an XPath on EventRecordID, so that Windows filters them, and
travel as JSON: remoting keeps one level of an object, and the values of an event lie on the second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hil.errors import BenchError
from hil.remote import Command, Pipeline, PowerShellError

if TYPE_CHECKING:
    from hil.remote import PowerShell, Result

SYSTEM = "System"
PNP_CONFIGURATION = "Microsoft-Windows-Kernel-PnP/Configuration"
PNP_MANAGEMENT = "Microsoft-Windows-Kernel-PnP/Device Management"
LOGS = (SYSTEM, PNP_CONFIGURATION, PNP_MANAGEMENT)
"""On by default in Windows 10 and 11, and what a driver's test needs."""
CODE_INTEGRITY_LOG = "Microsoft-Windows-CodeIntegrity/Operational"
"""On by default too; what it refused is a question of few tests."""

CODE_INTEGRITY = "Microsoft-Windows-CodeIntegrity"
KERNEL_POWER = "Microsoft-Windows-Kernel-Power"
KERNEL_BOOT = "Microsoft-Windows-Kernel-Boot"
KERNEL_GENERAL = "Microsoft-Windows-Kernel-General"
KERNEL_PNP = "Microsoft-Windows-Kernel-PnP"
NDIS = "Microsoft-Windows-NDIS"
POWER_TROUBLESHOOTER = "Microsoft-Windows-Power-Troubleshooter"
WER = "Microsoft-Windows-WER-SystemErrorReporting"

_NO_EVENTS, _NO_LOG = "NoMatchingEventsFound", "NoMatchingLogsFound"
_WANTED = ["RecordId", "ProviderName", "Id", "Level", "TimeCreated", "LogName", "Properties"]
# dates inside JSON: Windows PowerShell writes /Date(ms)/, PowerShell 7 ISO 8601 with up to seven digits of a second
_JSON_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_ISO_DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One record. ``fields`` are the inserted values by position (names are in the provider's manifest)."""

    log: str
    record_id: int
    provider: str
    id: int
    level: int
    """1 critical, 2 error, 3 warning, 4 information, 0 always"""
    time: datetime
    """UTC by the machine's clock."""
    fields: tuple[Any, ...] = ()
    """str, int, float, bool, None, datetime (UTC), or a list for binary values"""

    def __str__(self) -> str:
        return f"{self.provider} {self.id} {list(map(str, self.fields))} at {self.time.isoformat()}"


@dataclass(frozen=True)
class Bookmark:
    """Newest record id of each log when it was taken (0 for an empty log)."""

    records: Mapping[str, int] = field(default_factory=dict)


class EventLog:
    """The logs of one machine."""

    def __init__(self, shell: PowerShell, logs: Sequence[str] = LOGS) -> None:
        self._shell, self._logs = shell, tuple(logs)

    def mark(self) -> Bookmark:
        """Where the logs stand now; take it before the step whose records you want. A log that this Windows has not
        is left out."""
        queries = [_query(LogName=log, MaxEvents=1) for log in self._logs]
        results = zip(self._logs, self._shell.batch(queries, check=False), strict=True)
        newest = {log: _events(result, log) for log, result in results}
        known = {log: found for log, found in newest.items() if found is not None}
        return Bookmark({log: found[-1].record_id if found else 0 for log, found in known.items()})

    def since(
        self, bookmark: Bookmark, provider: str | None = None, ids: Sequence[int] = (), *, logs: Sequence[str] = ()
    ) -> list[Event]:
        """Records written after the bookmark: log by log, each in the order it was written; none is an empty list."""
        asked = [(log, record) for log, record in bookmark.records.items() if not logs or log in logs]
        queries = [_query(LogName=log, FilterXPath=xpath(record, provider, ids), Oldest=True) for log, record in asked]
        results = self._shell.batch(queries, check=False)
        return [event for (log, _), found in zip(asked, results, strict=True) for event in _events(found, log) or ()]


def xpath(after_record: int, provider: str | None = None, ids: Sequence[int] = ()) -> str:
    """The query for records after one, of a provider and of some ids; constants only, so there is nothing to quote."""
    terms = [f"EventRecordID > {after_record}"]
    terms += [f"Provider[@Name='{provider}']"] if provider else []
    terms += ["(" + " or ".join(f"EventID={id_}" for id_ in ids) + ")"] if ids else []
    return f"*[System[{' and '.join(terms)}]]"


def _query(**parameters: object) -> Pipeline:
    # Depth: event, Properties, EventProperty.Value
    return (
        Command("Get-WinEvent", **parameters)
        | Command("Select-Object", Property=_WANTED)
        | Command("ConvertTo-Json", Depth=3, Compress=True)
    )


def _events(result: Result, log: str) -> list[Event] | None:
    """None when there is no such log. Raises PowerShellError for any other error than that there are no events."""
    for error in result.errors:
        if error.error_id.startswith(_NO_LOG):
            return None
        if not error.error_id.startswith(_NO_EVENTS):
            raise PowerShellError(f"Get-WinEvent -LogName '{log}'", tuple(result.errors))
    return sorted(_parsed(result), key=lambda event: event.record_id)


def _parsed(result: Result) -> Iterator[Event]:
    for text in result:
        records = json.loads(text)
        for record in records if isinstance(records, list) else [records]:
            yield parse_record(record)


def parse_record(record: Mapping[str, Any]) -> Event:
    """One record of ConvertTo-Json. Raises BenchError when it is not an event."""
    try:
        time = json_value(record["TimeCreated"])
        if not isinstance(time, datetime):
            raise TypeError(f"TimeCreated {time!r}")
        return Event(
            log=str(record["LogName"]),
            record_id=int(record["RecordId"]),
            provider=str(record["ProviderName"]),
            id=int(record["Id"]),
            level=int(record["Level"] or 0),
            time=time,
            fields=tuple(json_value(item["Value"]) for item in record["Properties"] or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError("an event as JSON", seen=f"{type(error).__name__}: {error} in {record!r:.300}") from error


def json_value(value: Any) -> Any:
    """A value as either PowerShell writes it into JSON, with dates as aware datetimes."""
    if isinstance(value, dict) and "value" in value:  # 5.1 writes a decorated value with its note properties
        return json_value(value["value"])
    if not isinstance(value, str):
        return value
    if found := _JSON_DATE.fullmatch(value):
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    if found := _ISO_DATE.fullmatch(value):
        fraction = (found[2] or "0")[:6].ljust(6, "0")
        try:
            return datetime.fromisoformat(f"{found[1]}.{fraction}{found[3]}").astimezone(UTC)
        except (ValueError, OverflowError):
            return value
    return value
