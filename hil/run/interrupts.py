"""Ctrl-C and SIGTERM end a run in order; while the bench is put to rest they wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Both signals raise KeyboardInterrupt in the main thread, at once or at the end of a shielded block."""

    def __init__(self) -> None:
        self._depth = 0
        self._pending = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals while the block runs; must be entered on the main thread."""
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let the block end first: undo and rest, which are bounded in time."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._pending and not self._depth:
            self._pending = False
            raise KeyboardInterrupt

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._depth:
            self._pending = True
        else:
            raise KeyboardInterrupt(signal.Signals(number).name)
