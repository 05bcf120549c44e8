"""A JSON Lines file that somebody is writing."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Tail:
    """``new()`` gives what was written since the last call, whole lines only; OSError and ValueError pass through."""

    def __init__(self, path: Path, *, since: bytes = b"", before: int = 0) -> None:
        """Begin so many bytes before the last line that holds ``since``; older lines are never read."""
        self._path = path
        self._at = _last_line_with(path, since, before) if since else 0

    def new(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield json.loads(line)


def _last_line_with(path: Path, mark: bytes, before: int) -> int:
    """Where it begins, or a line so much earlier; 0 without one."""
    if not path.stat().st_size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = data.rfind(b"\n", 0, max(0, data.rfind(mark))) + 1
        return data.rfind(b"\n", 0, max(0, found - before)) + 1 if before else found


def ends(path: Path, most_bytes: int = 1 << 16) -> tuple[bytes, bytes]:
    """The first line, and the last whole one if it is no longer than ``most_bytes``; empty where there is none."""
    with path.open("rb") as file:
        first = file.readline()
        file.seek(max(0, path.stat().st_size - most_bytes))
        whole = file.read().rpartition(b"\n")[0]
    return first if first.endswith(b"\n") else b"", whole.rpartition(b"\n")[2]
