"""The time that the virtual machine's processors spend, by the load on its link."""

from __future__ import annotations

from collections.abc import Callable

from hil.clock import now_s

_COUNT = 8
_IDLING, _LOADED = 0.01, 0.12
"""Busy share of all processors: of a desktop that nobody uses, and what a link loaded in both directions adds."""
_TICKS_PER_S = 10_000_000


class Processors:
    """As GetSystemTimes reports them; ``load`` is the share of the link in use now, 0 to 1."""

    def __init__(self, load: Callable[[], float]) -> None:
        self._load = load
        self.booted()

    def booted(self) -> None:
        self._total_s = self._busy_s = 0.0
        self._read_s = now_s()

    def ticks(self) -> tuple[int, int]:
        """Idle and total, of 100 ns since the boot; the time since the last reading counts with the load of now."""
        passed_s, self._read_s = now_s() - self._read_s, now_s()
        self._total_s += passed_s * _COUNT
        self._busy_s += passed_s * _COUNT * (_IDLING + _LOADED * self._load())
        return round((self._total_s - self._busy_s) * _TICKS_PER_S), round(self._total_s * _TICKS_PER_S)
