"""Get-WinEvent (Microsoft.PowerShell.Diagnostics): records by log, provider, hashtable or XPath."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from psrpcore.types import PSByte, PSInt, PSInt16, PSInt64, PSUInt, PSUInt16, PSUInt64

from hil.virtual.conversion import text
from hil.virtual.powershell import Call, CmdletError, Module, Param, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.event_catalog import LEVEL_NAMES, PROVIDERS
from hil.virtual.windows.event_query import compile_query

if TYPE_CHECKING:
    from hil.virtual.windows.event_log import Field, Record

cmdlets = Module("Microsoft.PowerShell.Diagnostics")

_COMMAND = "Microsoft.PowerShell.Commands.GetWinEventCommand"
_RECORD = "System.Diagnostics.Eventing.Reader.EventLogRecord"
_LOG_ERROR = "System.Diagnostics.Eventing.Reader.EventLogException"
_PROPERTY = "System.Diagnostics.Eventing.Reader.EventProperty"
_INTEGERS: Mapping[str, Callable[[int], int]] = {
    "UInt8": PSByte, "UInt16": PSUInt16, "UInt32": PSUInt, "UInt64": PSUInt64, "Int32": PSInt, "Int64": PSInt64,
    "HexInt32": PSInt, "HexInt64": PSUInt64, "Pointer": PSUInt64,
}  # fmt: skip
_KEYWORDS = 0x8000000000000000 - 2**64
"""The classic bit that the System log carries, as the signed number that .NET shows."""

Test = Callable[["Record"], bool]


@cmdlets.cmdlet("Get-WinEvent", default_set="GetLogSet", implemented_by=_COMMAND)
def get_win_event(
    call: Call,
    LogName: Annotated[list[str] | None, Param(position=0, set="GetLogSet")] = None,
    ProviderName: Annotated[list[str] | None, Param(position=0, set="GetProviderSet", mandatory=True)] = None,
    FilterHashtable: Annotated[
        list[dict[str, object]] | None, Param(position=0, set="HashQuerySet", mandatory=True)
    ] = None,
    ListLog: Annotated[list[str] | None, Param(position=0, set="ListLogSet", mandatory=True)] = None,
    FilterXPath: str | None = None,
    MaxEvents: int | None = None,
    Oldest: Switch = False,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    """Newest first unless -Oldest; nothing found is an error, as in Windows."""
    if ListLog is not None:
        yield from _logs(call, ListLog)
        return
    found: list[Record] = []
    for logs, test in _queries(call, LogName, ProviderName, FilterHashtable, FilterXPath):
        found += [record for log in logs for record in call.host.events.channels[log] if test(record)]
    found.sort(key=lambda record: record.record_id, reverse=not Oldest)
    if len({record.channel for record in found}) > 1:
        found.sort(key=lambda record: record.time, reverse=not Oldest)
    if not found:
        message = "No events were found that match the specified selection criteria."
        call.write_error(_error("NoMatchingEventsFound", message, "ObjectNotFound"))
    yield from (record_object(call.host.computer_name, record) for record in itertools.islice(found, MaxEvents))


def record_object(computer: str, record: Record) -> PSRecord:
    fields = [PSRecord((_PROPERTY, "System.Object"), {"Value": value_of(field)}, _PROPERTY) for field in record.fields]
    properties: dict[str, object] = {
        "Message": record.message or None, "Id": PSInt(record.id), "Version": PSByte(record.version),
        "Qualifiers": None, "Level": PSByte(record.level), "Task": PSInt(0), "Opcode": PSInt16(0),
        "Keywords": PSInt64(_KEYWORDS), "RecordId": PSInt64(record.record_id), "ProviderName": record.provider,
        "ProviderId": record.provider_id, "LogName": record.channel,
        "ProcessId": PSInt(4), "ThreadId": PSInt(264), "MachineName": computer,
        "UserId": PSRecord(("System.Security.Principal.SecurityIdentifier",), {"Value": "S-1-5-18"}, "S-1-5-18"),
        "TimeCreated": record.time, "ActivityId": None, "RelatedActivityId": None, "ContainerLog": record.channel,
        "MatchedQueryIds": [], "Bookmark": None, "LevelDisplayName": LEVEL_NAMES[record.level],
        "OpcodeDisplayName": "Info", "TaskDisplayName": None, "KeywordsDisplayNames": [], "Properties": fields,
    }  # fmt: skip
    types = (_RECORD, "System.Diagnostics.Eventing.Reader.EventRecord", "System.Object")
    return PSRecord(types, properties, _RECORD)


def value_of(field: Field) -> object:
    """A field's value with the .NET type that the event reader gives it."""
    value = field.value
    if isinstance(value, str | bool | datetime | UUID):
        return value
    if field.type == "HexInt32" and value >= 2**31:
        value -= 2**32
    return _INTEGERS[field.type](value)


