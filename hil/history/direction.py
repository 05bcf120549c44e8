"""Whether more of a figure is better."""

from __future__ import annotations

_LESS = frozenset({"s", "ms", "us", "µs", "ns", "min", "h", "W", "mW", "J", "KB", "kB", "MB", "GB"})
"""Times, power and memory that something took."""


def more_is_better(unit: str, at_least: float | None, at_most: float | None) -> bool | None:
    """By the test's limits, else by the unit: a rate is good, a time or a consumption is not. None if nobody said."""
    if (at_least is None) != (at_most is None):
        return at_most is None
    if unit.endswith("/s"):
        return True
    return False if unit in _LESS else None
