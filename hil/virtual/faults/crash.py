"""Crashes that leave less behind than they should, or something else than they should."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Crash, Fault

DRIVER_POWER_STATE_FAILURE = 0x9F
BUGCODE_NDIS_DRIVER_LIVE_DUMP = 0x15E
_PDO, _TRIAGE, _IRP, _MINIPORT = 0xFFFFA40812340060, 0xFFFFF80412A00B20, 0xFFFFA40812341000, 0xFFFFA408123401A0


class DumpNotWritten(Fault):
    """The page file is too small for a dump: a bugcheck leaves its code in the event log, and no file."""

    caught_by: ClassVar = ("crash",)

    def dump_name(self, name: str | None) -> str | None:
        return None


class SecondDumpOverwritesFirst(Fault):
    """The minidump folder is on a disk image that forgets its counter: each crash writes the same file name."""

    caught_by: ClassVar = ("crash",)

    def dump_name(self, name: str | None) -> str | None:
        return "Mini010101-01.dmp"


class HangsInsteadOfBugcheck(Fault):
    """The bugcheck handler waits for a disk that the crash took away: the PC stands still and writes nothing."""

    caught_by: ClassVar = ("crash",)

    def bugcheck_ends(self, end: str) -> str:
        return "hang"


class BlueScreenStays(Fault):
    """The dump is written, and the PC stays on its blue screen: firmware does not answer the reset."""

    caught_by: ClassVar = ("crash",)

    def bugcheck_ends(self, end: str) -> str:
        return "stay"


class ResetsWithoutTrace(Fault):
    """A fatal PCI Express error resets the PC before Windows can write a word: no dump and no code."""

    caught_by: ClassVar = ("crash",)

    def bugcheck_ends(self, end: str) -> str:
        return "reset"


class PowerIrpHeldAtSleep(Fault):
    """The driver keeps the power IRP when it is told to go to D3: bugcheck 0x9F instead of sleep."""

    caught_by: ClassVar = ("power",)

    def sleep_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        return DRIVER_POWER_STATE_FAILURE, (3, _PDO, _TRIAGE, _IRP)


class LiveDumpOnly(Fault):
    """MiniportRestart fails, NDIS writes a live dump (0x15E) and the adapter works: only the file tells of it."""

    caught_by: ClassVar = ("link",)

    def live_dump(self, crash: Crash | None, *, occasion: str) -> Crash | None:
        return (BUGCODE_NDIS_DRIVER_LIVE_DUMP, (0x01, _MINIPORT, 0, 73)) if occasion == "restart" else crash


class LiveDumpOfAStuckOid(Fault):
    """An OID request sticks while the device halts: NDIS's watchdog writes a live dump, and then all goes on."""

    caught_by: ClassVar = ("link",)

    def live_dump(self, crash: Crash | None, *, occasion: str) -> Crash | None:
        return (BUGCODE_NDIS_DRIVER_LIVE_DUMP, (0x25, 0x23, _MINIPORT, 0)) if occasion == "halt" else crash
