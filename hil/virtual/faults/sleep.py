"""Defects of a machine's way into sleep and out of it that its NIC is to blame for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Crash, Fault
from hil.virtual.power_state import SLEEPING, Power

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

DRIVER_POWER_STATE_FAILURE = 0x9F
_IRP_BLOCKED = 3
_OBJECTS = (0xFFFF_C201_5E2A_1060, 0xFFFF_8000_1234_5870, 0xFFFF_C201_61B4_3010)
"""Physical device object, triage block and IRP: addresses as such a stop has them."""


class DrawsPowerAsleep(Fault):
    """The NIC stays in D0 while the machine sleeps, with its PHY at full speed: a battery is empty after a weekend."""

    caught_by: ClassVar = ("power",)

    def asleep_w(self, watts: float, *, state: str) -> float:
        return watts + 4.5 if state == "S3" else watts


class DrawsPowerWhenOff(Fault):
    """After a shutdown the NIC keeps the gigabit link up instead of the slowest one."""

    caught_by: ClassVar = ("power",)

    def asleep_w(self, watts: float, *, state: str) -> float:
        return watts + 1.5 if state == "S5" else watts


class SlowResume(Fault):
    """The resume waits for a PHY reset that times out: the machine is back after several times the time it may take."""

    caught_by: ClassVar = ("power",)

    def resume_s(self, seconds: float) -> float:
        return seconds + 200.0


class WakesByItself(Fault):
    """A wake frame of the last session is still pending when PME is armed: soon after each sleep the machine wakes."""

    caught_by: ClassVar = ("power",)
    after_s: ClassVar = 75.0

    def attach(self, bench: VirtualBench) -> None:
        def slept(_: Power, now: Power) -> None:
            if now in SLEEPING.values():
                bench.loop.call_later(bench.scale(self.after_s), bench.machine.wake_by_adapter)

        bench.machine.subscribe(slept)


class DeadWhenEnabledAfterSleep(Fault):
    """What the resume allocated is not freed by a halt: disabled and enabled after a sleep, the device has code 10."""

    caught_by: ClassVar = ("power",)

    def __init__(self) -> None:
        self._slept = False

    def starts(self, started: bool, *, reason: str) -> bool:
        self._slept = (self._slept or reason == "resume") and reason != "boot"
        return started and not (self._slept and reason == "enable")


class CrashOnSleepUnderLoad(Fault):
    """The set-power request waits for sends that are never completed: bugcheck 0x9F when sleep meets traffic."""

    caught_by: ClassVar = ("cross",)

    def sleep_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        return (DRIVER_POWER_STATE_FAILURE, (_IRP_BLOCKED, *_OBJECTS)) if under_load else crash


class DrawsPowerInStandby(Fault):
    """In Modern Standby the NIC's latency tolerance keeps the processor out of its deepest idle state: a warm bag."""

    caught_by: ClassVar = ("power",)
    testbed: ClassVar = "virtual-s0ix"

    def asleep_w(self, watts: float, *, state: str) -> float:
        return watts + 4.5 if state == "S0ix" else watts


class WakesUnaskedFromStandby(Fault):
    """The driver reads *WakeOnMagicPacket alone: Modern Standby ends by a magic packet with its own keyword off."""

    caught_by: ClassVar = ("wake",)
    testbed: ClassVar = "virtual-s0ix"

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken or (self._bench.machine.power is Power.STANDBY and b"\xff" * 6 in frame[6:])
