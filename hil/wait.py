"""The one place that waits. Product code polls with a deadline or pauses with a reason; nothing else sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from hil.clock import Deadline
from hil.errors import BenchError, HilError

if TYPE_CHECKING:
    from hil.journal import Journal

T = TypeVar("T")


def wait_until(
    check: Callable[[], T],
    *,
    what: str,
    timeout_s: float,
    interval_s: float = 0.02,
    journal: Journal | None = None,
    where: str = "",
    error: type[HilError] = BenchError,
    next_step: str = "",
) -> T:
    """Poll ``check`` until it is truthy and return its value; ``check`` always runs at least once.

    ``what`` completes "waited for ...". Raises ``error`` with the last value seen when the deadline passes;
    an exception from ``check`` passes through.
    """
    if journal is not None:
        with journal.span("wait", what, timeout_s=timeout_s, where=where):
            return wait_until(
                check, what=what, timeout_s=timeout_s, interval_s=interval_s,
                where=where, error=error, next_step=next_step,
            )  # fmt: skip
    deadline = Deadline(timeout_s)
    while True:
        value = check()
        if value:
            return value
        if deadline.expired:
            raise error(
                f"waited {timeout_s:g} s for {what}", seen=f"last value {value!r}", where=where, next_step=next_step
            )
        time.sleep(min(interval_s, deadline.remaining_s))


def pause(seconds: float, *, why: str, journal: Journal | None = None) -> None:
    """Let ``seconds`` pass where there is nothing to poll: a settle time, an observation window."""
    if journal is not None:
        with journal.span("wait", why, timeout_s=seconds):
            time.sleep(seconds)
        return
    time.sleep(seconds)


async def async_pause(seconds: float) -> None:
    """Let simulated time pass in the virtual bench (already scaled by the caller)."""
    await asyncio.sleep(seconds)
