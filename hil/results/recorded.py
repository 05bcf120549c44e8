"""What the journal of a run holds of each test, without parsing it: a night's journal has hundreds of megabytes."""

from __future__ import annotations

import json
import mmap
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_BYTES = 4_000_000
"""Of one test's records in its page; of a longer one the beginning and the end, where it mostly fails."""
# a quote inside of a value would be escaped, so these stand only where the journal's own fields are
_TEST_START, _TEST_END = b'"phase": "start", "kind": "test"', b'"phase": "end", "kind": "test"'
_EVENT, _SEEN = b'"kind": "event"', b'"kind": "observation"'


class Recorded:
    """The journal file, which stays open until ``close``; lines come back as they are, each one JSON object."""

    def __init__(self, journal: Path) -> None:
        self._data: mmap.mmap | bytes = b""
        if journal.exists() and journal.stat().st_size:
            with journal.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._slices: dict[str, tuple[int, int]] = {}
        self._starts: list[tuple[float, str]] = []
        self._read_tests()
        self._events: dict[str, list[bytes]] = {}
        self._read_events()

    def close(self) -> None:
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lines(self, test: str) -> list[bytes]:
        """Records of one test (of its newest repetition) in order, then the records of Windows of its time."""
        start, end = self._slices.get(test, (0, 0))
        if end - start > MOST_BYTES:
            half = MOST_BYTES // 2
            text = self._data[start : start + half].rpartition(b"\n")[0] + b"\n"
            text += self._data[end - half : end].partition(b"\n")[2]
        else:
            text = self._data[start:end]
        own = [line for line in text.split(b"\n")[:-1] if _EVENT not in line]
        return own + self._events.get(test, [])

    @property
    def begun(self) -> int:
        """How many tests began; one more than there are results where the run was killed in the last one."""
        return len(self._starts)

    def last(self) -> list[dict[str, Any]]:
        """The start of the test that began last, then all that was observed in it."""
        start = self._line_start(max(self._data.rfind(_TEST_START), 0))
        first, *rest = self._data[start : self._whole()].split(b"\n")[:-1]
        return [json.loads(line) for line in (first, *(line for line in rest if _SEEN in line))]

    def _read_tests(self) -> None:
        for start, line in self._found(_TEST_START):
            record = json.loads(line)
            at = self._data.find(_TEST_END, start)
            following = self._data.find(_TEST_START, start + len(line))
            if at < 0 or 0 <= following < at:  # the run was killed in this test
                end = self._whole() if following < 0 else self._line_start(following)
            else:
                end = self._data.find(b"\n", at) + 1 or self._whole()
            self._slices[record["test"]] = (start, end)
            self._starts.append((record["t_s"], record["test"]))

    def _read_events(self) -> None:
        """Windows is asked late, so a record belongs to the test that ran when it was written."""
        begun = [at for at, _ in self._starts]
        for _, line in self._found(_EVENT):
            record: dict[str, Any] = json.loads(line)
            number = bisect_right(begun, record["t_s"] - record.get("age_s", 0.0)) - 1
            if number >= 0:
                self._events.setdefault(self._starts[number][1], []).append(line)

    def _found(self, mark: bytes) -> Iterator[tuple[int, bytes]]:
        """Start and content of each whole line that holds the mark."""
        at = self._data.find(mark)
        while at >= 0:
            start, end = self._line_start(at), self._data.find(b"\n", at)
            if end < 0:
                return
            yield start, self._data[start:end]
            at = self._data.find(mark, end)

    def _line_start(self, at: int) -> int:
        return self._data.rfind(b"\n", 0, at) + 1

    def _whole(self) -> int:
        """The end of the last whole line."""
        return self._data.rfind(b"\n") + 1
