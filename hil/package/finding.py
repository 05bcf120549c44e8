"""What a check says about a package: one thing that is wrong, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is. Only an error makes a check fail."""

    ERROR = "error"
    """Windows, the driver kit's own check in every mode, or Microsoft's signing service refuses it."""
    WARNING = "warning"
    """Works today, but breaks a rule that a certified Windows driver must keep, or is likely a mistake."""
    NOTE = "note"
    """Worth a look; may well be meant."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a package."""

    rule: str
    """Name of the rule, ``driver-date-in-future``."""
    file: str
    line: int
    """From 1; 0 for a file without lines."""
    message: str
    """What was seen."""
    severity: Severity = Severity.ERROR
    wanted: str = ""
    next_step: str = ""

    @property
    def where(self) -> str:
        """``file:line``, or ``file``."""
        return f"{self.file}:{self.line}" if self.line else self.file
