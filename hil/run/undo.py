"""Undo: a change is followed by its undo on the next line; they run last-in first-out, bounded in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hil.clock import Deadline
from hil.errors import BenchError
from hil.journal import Journal


class Undo:
    """A stack of what puts things back. ``undo(slot.plug)`` after ``slot.pull()``."""

    def __init__(self, journal: Journal, *, timeout_s: float = 600.0) -> None:
        self._journal, self._timeout_s = journal, timeout_s
        self._steps: list[tuple[str, Callable[[], object]]] = []
        self._failed: list[tuple[str, Callable[[], object]]] = []

    def __call__(self, step: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Call ``step(*args, **kwargs)`` when the test ends, however it ends."""
        name = getattr(step, "__qualname__", repr(step))
        self._steps.append((name, lambda: step(*args, **kwargs)))

    def run(self) -> None:
        """Undo everything, newest first; one that fails does not keep the others from running.

        Raises BenchError that names each step that failed, or was not reached before the time was over.
        """
        deadline, failed, first = Deadline(self._timeout_s), list[str](), None
        while self._steps:
            name, step = self._steps.pop()
            if deadline.expired:
                failed.append(f"{name}: not reached within {self._timeout_s:g} s")
                self._failed.insert(0, (name, step))
                continue
            try:
                with self._journal.span("undo", name):
                    step()
            except Exception as error:  # noqa: BLE001 - whatever one step does, the others must run
                failed.append(f"{name}: {error}")
                self._failed.insert(0, (name, step))
                first = first or error
        if failed:
            raise BenchError("every change of the test undone", seen="; ".join(failed)) from first

    def again(self) -> None:
        """As ``run``, for what failed so far: the machine was down then, and is back."""
        self._steps, self._failed = self._failed, []
        self.run()

    @property
    def owed(self) -> bool:
        """Whether something failed, and was not done again."""
        return bool(self._failed)
