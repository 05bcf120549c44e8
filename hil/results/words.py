"""How figures and times are written in reports."""

from __future__ import annotations

from datetime import datetime

from hil.results.model import Measurement


def seconds(value: float | None) -> str:
    """Short, with a unit that fits."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value // 60:.0f} min {value % 60:.0f} s"


def utc(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int) -> str:
    """Bytes, in the unit that fits."""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_each:
            return f"{count / bytes_each:.1f} {unit}"
    return f"{count} bytes"


def number(value: float) -> str:
    """Four digits that count, without an exponent where people would not write one."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def limits(one: Measurement) -> str:
    """``at least 913.2``; empty without a limit."""
    both = ("at least", one.at_least), ("at most", one.at_most)
    return ", ".join(f"{word} {number(limit)}" for word, limit in both if limit is not None)


def many(count: int, what: str) -> str:
    """``1 test``, ``2 tests``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def rough(value: float) -> str:
    """Seconds for somebody who waits: ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = max(0, round(value))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
