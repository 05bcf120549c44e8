"""Rules that only Driver Verifier sees broken, and a Driver Verifier that is not what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from hil.virtual.faults import Crash, Fault
from hil.virtual.windows.verifier import Settings

DRIVER_VERIFIER_DETECTED_VIOLATION = 0xC4
DRIVER_VERIFIER_DMA_VIOLATION = 0xE6
SYSTEM_THREAD_EXCEPTION_NOT_HANDLED = 0x7E
STATUS_ACCESS_VIOLATION = 0xC0000005
_POOL_TRACKING, _DMA, _NDIS = 0x8, 0x80, 0x200000
_CODE, _OBJECT = 0xFFFFF80412345678, 0xFFFFA40812340000


class VerifierSilentlyOff(Fault):
    """A policy of the PC takes Driver Verifier's settings and clears them on the way down: the boot runs without."""

    caught_by: ClassVar = ("verifier",)

    def verifier_boots(self, settings: Settings) -> Settings:
        return Settings()


class VerifierForgetsDriver(Fault):
    """The flags are active and the driver is not on the list: somebody typed its name without .sys."""

    caught_by: ClassVar = ("verifier",)

    def verifier_boots(self, settings: Settings) -> Settings:
        return replace(settings, drivers=tuple(name for name in settings.drivers if name == "ndis.sys"))


class VerifierDropsNdisRules(Fault):
    """This build of Windows ignores the flag of the NDIS rules: the run checks less than it says."""

    caught_by: ClassVar = ("verifier",)

    def verifier_boots(self, settings: Settings) -> Settings:
        return replace(settings, flags=settings.flags & ~_NDIS)


class VerifierStays(Fault):
    """verifier /reset says that it is done, and the next boot is verified again."""

    caught_by: ClassVar = ("verifier",)

    def verifier_resets(self, reset: bool) -> bool:
        return False


class NothingIsInjected(Fault):
    """Low resources simulation is active and fails no allocation: the driver allocates with a function it misses."""

    caught_by: ClassVar = ("verifier",)

    def failed_allocations(self, count: int) -> int:
        return 0


class CrashOnFailedAllocation(Fault):
    """The driver uses what its allocation returned without a look at it: a null pointer when memory is short."""

    caught_by: ClassVar = ("verifier",)

    def out_of_memory(self, crash: Crash | None) -> Crash | None:
        return SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, (STATUS_ACCESS_VIOLATION, _CODE, _OBJECT, _OBJECT + 0x200)


class PoolLeakedAtUnload(Fault):
    """The driver unloads without freeing a lookaside list: with pool tracking bugcheck 0xC4, rule 0x62."""

    caught_by: ClassVar = ("verifier",)

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        leaks = occasion == "halt" and flags & _POOL_TRACKING
        return (DRIVER_VERIFIER_DETECTED_VIOLATION, (0x62, _OBJECT, _OBJECT + 0x400, 3)) if leaks else crash


class OidCompletedTwice(Fault):
    """A cancelled OID request is completed by the cancel handler and by the interrupt: NDIS rule 0x91002."""

    caught_by: ClassVar = ("verifier",)

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        twice = occasion in {"restart", "enable"} and flags & _NDIS
        return (DRIVER_VERIFIER_DETECTED_VIOLATION, (0x91002, _CODE, _OBJECT, 0)) if twice else crash


class OidNeverCompleted(Fault):
    """An OID request that arrives while the device halts is forgotten: NDIS rule 0x92003, after its twelve seconds."""

    caught_by: ClassVar = ("verifier",)

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        late = occasion == "halt" and flags & _NDIS
        return (DRIVER_VERIFIER_DETECTED_VIOLATION, (0x92003, _CODE, _OBJECT, 0)) if late else crash


class CommonBufferKeptAtHalt(Fault):
    """The driver releases its DMA adapter with common buffers still allocated: 0xE6, rule 0x07, under DMA checks."""

    caught_by: ClassVar = ("verifier",)

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        kept = occasion == "halt" and flags & _DMA
        return (DRIVER_VERIFIER_DMA_VIOLATION, (0x07, _OBJECT, 2, _OBJECT + 0x800)) if kept else crash


class BreaksRuleAtBoot(Fault):
    """DriverEntry raises the IRQL to a lower one: under Driver Verifier the PC crashes at each boot (0xC4, 0x30)."""

    caught_by: ClassVar = ("verifier",)

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        return (DRIVER_VERIFIER_DETECTED_VIOLATION, (0x30, 2, 0, _CODE)) if occasion == "boot" and flags else crash
