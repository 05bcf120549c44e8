"""What ConvertTo-Json writes (JsonObject.cs of PowerShell 7; JavaScriptSerializer of 5.1 for dates)."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from hil.virtual.conversion import text
from hil.virtual.powershell import PSEnum, PSRecord


def to_json(
    value: object, *, depth: int, compress: bool = True, enum_text: bool = False, old_dates: bool = False
) -> str:
    """``depth`` levels of objects are kept, deeper ones become their text; ``old_dates``: as Windows PowerShell 5.1."""
    plain = _plain(value, depth, enum_text, old_dates)
    if compress:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(plain, ensure_ascii=False, indent=2).replace("\n", "\r\n")


def _plain(value: object, depth: int, enum_text: bool, old_dates: bool) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, PSEnum):
        return value.text if enum_text else value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime):
        return f"/Date({int(value.timestamp() * 1000)})/" if old_dates else value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, uuid.UUID | timedelta):
        return str(value)
    if depth < 0:
        return text(value)
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1, enum_text, old_dates) for item in value]
    members = value.properties if isinstance(value, PSRecord) else value if isinstance(value, dict) else None
    if members is None:
        return text(value)
    return {str(key): _plain(item, depth - 1, enum_text, old_dates) for key, item in members.items()}
