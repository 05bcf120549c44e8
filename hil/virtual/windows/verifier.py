"""Driver Verifier: what is set for the next boot, and what this boot runs with.

Source: Microsoft, "Verifier command line" (windows-driver-docs devtest/verifier-command-line.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

STANDARD = 0x001209BB
"""Flags that /standard sets: the documented 0x209BB and WDF verification (reference windows/executables.json)."""
BOOT_MODES = ("persistent", "resetonbootfail", "resetonunusualshutdown", "oneboot")


@dataclass(frozen=True)
class Settings:
    """Flags, and the file names of the drivers they are for; no drivers: nothing is verified."""

    flags: int = 0
    drivers: tuple[str, ...] = ()
    boot_mode: str = "persistent"
    boots_left: int | None = None
    """Of /bc; None for any number."""


class Verifier:
    """Settings survive power cuts, as the registry does."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.stored = Settings()
        self.active = Settings()
        self.loads: dict[str, int] = {}
        windows.at_boot(self._boot)

    def set(self, settings: Settings) -> None:
        """For the next boot."""
        self.stored = settings

    def reset(self) -> None:
        self.stored = Settings()

    def verifies(self, image: str) -> bool:
        """Whether a driver, by its file name, is verified in this boot."""
        return image.rpartition("\\")[2].lower() in {name.lower() for name in self.active.drivers}

    def _boot(self) -> None:
        stored = self.stored
        unusual = stored.boot_mode == "resetonunusualshutdown" and self.windows.after_dirty_shutdown
        if stored.boots_left == 0 or unusual:
            stored = Settings()
        self.active = stored
        if stored.boot_mode == "oneboot":
            stored = Settings()
        elif stored.boots_left is not None:
            stored = replace(stored, boots_left=stored.boots_left - 1)
        self.stored = stored
