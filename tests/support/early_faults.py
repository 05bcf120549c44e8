"""Faults that show at once; those of the suites wait for their occasion."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Fault
from hil.virtual.faults.windows import HangsInThirdResume


class HangsInFirstResume(HangsInThirdResume):
    """As its base, without the two good resumes before."""

    hanging_resume: ClassVar = 1


class _HalfUp(Fault):
    """Windows lets in who comes before it is all there: after each restart and resume."""

    _left = 0

    def boot_s(self, seconds: float, *, reason: str) -> float:
        self._left = 3
        return seconds

    def resume_s(self, seconds: float) -> float:
        self._left = 3
        return seconds

    def _there(self) -> bool:
        self._left -= 1
        return self._left < 0


class WmiComesLate(_HalfUp):
    """The first questions find no RPC server."""

    def wmi_answers(self, answers: bool) -> bool:
        return self._there()


class PowerShellComesLate(_HalfUp):
    """The first PowerShell that is asked for ends at once."""

    def shell_starts(self, started: bool) -> bool:
        return self._there()
