"""Defects of the miniport driver and of the NIC's hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hil.virtual.faults import Crash, Fault

DRIVER_IRQL_NOT_LESS_OR_EQUAL = 0xD1
DRIVER_POWER_STATE_FAILURE = 0x9F


class CrashOnRemovalUnderLoad(Fault):
    """The transmit path reads a register after the device is gone and dereferences all ones: bugcheck 0xD1."""

    caught_by: ClassVar = ("pnp",)

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        # parameters: memory, IRQL (DISPATCH), access (read), address; Microsoft bug-check-0xd1
        return (DRIVER_IRQL_NOT_LESS_OR_EQUAL, (0xFFFFFFFF, 2, 0, 0xFFFFF80412345678)) if under_load else crash


class CrashOnFourthRemoval(Fault):
    """A reference leaked by each removal frees the adapter context too early, on the fourth: bugcheck 0xD1."""

    caught_by: ClassVar = ("pnp",)

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        return (DRIVER_IRQL_NOT_LESS_OR_EQUAL, (0x10, 2, 1, 0xFFFFF80412345999)) if count >= 4 else crash


class HangInHalt(Fault):
    """MiniportHaltEx waits for a receive buffer that never comes back: the devnode stays for minutes."""

    caught_by: ClassVar = ("pnp",)

    def halt_s(self, seconds: float) -> float:
        return seconds + 3600.0


class StaysDeadAfterPlug(Fault):
    """The device is enumerated again after a removal, but fails to start (code 10): a reset bit is not cleared."""

    caught_by: ClassVar = ("pnp",)

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and reason != "arrival"


class DeadAfterD3(Fault):
    """The device does not come back from D3: its bus master bit stays off after resume."""

    caught_by: ClassVar = ("power",)

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and reason != "resume"


class WakeLostAfterFirstSleep(Fault):
    """Wake is armed at initialisation only: the second sleep cannot be ended by a magic packet."""

    caught_by: ClassVar = ("power",)

    def wake_armed(self, armed: bool, *, sleep_count: int, state: str) -> bool:
        return armed and sleep_count < 2


class WakesOnAnyFrame(Fault):
    """The wake filter is left open: a broadcast that is no magic packet wakes the machine."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return True


class SettingsLostAfterResume(Fault):
    """Advanced properties fall back to their defaults when the device returns from sleep."""

    caught_by: ClassVar = ("power",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*JumboPacket": "1514", "*ReceiveBuffers": "128"} if reason == "resume" else settings


class SettingsLostAfterPlug(Fault):
    """A surprise removal resets the receive buffers to their default."""

    caught_by: ClassVar = ("pnp",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*ReceiveBuffers": "128"} if reason == "arrival" else settings


class HalfRateAfterResume(Fault):
    """After resume the link trains with half its lanes: the adapter reports full speed and moves half of it."""

    caught_by: ClassVar = ("power",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps / 2 if reason == "resume" else mbps


class HalfRateAfterPlug(Fault):
    """After a removal interrupt moderation stays at its slowest: half the rate."""

    caught_by: ClassVar = ("pnp",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps / 2 if reason == "arrival" else mbps


class SlowFromTheStart(Fault):
    """A transmit ring that is too short caps throughput at 80 % of the link."""

    caught_by: ClassVar = ("throughput",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps * 0.8


class WrongMacAfterRestart(Fault):
    """After a restart the permanent MAC is read from the wrong offset of the EEPROM."""

    caught_by: ClassVar = ("link",)

    def mac(self, mac: str, *, reason: str) -> str:
        return "02-1D-0F-DE-AD-01" if reason in {"restart", "enable"} else mac


class DeadAfterRestart(Fault):
    """A restart of the device ends with problem code 10: DriverEntry's resources were not freed."""

    caught_by: ClassVar = ("link",)

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and reason not in {"restart", "enable"}


class LeakPerRemoval(Fault):
    """Each removal leaves a megabyte of non-paged pool behind."""

    caught_by: ClassVar = ("pnp",)

    def leak_bytes(self, count: int) -> int:
        return count + 1024 * 1024
