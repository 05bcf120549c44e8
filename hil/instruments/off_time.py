"""When an outlet was last switched off, kept where the next process finds it: capacitors do not care who waits."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hil.clock import now_s
from hil.testbed.model import Instrument


def default_state_dir() -> Path:
    """Per user, by the XDG base directory rules; it survives the process but need not survive the computer."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "hil" / "instruments"


def key_of(spec: Instrument) -> str:
    return f"{spec.resource} {spec.channel}"


class OffTime:
    """The minimum off time of one channel of one instrument (``key``), across processes.

    The monotonic clock of the system starts again at a reboot of the controller. A note from "later" than now is from
    before that, so the outlet has been off at least as long as the clock has run: never too short a wait.
    This process also remembers what no file took.
    """

    def __init__(self, key: str, min_off_s: float, state_dir: Path | None = None) -> None:
        self._min_off_s = min_off_s
        self._noted_s: float | None = None
        self._file = (state_dir or default_state_dir()) / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', key)}.off"

    def note(self) -> None:
        """It is off from now on. Raises OSError when another process will not know it."""
        self._noted_s = now_s()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_text(f"{self._noted_s!r}\n", encoding="ascii")
        fresh.replace(self._file)

    def remaining_s(self) -> float:
        """Seconds until it may be switched on; the whole minimum when the note cannot be read."""
        remaining_s = self._remaining_by_file_s()
        return remaining_s if self._noted_s is None else max(remaining_s, self._after_s(self._noted_s))

    def _remaining_by_file_s(self) -> float:
        try:
            return self._after_s(float(self._file.read_text(encoding="ascii")))
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError):
            return self._min_off_s

    def _after_s(self, noted_s: float) -> float:
        off_s = now_s() - noted_s if noted_s <= now_s() else now_s()
        return max(0.0, self._min_off_s - off_s)
