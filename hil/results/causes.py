"""Tests with the same cause together: two hundred red lines are mostly three defects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hil.results.model import Crash, TestResult

# what differs from one occurrence to the next: addresses, ports, times, rates, but not the number in a name (S3, oem7)
_VARIES = re.compile(r"\b0x[0-9a-fA-F]+\b|(?<![\w.])[+-]?\d+(?:[.:,]\d+)*")
_WITH_FIGURE = re.compile(r"\S*\d\S*")
_PLAIN = "AssertionError"
_DIGITS = re.compile(r"\b\d+\.\d{5,}\b")
"""Of a figure, more than anybody reads."""


@dataclass(frozen=True)
class Cause:
    """``text`` is the first line of the first occurrence; ``new`` when the run before had no test that ended so."""

    text: str
    tests: tuple[TestResult, ...]
    new: bool = False


def crash_of(test: TestResult) -> Crash | None:
    """The crash that a test which did not pass ended with, if any."""
    unexpected = [crash for crash in test.crashes if not crash.expected]
    return unexpected[0] if unexpected and test.verdict not in ("passed", "skipped") else None


def headline(test: TestResult) -> str:
    """Why a test did not pass, in one line; empty when it did."""
    crash = crash_of(test)
    if crash is not None:
        return f"{crash.name}: {crash.meaning}" if crash.meaning else crash.name
    if test.troubles:
        first = test.troubles[0]
        line = _DIGITS.sub(lambda found: f"{float(found[0]):.4g}", first.message.strip().partition("\n")[0])
        if first.error == _PLAIN and line.startswith("assert "):
            return f"{test.claim.rstrip('.')} ({line})" if test.claim else line
        return line if first.error == _PLAIN and line else f"{first.error}: {line}"
    return test.skip.text if test.skip else "" if test.verdict == "passed" else test.verdict


def cause_key(test: TestResult) -> str:
    """Equal for the same crash and for the same first error, whatever the figures in its message."""
    crash = crash_of(test)
    return f"crash {crash.bucket}" if crash else _VARIES.sub("#", headline(test))


def failure_key(test: TestResult) -> str:
    """As :func:`cause_key`, and equal also on another bench: without where it was seen, and any word with a figure."""
    crash = crash_of(test)
    first = test.troubles[0] if test.troubles else None
    if crash is not None or first is None or not first.wanted:
        return cause_key(test)
    return _WITH_FIGURE.sub("#", f"{first.error}: {first.wanted}; seen: {first.seen}".partition("\n")[0])


def by_cause(tests: Iterable[TestResult], known: frozenset[str] | None = None) -> list[Cause]:
    """The most frequent cause first. ``known`` are the keys of the run before, None when there was none."""
    groups: dict[str, list[TestResult]] = defaultdict(list)
    for test in tests:
        groups[cause_key(test)].append(test)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [Cause(headline(found[0]), tuple(found), known is not None and key not in known) for key, found in ordered]


def keys(tests: Sequence[TestResult]) -> frozenset[str]:
    return frozenset(cause_key(test) for test in tests if test.verdict != "passed")
