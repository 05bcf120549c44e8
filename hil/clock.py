"""Deadlines on the monotonic clock; wall time only for what people read."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_s() -> float:
    """Monotonic seconds; only differences mean something."""
    return time.monotonic()


def thread_s() -> float:
    """Processor time that the calling thread has used, in seconds."""
    return time.thread_time()


def utc_now() -> datetime:
    """Wall time, aware, for journals and reports; never for deadlines."""
    return datetime.now(UTC)


class Deadline:
    """A point on the monotonic clock, handed down through calls that share one budget of time."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._started = now_s()

    @property
    def elapsed_s(self) -> float:
        return now_s() - self._started

    @property
    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.timeout_s - self.elapsed_s)

    @property
    def expired(self) -> bool:
        return self.elapsed_s >= self.timeout_s
