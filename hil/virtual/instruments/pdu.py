"""A rack of switched outlets, whatever it is spoken to by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from hil.virtual.faults import Fault
from hil.virtual.instruments.relay import Effect, Relay, Wiring


@dataclass
class Pdu:
    """``effects`` tells what hangs on which outlet; all are on at first.

    A relay moves ``delay_s`` (which such units can be set to) and ``move_s`` after a command; its position reads as the
    unit takes it to be, which has no eye on the contact. A command to switch later waits inside the unit for
    ``later_s``, or until it is cancelled.
    """

    effects: Mapping[int, Effect] = field(default_factory=dict)
    faults: Fault = field(default_factory=Fault)
    move_s: float = 0.3
    delay_s: float = 0.0
    later_s: float = 5.0
    outlets: int = 8
    serial: str = ""
    ignores_sets: bool = False
    """Answers as if it obeyed, and leaves the relay."""
    unknown: bool = False
    """Reads a state that is neither on nor off."""

    def __post_init__(self) -> None:
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self.relays: dict[int, Relay] = {}
        for number in range(1, self.outlets + 1):
            name = "outlet" if number in self.effects else ""
            wiring = Wiring(name, number, self.effects.get(number, _nothing), on=True, move_s=self.move_s)
            self.relays[number] = Relay(wiring, self.faults, self)

    def is_on(self, outlet: int) -> bool:
        """As the unit tells it."""
        return self.relays[outlet].seems

    def restart(self) -> None:
        """Its controller starts anew: the relays stay, what waited in it is forgotten."""
        for outlet in tuple(self._waiting):
            self.cancel(outlet)

    def switch(self, outlet: int, on: bool) -> None:
        if not self.ignores_sets:
            self.relays[outlet].set(on, self.delay_s + self.move_s)

    def switch_later(self, outlet: int, on: bool) -> None:
        self.cancel(outlet)
        self._waiting[outlet] = asyncio.get_running_loop().call_later(self.later_s, self.switch, outlet, on)

    def cancel(self, outlet: int) -> None:
        """Forget a command that waits."""
        waiting = self._waiting.pop(outlet, None)
        if waiting is not None:
            waiting.cancel()

    def start_operation(self) -> None:
        """Sets are acknowledged before the relay has moved."""

    def end_operation(self) -> None: ...


def _nothing(_on: bool) -> None:
    """An outlet with nothing plugged in."""
