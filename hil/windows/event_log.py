"""Windows event logs, read from a bookmark on.

A bookmark is the newest record id of each log: clocks jump when a machine sleeps, record ids do not (reference
windows/events.json, rules). Records are asked for with an XPath on EventRecordID, so that Windows filters them, and
travel as JSON: remoting keeps one level of an object, and the event's fields lie on the second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from hil.errors import BenchError

if TYPE_CHECKING:
    from hil.remote import PowerShell

SYSTEM = "System"
PNP_CONFIGURATION = "Microsoft-Windows-Kernel-PnP/Configuration"
PNP_MANAGEMENT = "Microsoft-Windows-Kernel-PnP/Device Management"
LOGS = (SYSTEM, PNP_CONFIGURATION, PNP_MANAGEMENT)
"""On by default in Windows 10 and 11, and what a driver's test needs."""

Field = str | int | float | bool | datetime | None | list[Any] | dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One record. ``fields`` are the inserted values by position (names are in the provider's manifest)."""

    log: str
    record_id: int
    provider: str
    id: int
    level: int
    """1 critical, 2 error, 3 warning, 4 information"""
    time: datetime
    """UTC by the machine's clock."""
    fields: tuple[Field, ...] = ()

    def __str__(self) -> str:
        return f"{self.provider} {self.id} {list(self.fields)} at {self.time.isoformat()}"


@dataclass(frozen=True)
class Bookmark:
    """Newest record id of each log when it was taken (0 for an empty log)."""

    records: dict[str, int] = field(default_factory=dict)


class EventLog:
    """The logs of one machine."""

    def __init__(self, shell: PowerShell, logs: Sequence[str] = LOGS) -> None:
        raise NotImplementedError

    def mark(self) -> Bookmark:
        """Where the logs stand now; take it before the step whose records you want."""
        raise NotImplementedError

    def since(self, bookmark: Bookmark, provider: str | None = None, ids: Sequence[int] = ()) -> list[Event]:
        """Records written after the bookmark, oldest first, of every marked log; nothing found is an empty list."""
        raise NotImplementedError
