"""What the System log says about sleep, shutdown, boot and crash, in the order and with the values Windows writes.

Source: reference windows/events.json, ``sequences`` and the field lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from hil.virtual.windows.crash import Bugcheck, Dump
from hil.virtual.windows.event_log import NEVER

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

SleepState = Literal["S3", "S4", "S0ix"]
POWER = "Kernel-Power"
SYSTEM_STATE = {"S3": 4, "S4": 5}
"""POWER_SYSTEM state."""
ACTION = {"S3": 2, "S4": 3}
"""POWER_ACTION: sleep, hibernate."""
SHUTDOWN_RESET, SHUTDOWN_OFF = 5, 6
REASON_APPLICATION_API, REASON_BUTTON, REASON_KERNEL_API = 4, 0, 5
CLOCK_FROM_HARDWARE = 2
"""Reason of Kernel-General 1: synchronized with the hardware clock."""

WAKE_BUTTON, WAKE_DEVICE, WAKE_TIMER, WAKE_UNKNOWN = 1, 5, 6, 0
STANDBY_ENTERED_BY_IDLE = 12
STANDBY_LEFT = {WAKE_UNKNOWN: 0, WAKE_BUTTON: 1, WAKE_TIMER: 8, WAKE_DEVICE: 9}
"""Source of the wake to Pop:MapCsEnterExitReason: unknown, button, SetThreadExecutionState, full wake."""


@dataclass(frozen=True)
class Sleep:
    """One sleep: what was asked for and by whom."""

    state: SleepState
    caller: str
    entered: datetime
    wake_timer: datetime | None = None


@dataclass(frozen=True)
class WakeSource:
    """``kind`` is a value of mapWakeSource; ``text`` names the device or the owner of the timer."""

    kind: int
    text: str = ""
    instance_id: str = ""
    time: datetime | None = None


@dataclass(frozen=True)
class Dirty:
    """How the machine went down without a shutdown."""

    bugcheck: Bugcheck | None = None
    asleep: bool = False
    long_press: bool = False


def asked_to_sleep(windows: Windows, sleep: Sleep) -> None:
    """Nobody asks for Modern Standby: it is entered when the screen goes dark."""
    if sleep.state == "S0ix":
        return
    windows.events.add(
        POWER, 187, ApiCallerName=sleep.caller, SystemAction=ACTION[sleep.state],
        LightestSystemState=SYSTEM_STATE[sleep.state],
    )  # fmt: skip


def sleep_refused(windows: Windows, driver: str, instance_id: str) -> None:
    windows.events.add(POWER, 40, DriverName=driver, InstanceName=instance_id)


def falls_asleep(windows: Windows, sleep: Sleep, count: int, *, reason: int = REASON_APPLICATION_API) -> None:
    """Modern Standby (S0ix) writes 506 in place of 42."""
    if sleep.state == "S0ix":
        windows.events.add(POWER, 506, Reason=STANDBY_ENTERED_BY_IDLE, LidOpenState=True)
        return
    state = SYSTEM_STATE[sleep.state]
    windows.events.add(POWER, 42, TargetState=state, EffectiveState=state, Reason=reason, TransitionsToOn=count)


def resumed(windows: Windows, sleep: Sleep, frozen_at: datetime) -> None:
    """The kernel is back with the clock of the moment it stopped, then reads the hardware clock."""
    state, now = SYSTEM_STATE[sleep.state], windows.now()
    windows.events.add(
        POWER, 107, time=frozen_at, TargetState=state, EffectiveState=state, WakeFromState=state,
        WakeRequesterTypeAc=1 if sleep.wake_timer else 0,
        ProgrammedWakeTimeAc=sleep.wake_timer or NEVER,
    )  # fmt: skip
    delta = int((now - frozen_at).total_seconds() * 1000)
    windows.events.add(
        "Kernel-General", 1, NewTime=now, OldTime=frozen_at, Reason=CLOCK_FROM_HARDWARE, CmosTime=now,
        TimeDeltaInMs=delta, ProcessName=r"\Device\HarddiskVolume3\Windows\System32\ntoskrnl.exe", ProcessID=4,
    )  # fmt: skip


def returned(windows: Windows, sleep: Sleep, woken: datetime, source: WakeSource, wake_ms: int) -> None:
    """The Power-Troubleshooter's account, about a second and a half after the clock was set."""
    state = SYSTEM_STATE[sleep.state]
    owner = sleep.caller if source.kind == WAKE_TIMER else ""
    windows.events.add(
        "Power-Troubleshooter", 1, SleepTime=sleep.entered, WakeTime=woken,
        SleepDuration=max(1, int((woken - sleep.entered).total_seconds() * 1000)), WakeDuration=wake_ms,
        DriverInitDuration=wake_ms // 2, BiosInitDuration=wake_ms // 3, TargetState=state, EffectiveState=state,
        WakeSourceType=source.kind, WakeSourceText=source.text, WakeTimerOwner=owner,
    )  # fmt: skip


