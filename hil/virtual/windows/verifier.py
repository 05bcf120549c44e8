"""Driver Verifier: what is set for the next boot, what this boot runs with, and what it counted.

Source: Microsoft, "Verifier command line" and "Low resources simulation" (windows-driver-docs devtest/).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

STANDARD = 0x001209BB
"""Flags that /standard sets: the documented 0x209BB and WDF verification (reference windows/executables.json)."""
LOW_RESOURCES = 0x4
BOOT_MODES = ("persistent", "resetonbootfail", "resetonunusualshutdown", "oneboot")
ALWAYS_LOADED = ("ndis.sys",)
_ALLOCATIONS_PER_START = 240
"""Of a driver with eight queues: descriptors, buffers, contexts."""


@dataclass(frozen=True)
class LowResources:
    """When allocations are made to fail: chances in 10,000, from so many minutes after the boot on."""

    probability: int = 600
    delay_minutes: int = 7


@dataclass(frozen=True)
class Settings:
    """Flags, and the file names of the drivers they are for; no drivers: nothing is verified."""

    flags: int = 0
    drivers: tuple[str, ...] = ()
    boot_mode: str = "persistent"
    boots_left: int | None = None
    """Of /bc; None for any number."""
    low_resources: LowResources = LowResources()


class Verifier:
    """Settings survive power cuts, as the registry does; counters live as long as a boot."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.stored = Settings()
        self.active = Settings()
        self.loads: Counter[str] = Counter()
        self.unloads: Counter[str] = Counter()
        self.allocations = self.faults_injected = 0
        windows.at_boot(self._boot)

    def set(self, settings: Settings) -> None:
        """For the next boot."""
        self.stored = settings

    def reset(self) -> None:
        if self.windows.bench.faults.verifier_resets(True):
            self.stored = Settings()

    def flags_of(self, image: str) -> int:
        """What a driver, by its path or file name, is verified with in this boot; 0 when it is not."""
        return self.active.flags if _name(image) in {name.lower() for name in self.active.drivers} else 0

    def loaded(self, image: str) -> None:
        self.loads[_name(image)] += 1

    def unloaded(self, image: str) -> None:
        self.unloads[_name(image)] += 1

    def started(self, image: str) -> int:
        """A device of this driver starts and allocates; how many of its allocations were made to fail."""
        flags, low = self.flags_of(image), self.active.low_resources
        if not flags:
            return 0
        self.allocations += _ALLOCATIONS_PER_START
        begins = self.windows.last_boot + timedelta(seconds=self.windows.bench.scale(60.0 * low.delay_minutes))
        if not flags & LOW_RESOURCES or self.windows.now() < begins:
            return 0
        failed = self.windows.bench.faults.failed_allocations(_ALLOCATIONS_PER_START * low.probability // 10_000)
        self.faults_injected += failed
        return failed

    def _boot(self) -> None:
        stored = self.stored
        unusual = stored.boot_mode == "resetonunusualshutdown" and self.windows.after_dirty_shutdown
        if stored.boots_left == 0 or unusual:
            stored = Settings()
        self.active = self.windows.bench.faults.verifier_boots(stored)
        if stored.boot_mode == "oneboot":
            stored = Settings()
        elif stored.boots_left is not None:
            stored = replace(stored, boots_left=stored.boots_left - 1)
        self.stored = stored
        self.loads, self.unloads = Counter(ALWAYS_LOADED), Counter()
        self.allocations = self.faults_injected = 0


def _name(image: str) -> str:
    return image.rpartition("\\")[2].lower()
