"""The standardized keywords of NDIS: what type, values, range and default Microsoft's documentation gives each.

The data are in standardized.json; tests/package/make_standardized.py makes it. Keywords that only Microsoft's test
scripts name, but no documentation, are known by name and not checked further (``confirmed``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Standardized:
    """One standardized keyword. Ranges are None where device or computer decide."""

    keyword: str
    type: str
    """enum, int or edit."""
    source: str
    """Page of the driver documentation."""
    values: tuple[int, ...] = ()
    direct_from: int | None = None
    """Values from here on are a speed in Mbit/s."""
    minimum: int | None = None
    maximum: int | None = None
    step: int | None = None
    defaults: tuple[int, ...] = ()
    """More than one where client and server differ."""
    ndis: str = ""
    """NDIS version that introduced it; empty when not documented."""
    shown: bool = False
    """Whether it belongs into the Advanced page, that is below Ndi\\params."""
    legacy: bool = False
    """Of a feature that Windows has given up."""
    forbidden: bool = False
    """Set by people and tools, never by an INF."""
    confirmed: bool = False

    def allows(self, value: int) -> bool:
        return value in self.values or (self.direct_from is not None and value >= self.direct_from)


@cache
def standardized() -> dict[str, Standardized]:
    """All of them, by lower-case keyword."""
    entries = json.loads(Path(__file__).with_name("standardized.json").read_text(encoding="utf-8"))
    for entry in entries:
        entry |= {key: tuple(entry.get(key, ())) for key in ("values", "defaults")}
    return {entry["keyword"].lower(): Standardized(**entry) for entry in entries}
