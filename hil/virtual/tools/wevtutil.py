"""wevtutil.exe: list, query, configure, export and clear event logs (Microsoft Learn, windows-commands/wevtutil)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.windows.event_catalog import LEVEL_NAMES
from hil.virtual.windows.event_query import compile_query, to_xml

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall
    from hil.virtual.windows.event_log import Record

CHANNEL_NOT_FOUND, INVALID_QUERY, ACCESS_DENIED, FILE_EXISTS, INVALID_PARAMETER = 15007, 15001, 5, 80, 87

_LONG = {
    "enum-logs": "el", "get-log": "gl", "set-log": "sl", "query-events": "qe", "get-log-info": "gli",
    "export-log": "epl", "clear-log": "cl",
}  # fmt: skip


async def run(call: ToolCall) -> int:
    verb = call.args[0].lower() if call.args else ""
    verb = _LONG.get(verb, verb)
    options = {
        name.lower().lstrip("/-"): value
        for name, _, value in (part.partition(":") for part in call.args if part[:1] in "/-")
    }
    names = [part for part in call.args[1:] if part[:1] not in "/-"]
    if verb == "el":
        for channel in sorted(call.windows.events.channels):
            call.out(channel)
        return 0
    if verb not in ("gl", "sl", "qe", "gli", "epl", "cl") or not names:
        call.err('Invalid operation or missing argument. Run "wevtutil /?" for usage information.')
        return INVALID_PARAMETER
    log = next((found for found in call.windows.events.channels if found.lower() == names[0].lower()), None)
    if log is None:
        call.err(f"Failed to read configuration for log {names[0]}. The specified channel could not be found.")
        return CHANNEL_NOT_FOUND
    if verb in ("sl", "cl") and not call.windows.elevated:
        call.err("Access is denied.")
        return ACCESS_DENIED
    return _on_log(call, verb, log, options, names)


def _on_log(call: ToolCall, verb: str, log: str, options: dict[str, str], names: list[str]) -> int:
    events = call.windows.events
    if verb == "gl":
        call.out(f"name: {log}\nenabled: {str(events.enabled[log]).lower()}\ntype: Admin\nowningPublisher:")
    elif verb == "gli":
        call.out(f"numberOfLogRecords: {len(events.channels[log])}")
    elif verb == "cl":
        events.clear(log)
    elif verb == "sl":
        wanted = options.get("e", options.get("enabled", "")).lower()
        events.enabled[log] = wanted == "true" if wanted else events.enabled[log]
    else:
        return _query(call, verb, log, options, names)
    return 0


def _query(call: ToolCall, verb: str, log: str, options: dict[str, str], names: list[str]) -> int:
    try:
        chosen = compile_query(options.get("q", options.get("query", "*")))
    except ValueError:
        call.err("The specified query is invalid.")
        return INVALID_QUERY
    found = [record for record in call.windows.events.channels[log] if chosen(record)]
    if options.get("rd", options.get("reversedirection", "")).lower() == "true":
        found.reverse()
    count = options.get("c", options.get("count", ""))
    found = found[: int(count)] if count.isdigit() else found
    if verb == "epl":
        return _export(call, found, options, names)
    as_xml = options.get("f", options.get("format", "xml")).lower() != "text"
    for number, record in enumerate(found):
        call.out(to_xml(record, call.windows.computer_name) if as_xml else _text(call, number, record))
    return 0


def _text(call: ToolCall, number: int, record: Record) -> str:
    return (
        f"Event[{number}]:\n  Log Name: {record.channel}\n  Source: {record.provider}\n"
        f"  Date: {record.time:%Y-%m-%dT%H:%M:%S.%f}0Z\n  Event ID: {record.id}\n  Task: N/A\n"
        f"  Level: {LEVEL_NAMES[record.level]}\n  Opcode: Info\n  Keyword: N/A\n  User: S-1-5-18\n"
        f"  User Name: NT AUTHORITY\\SYSTEM\n  Computer: {call.windows.computer_name}\n"
        f"  Description: \n{record.message}\n"
    )


def _export(call: ToolCall, found: list[Record], options: dict[str, str], names: list[str]) -> int:
    """The file holds the records as XML inside the signature of an .evtx file, which is all that is read back here."""
    target = names[1] if len(names) > 1 else ""
    if not target:
        return INVALID_PARAMETER
    if call.windows.files.exists(target) and options.get("ow", "").lower() != "true":
        call.err("Failed to export log. The file exists.")
        return FILE_EXISTS
    body = "\n".join(to_xml(record, call.windows.computer_name) for record in found)
    call.windows.files.write(target, b"ElfFile\0" + body.encode())
    return 0
