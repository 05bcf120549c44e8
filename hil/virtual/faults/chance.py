"""Defects that show once in a while: one run mostly passes, and only many say how bad it is.

Their chance comes from the seed of the bench: the same seed strikes at the same occasions, another at others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Crash, Fault
from hil.virtual.faults.driver import DRIVER_IRQL_NOT_LESS_OR_EQUAL

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

_FREED_RING = (0xFFFF_9A81_0000_0020, 2, 1, 0xFFFF_F804_1234_6B44)


class ByChance(Fault):
    """Strikes at one occasion in ``one_in``, on average."""

    one_in: ClassVar = 20
    repeated: ClassVar[str] = ""
    """The test, below the suites, that ``hil faults --matrix`` repeats until it catches the defect."""

    def attach(self, bench: VirtualBench) -> None:
        self._chance = bench.chance(type(self).__name__)

    def strikes(self) -> bool:
        return self._chance.randrange(self.one_in) == 0


class RarelyCrashesWhenRemoved(ByChance):
    """The removal frees the receive ring while its last interrupt may still run: bugcheck 0xD1 in 1 removal of 20."""

    caught_by: ClassVar = ("pnp",)
    repeated: ClassVar = "test_pnp.py::test_idle_removal"

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        return (DRIVER_IRQL_NOT_LESS_OR_EQUAL, _FREED_RING) if self.strikes() else crash


class RarelyDoesNotStart(ByChance):
    """Firmware is asked before it finished its reset: in 1 restart of 20 the device does not start, code 10."""

    caught_by: ClassVar = ("link",)
    repeated: ClassVar = "test_link.py::test_mac_survives_restart"

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and not (reason == "restart" and self.strikes())


class RarelyMissesWake(ByChance):
    """Wake is armed before the PHY has settled at its low speed: after 1 sleep of 20 no frame wakes the machine."""

    caught_by: ClassVar = ("power",)
    repeated: ClassVar = "test_power.py::test_wakes_every_time"

    def wake_armed(self, armed: bool, *, sleep_count: int, state: str) -> bool:
        return armed and not self.strikes()