def left_standby(windows: Windows, sleep: Sleep, source: WakeSource) -> None:
    """Modern Standby ends with one record; its clock never stopped, and the Power-Troubleshooter has no part in it."""
    slept_us = int((windows.now() - sleep.entered) / timedelta(microseconds=1))
    windows.events.add(
        POWER, 507, Reason=STANDBY_LEFT[source.kind], DurationInUs=slept_us, DripsResidencyInUs=slept_us * 9 // 10,
        HwDripsResidencyInUs=slept_us * 9 // 10, PowerStateAc=True, AoAcCompliantNic=True,
    )  # fmt: skip


def shutdown_asked(windows: Windows, process: str, reason: str, code: str, *, restart: bool, comment: str) -> None:
    user = f"{windows.computer_name}\\{windows.user}"
    kind = "restart" if restart else "power off"
    windows.events.add(
        "User32", 1074, param1=process, param2=windows.computer_name, param3=reason, param4=code, param5=kind,
        param6=comment, param7=user,
    )  # fmt: skip


def shutting_down(windows: Windows, *, restart: bool) -> None:
    windows.events.add("EventLog", 6006)
    windows.events.add(
        POWER, 109, ShutdownActionType=SHUTDOWN_RESET if restart else SHUTDOWN_OFF, ShutdownReason=REASON_KERNEL_API
    )
    if restart:
        windows.events.add(POWER, 577)
    windows.events.add("Kernel-General", 13, StopTime=windows.now())


def kernel_started(windows: Windows, *, clean: bool, boot_id: int) -> None:
    windows.events.add(
        "Kernel-General", 12, MajorVersion=10, MinorVersion=0, BuildVersion=windows.build, QfeVersion=windows.revision,
        StartTime=windows.last_boot,
    )  # fmt: skip
    windows.events.add("Kernel-Boot", 20, LastShutdownGood=clean, LastBootGood=True, LastBootId=boot_id)
    windows.events.add("Kernel-Boot", 27, BootType=0)


def dirty_boot(windows: Windows, dirty: Dirty, dump: Dump | None, last_seen: datetime) -> None:
    """The records by which a boot tells that no shutdown preceded it."""
    bugcheck = dirty.bugcheck
    if bugcheck:
        windows.events.add("volmgr", 162 if dump else 161)
    code, parameters = (bugcheck.code, bugcheck.parameters) if bugcheck else (0, (0, 0, 0, 0))
    windows.events.add(
        POWER, 41, BugcheckCode=code, BugcheckParameter1=parameters[0], BugcheckParameter2=parameters[1],
        BugcheckParameter3=parameters[2], BugcheckParameter4=parameters[3], SleepInProgress=4 if dirty.asleep else 0,
        LongPowerButtonPressDetected=dirty.long_press, SystemSleepTransitionsToOn=windows.sleep_count,
    )  # fmt: skip
    if bugcheck and dump:
        windows.events.add(
            "WER-SystemErrorReporting", 1001, param1=str(bugcheck), param2=dump.path, param3=dump.report_id
        )
    mark = "\u200e"
    windows.events.add(
        "EventLog", 6008, clock=f"{last_seen:%I:%M:%S %p}",
        date=f"{mark}{last_seen:%m}/{mark}{last_seen:%d}/{mark}{last_seen:%Y}",
    )  # fmt: skip


def log_service_started(windows: Windows, now: datetime) -> None:
    windows.events.add(
        "EventLog", 6009, time=now, version="10.00.", build=str(windows.build), type="Multiprocessor Free"
    )
    windows.events.add("EventLog", 6005, time=now)
    uptime = now - windows.last_boot
    windows.events.add("EventLog", 6013, time=now, n=str(int(uptime / timedelta(seconds=1))))
