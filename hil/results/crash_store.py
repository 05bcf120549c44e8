"""Crashes of all runs by their bucket, in one JSON file beside the reports: is this one new, or the old one again."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.clock import utc_now
from hil.errors import UsageError

_VERSION = 1
_REMEMBERED = 200
"""Occurrences of a bucket that are told apart; older ones are only counted."""


@dataclass(frozen=True)
class Bucket:
    """What makes two crashes the same: code, the parameter that counts, driver and version. A kind in place of a code
    for what left none (a hang)."""

    code: str
    rule: str
    driver: str
    version: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.code, self.rule, self.driver, self.version) if part)


@dataclass(frozen=True)
class Known:
    """What was known of a bucket before."""

    count: int = 0
    first_run: str = ""
    last_run: str = ""


class CrashStore:
    """``crashes.json`` in the folder of the reports. Safe to use from several runs at a time."""

    def __init__(self, reports: Path) -> None:
        self.path = reports / "crashes.json"

    def note(self, bucket: Bucket, what: str, *, run: str, test: str, occurrence: str) -> Known:
        """Count one crash; what was known of its bucket before this run.

        ``occurrence`` is the same for the same crash (from its dump), so that one that is looked at twice counts once.
        Raises UsageError for a file that is none of ours; OSError passes through.
        """
        with self._locked() as buckets:
            found = buckets.setdefault(
                str(bucket), {"what": what, "first_run": run, "count": 0, "runs": {}, "tests": {}, "seen": []}
            )
            before = {name: count for name, count in found["runs"].items() if name != run}
            known = Known(sum(before.values()), found["first_run"] if before else "", next(reversed(before), ""))
            if occurrence not in found["seen"]:
                found["seen"] = [*found["seen"], occurrence][-_REMEMBERED:]
                found["count"] += 1
                found["runs"][run] = found["runs"].get(run, 0) + 1
                found["tests"][test] = found["tests"].get(test, 0) + 1
            found |= {"what": what, "last_run": run, "last_utc": utc_now().isoformat(timespec="seconds")}
        return known

    def buckets(self) -> dict[str, dict[str, Any]]:
        """All of them, by name. Raises UsageError for a file that is none of ours."""
        with self._locked() as buckets:
            return buckets

    @contextmanager
    def _locked(self) -> Iterator[dict[str, dict[str, Any]]]:
        """The buckets, written back at the end when they changed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            buckets = self._parse(before)
            yield buckets
            after = json.dumps({"version": _VERSION, "buckets": buckets}, indent=1)
            if buckets and after != before:
                scratch = self.path.with_suffix(".new")
                scratch.write_text(after, encoding="utf-8")
                scratch.replace(self.path)

    def _parse(self, text: str) -> dict[str, dict[str, Any]]:
        if not text:
            return {}
        try:
            stored = json.loads(text)
            if stored["version"] != _VERSION:
                raise ValueError(f"version {stored['version']}")
            buckets: dict[str, dict[str, Any]] = stored["buckets"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "the crashes of earlier runs", seen=f"{type(error).__name__}: {error}", where=str(self.path),
                next_step="move the file away; it is begun anew",
            ) from error  # fmt: skip
        return buckets
