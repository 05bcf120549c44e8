"""Kernel memory and handles: a steady baseline, a little noise as on any living machine, and what drivers leak."""

from __future__ import annotations

import random

_NON_PAGED_BASE, _PAGED_BASE = 231 * 2**20, 388 * 2**20
_NOISE_BYTES, _HANDLES, _PROCESSES = 48 * 1024, 61_400, 148


class Memory:
    """Bytes and counts as GetPerformanceInfo reports them. What leaks is gone after a boot, as real pool is."""

    def __init__(self, noise: random.Random) -> None:
        self._noise = noise
        self._leaked = self._handles = 0

    def leak(self, count: int, handles: int = 0) -> None:
        """``count`` bytes of non-paged pool, and ``handles``, that nobody gives back."""
        self._leaked += count
        self._handles += handles

    def booted(self) -> None:
        self._leaked = self._handles = 0

    def non_paged_pool_bytes(self) -> int:
        return _page(_NON_PAGED_BASE + self._leaked + self._noise.randint(-_NOISE_BYTES, _NOISE_BYTES))

    def paged_pool_bytes(self) -> int:
        return _page(_PAGED_BASE + self._noise.randint(-_NOISE_BYTES, _NOISE_BYTES))

    def handles(self) -> int:
        return _HANDLES + self._handles + self._noise.randint(-150, 150)

    def processes(self) -> int:
        return _PROCESSES + self._noise.randint(-1, 1)


def _page(count: int) -> int:
    return count // 4096 * 4096
