"""The machine's power supplies, between the outlets that feed them and its mains."""

from __future__ import annotations

import asyncio

from hil.virtual.instruments.machine_port import MachinePort
from hil.virtual.instruments.relay import Effect

HOLD_UP_S = 0.02
"""In true seconds: what the capacitors give after the last feed is gone. 16 ms at full load and more below it are what
the ATX12V design guide asks of a supply."""


class Mains:
    """Several feeds of one machine: it runs on any of them, and for a moment on none."""

    def __init__(self, machine: MachinePort, feeds: int) -> None:
        self._machine = machine
        self._fed = set(range(feeds))
        self._powered = True
        self._ending: asyncio.TimerHandle | None = None

    def feed(self, number: int) -> Effect:
        """What the contact of this feed's outlet does."""

        def effect(on: bool) -> None:
            (self._fed.add if on else self._fed.discard)(number)
            self._changed()

        return effect

    def watts(self) -> float:
        """Drawn from the outlets: nothing without a feed, whatever the capacitors still give."""
        return self._machine.watts() if self._fed else 0.0

    def _changed(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._fed:
            self._power(True)
        else:
            self._ending = asyncio.get_running_loop().call_later(HOLD_UP_S, self._power, False)

    def _power(self, on: bool) -> None:
        if on is not self._powered:
            self._powered = on
            self._machine.set_mains(on)
