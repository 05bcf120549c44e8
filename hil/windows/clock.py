"""The machine's clock against the controller's, and which boot this is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hil.clock import now_s, utc_now
from hil.remote import Command

if TYPE_CHECKING:
    from hil.remote import PowerShell

# Tick counts have a resolution of 16 ms; two boots lie at least a shutdown and a boot apart.
_SAME_BOOT_S = 0.25


@dataclass(frozen=True)
class Boot:
    """Which boot this is, by two clocks, so that a step of the machine's wall clock does not look like a restart."""

    started: datetime
    """LastBootUpTime, UTC by the machine's clock."""
    origin_s: float
    """The controller's monotonic time when the machine's uptime was zero."""

    def differs_from(self, other: Boot) -> bool:
        """Another boot by both clocks. For moments with no sleep between them: ticks then drift by a second or two."""
        apart_s = (abs((self.started - other.started).total_seconds()), abs(self.origin_s - other.origin_s))
        return min(apart_s) > _SAME_BOOT_S


@dataclass(frozen=True)
class ClockReading:
    """The machine's clocks at one moment of the controller's."""

    offset_s: float
    """Machine's wall clock minus the controller's."""
    uncertainty_s: float
    """Half the round trip of the question."""
    boot: Boot


def read_clock(shell: PowerShell, *, samples: int = 1) -> ClockReading:
    """Ask ``samples`` times and keep the answer with the shortest round trip."""
    return min((_sample(shell) for _ in range(samples)), key=lambda reading: reading.uncertainty_s)


def _sample(shell: PowerShell) -> ClockReading:
    asked, asked_s = utc_now(), now_s()
    answer = shell.run(Command("Get-HilClock"), quiet=True)[0]
    half_s = (now_s() - asked_s) / 2
    offset = answer["UtcNow"].astimezone(UTC) - (asked + timedelta(seconds=half_s))
    origin_s = asked_s + half_s - int(answer["UptimeMs"]) / 1000
    boot = Boot(started=answer["LastBootUpTime"].astimezone(UTC), origin_s=origin_s)
    return ClockReading(offset_s=offset.total_seconds(), uncertainty_s=half_s, boot=boot)
