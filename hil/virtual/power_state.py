"""Which power state the machine is in, what it is on its way to, and the timers that run meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any

from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class Power(Enum):
    OFF = "off"
    BOOTING = "booting"
    ON = "on"
    ASLEEP = "asleep"
    STANDBY = "standby"
    HIBERNATED = "hibernated"
    BUGCHECKED = "bugchecked"


SLEEPING = {"S0ix": Power.STANDBY, "S3": Power.ASLEEP, "S4": Power.HIBERNATED}
"""Where each sleep ends."""

Watcher = Callable[[Power, Power], None]


class PowerState:
    """Every method is called on the loop's thread and returns at once; what takes time goes on in a task."""

    def __init__(self, bench: VirtualBench) -> None:
        self.bench = bench
        self.power = Power.OFF
        self.hung = False
        self._transition: asyncio.Task[None] | None = None
        self._timers: set[asyncio.Task[None]] = set()
        self._watchers: list[Watcher] = []

    def subscribe(self, watcher: Watcher) -> None:
        """Call ``watcher(old, new)`` after each change of :attr:`power`."""
        self._watchers.append(watcher)

    def _become(self, power: Power) -> None:
        old, self.power = self.power, power
        if old is not power:
            for watcher in tuple(self._watchers):
                watcher(old, power)

    def _go(self, transition: Coroutine[Any, Any, None]) -> None:
        """Begin a transition; the one under way, if any, ends here."""
        running = asyncio.current_task()
        if self._transition and self._transition is not running:
            self._transition.cancel()
        self._transition = self.bench.loop.create_task(transition)

    def _when_on(self, begin: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        """Begin what only a running Windows can begin; otherwise nothing."""
        if self.power is Power.ON and not self.hung:
            self._go(begin(*arguments))

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        async def wait() -> None:
            await async_pause(delay_s)
            action()

        task = self.bench.loop.create_task(wait())
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    def _drop_all(self) -> None:
        """No timer fires any more, and the transition under way ends, unless it is the caller's own."""
        running = asyncio.current_task()
        for task in (*self._timers, self._transition):
            if task and task is not running:
                task.cancel()