def _error(error_id: str, message: str, category: str = "ObjectNotFound", target: object = None) -> CmdletError:
    return CmdletError(
        message, error_id=f"{error_id},{_COMMAND}", category=category, target=target, exception="System.Exception"
    )


def _queries(
    call: Call, log_names: list[str] | None, providers: list[str] | None, tables: list[dict[str, object]] | None,
    xpath: str | None,
) -> Iterator[tuple[list[str], Test]]:  # fmt: skip
    try:
        by_xpath = compile_query(xpath) if xpath else _everything
    except ValueError as error:
        raise CmdletError(
            "The specified query is invalid", error_id=f"{_LOG_ERROR},{_COMMAND}", target=xpath, exception=_LOG_ERROR
        ) from error  # fmt: skip
    if tables is not None:
        for table in tables:
            yield from _of_table(call, {str(key).lower(): value for key, value in table.items()})
    elif providers is not None:
        wanted = _known_providers(call, providers)
        yield list(call.host.events.channels), lambda record: record.provider in wanted and by_xpath(record)
    else:
        yield _known_logs(call, log_names or ["*"]), by_xpath


def _everything(record: Record) -> bool:
    return record.record_id > 0


_TABLE_KEYS = ("logname", "providername", "id", "level", "starttime", "endtime", "keywords", "userid", "data", "path")


def _of_table(call: Call, table: dict[str, object]) -> Iterator[tuple[list[str], Test]]:
    """One hashtable; a key that is no standard one names a field of the record (named data)."""
    logs = _known_logs(call, _texts(table["logname"])) if "logname" in table else list(call.host.events.channels)
    providers = _known_providers(call, _texts(table["providername"])) if "providername" in table else None
    ids = {int(text(value)) for value in _items(table.get("id"))}
    levels = {int(text(value)) for value in _items(table.get("level"))}
    start, end = _time(table.get("starttime")), _time(table.get("endtime"))
    named = {
        key: {text(value).lower() for value in _items(value)} for key, value in table.items() if key not in _TABLE_KEYS
    }
    data = {text(value).lower() for value in _items(table.get("data"))}

    def test(record: Record) -> bool:
        values = {field.name.lower(): text(field.value).lower() for field in record.fields}
        return (
            (providers is None or record.provider in providers)
            and (not ids or record.id in ids)
            and (not levels or record.level in levels)
            and (start is None or record.time >= start)
            and (end is None or record.time <= end)
            and (not data or bool(data & set(values.values())))
            and all(values.get(key) in wanted for key, wanted in named.items())
        )

    if logs and providers != set():
        yield logs, test


def _known_logs(call: Call, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        hits = [log for log in call.host.events.channels if cdxml.matches(name, log)]
        if not hits:
            message = f'There is not an event log on the localhost computer that matches "{name}".'
            call.write_error(_error("NoMatchingLogsFound", message, target=name))
        found += [log for log in hits if log not in found]
    return found


def _known_providers(call: Call, names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        hits = {provider for provider in PROVIDERS if cdxml.matches(name, provider)}
        if not hits:
            message = f'There is not an event provider on the localhost computer that matches "{name}".'
            call.write_error(_error("NoMatchingProvidersFound", message, target=name))
        found |= hits
    return found


def _logs(call: Call, names: Sequence[str]) -> Iterator[PSRecord]:
    for log in _known_logs(call, names):
        properties: dict[str, object] = {
            "LogName": log, "RecordCount": PSInt64(len(call.host.events.channels[log])),
            "IsEnabled": call.host.events.enabled[log], "MaximumSizeInBytes": PSInt64(20_971_520),
        }  # fmt: skip
        name = "System.Diagnostics.Eventing.Reader.EventLogConfiguration"
        yield PSRecord((name, "System.Object"), properties, name)


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [] if value is None else [value]


def _texts(value: object) -> list[str]:
    return [text(item) for item in _items(value)]


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(text(value))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
