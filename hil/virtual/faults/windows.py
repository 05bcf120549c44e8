"""Defects of Windows and of the machine's firmware."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from hil.virtual.faults import Fault

_HOURS_S = 4 * 3600.0


class RebootNeverReturns(Fault):
    """A restart hangs in firmware: the machine goes down and does not come back until its mains are cut."""

    caught_by: ClassVar = ("install",)

    def boot_s(self, seconds: float, *, reason: str) -> float:
        return _HOURS_S if reason == "restart" else seconds


class SleepRefused(Fault):
    """A driver fails the power request: Windows is told to sleep, and stays on."""

    caught_by: ClassVar = ("power",)

    def sleeps(self, asleep: bool, *, state: str) -> bool:
        return False


class HibernateRefused(Fault):
    """S3 works, the hibernation file is too small: Windows is told to hibernate, and stays on."""

    caught_by: ClassVar = ("power",)

    def sleeps(self, asleep: bool, *, state: str) -> bool:
        return asleep and state != "S4"


class HangsInThirdResume(Fault):
    """A driver waits in its resume callback for an interrupt that is lost now and then: the machine is on and hangs."""

    caught_by: ClassVar = ("power",)
    hanging_resume: ClassVar = 3

    def __init__(self) -> None:
        self._resumes = 0

    def resume_s(self, seconds: float) -> float:
        self._resumes += 1
        return _HOURS_S if self._resumes == self.hanging_resume else seconds


class ClockJumpsInSleep(Fault):
    """Firmware and Windows disagree about local time: each resume sets the clock back by an hour."""

    caught_by: ClassVar = ("power",)

    def resume_s(self, seconds: float) -> float:
        windows, hour = self._bench.windows, timedelta(hours=1)
        windows.clock_offset -= hour
        windows.last_boot -= hour  # Windows corrects its boot time with its clock
        return seconds


class RestartsByItself(Fault):
    """An update that was pending restarts Windows in the middle of a test, cleanly and unasked."""

    caught_by: ClassVar = ("link",)

    def starts(self, started: bool, *, reason: str) -> bool:
        if reason == "restart":
            self._bench.machine.request_shutdown(
                restart=True,
                process=rf"C:\Windows\System32\MusNotification.exe ({self._bench.windows.computer_name})",
                reason="Operating System: Service pack (Planned)",
            )
        return started
