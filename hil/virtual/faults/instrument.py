"""Defects of the instruments: what they say is not what they do."""

from __future__ import annotations

from typing import ClassVar

from hil.virtual.faults import Fault


class SlotRelayLies(Fault):
    """The slot breaker reads back "open" and its contact is welded: the NIC never left. The bench is at fault."""

    caught_by: ClassVar = ("pnp",)

    def relay_on(self, on: bool, *, instrument: str) -> bool:
        return True if instrument == "slot" else on


class CableRelayLies(Fault):
    """The link breaker reads back "open" and its contact is welded: the link never went down. The bench is at fault."""

    caught_by: ClassVar = ("link",)

    def relay_on(self, on: bool, *, instrument: str) -> bool:
        return True if instrument == "cable" else on


class OutletRelayLies(Fault):
    """The outlet says off and the contactor is stuck: the machine was never without power."""

    caught_by: ClassVar = ("cross",)

    def relay_on(self, on: bool, *, instrument: str) -> bool:
        return True if instrument == "outlet" else on


class OutletStaysOff(Fault):
    """The outlet says on again and the contactor does not close: the bench is dark in the morning."""

    caught_by: ClassVar = ("cross",)

    def relay_on(self, on: bool, *, instrument: str) -> bool:
        return False if instrument == "outlet" else on


class MeterStuckAtZero(Fault):
    """The meter's current clamp has slipped off: it reads nothing, and every sleep would be believed."""

    caught_by: ClassVar = ("power",)

    def reading_w(self, watts: float, *, instrument: str) -> float:
        return 0.0


class MeterFreezes(Fault):
    """The meter goes on sending its first reading: sleep would never be seen, or always."""

    caught_by: ClassVar = ("power",)

    def __init__(self) -> None:
        self._first_w: float | None = None

    def reading_w(self, watts: float, *, instrument: str) -> float:
        if watts > 0 and self._first_w is None:
            self._first_w = watts
        return watts if self._first_w is None else self._first_w
