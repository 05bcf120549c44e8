"""What keeps a half-open connection from blocking anybody: deadlines that cut it, and a pulse that finds it dead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hil.clock import now_s

_TICK_S = 0.25


class Watchdog:
    """Calls ``cut(why)`` when something took longer than it was given. Coarse (a quarter of a second), the last resort:
    whoever can time out by itself does so earlier and loses less."""

    def __init__(self, cut: Callable[[str], None]) -> None:
        self._cut = cut
        self._due: dict[object, tuple[float, str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hil-ssh-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def guard(self, timeout_s: float, what: str) -> Iterator[None]:
        """Cut the connection when the block lasts longer than ``timeout_s``."""
        ticket = object()
        self._due[ticket] = (now_s() + timeout_s, f"{what} took longer than {timeout_s:g} s")
        try:
            yield
        finally:
            self._due.pop(ticket, None)

    def stop(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(_TICK_S):
            late = [why for due_s, why in self._due.copy().values() if now_s() > due_s]
            if late:
                self._due.clear()
                self._cut(late[0])


class Pulse:
    """Asks the far end every ``interval_s`` whether it is there.

    ``ask`` returns true when it was answered, false when the connection ended; it may block for ever when the machine
    hangs or sleeps, and the guard around it then cuts the connection after three intervals.
    """

    def __init__(self, ask: Callable[[], bool], watchdog: Watchdog, interval_s: float) -> None:
        self._ask, self._watchdog, self._interval_s = ask, watchdog, interval_s
        self._changed = threading.Condition()
        self._wanted = False
        self._stopped = False
        self._asked_s = self._answered_s = 0.0
        self._thread = threading.Thread(target=self._beat, name="hil-ssh-pulse", daemon=True)
        self._thread.start()

    def answers(self, timeout_s: float) -> bool:
        """Ask now; whether an answer came in time. (A question that hangs already is not repeated.)"""
        with self._changed:
            since_s = now_s()
            self._wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._answered_s >= self._asked_s >= since_s or self._stopped, timeout_s
            ) and not self._stopped

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._stopped, self._interval_s)
                if self._stopped:
                    return
                self._wanted = False
                self._asked_s = now_s()
            with self._watchdog.guard(3 * self._interval_s, "the answer to a keep-alive"):
                answered = self._ask()
            with self._changed:
                self._answered_s = now_s() if answered else 0.0
                self._stopped = self._stopped or not answered
                self._changed.notify_all()
