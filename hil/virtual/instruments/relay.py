"""Relays, and the switch units that hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hil.virtual.faults import Fault
from hil.virtual.instruments.device import Call, Handler, ScpiDevice
from hil.virtual.instruments.grammar import ScpiError, channels

Effect = Callable[[bool], None]


@dataclass(frozen=True)
class Wiring:
    """What hangs on one channel: its ``effect`` is told each true position; ``name`` is what faults call it."""

    name: str
    channel: int
    effect: Effect
    on: bool
    move_s: float


def _nothing(_on: bool) -> None:
    """A channel with no wire on it."""


class Coil(Protocol):
    """Who drives a relay, and may have to tell when it has moved."""

    def start_operation(self) -> None: ...

    def end_operation(self) -> None: ...


class Relay:
    """A coil that is told, and a contact that follows after ``move_s`` where a fault lets it."""

    def __init__(self, wiring: Wiring, faults: Fault, unit: Coil) -> None:
        self._wiring, self._faults, self._unit = wiring, faults, unit
        self.told = self.contact = wiring.on
        self.seems = wiring.on
        """Where a unit that cannot see the contact takes it to be: follows ``told`` when the relay has moved."""
        self.cycles = 0
        self.welded = False

    def set(self, on: bool, move_s: float | None = None) -> None:
        """``move_s`` for contacts whose time can be set; else the wiring's."""
        if on is self.told:
            return
        self.told = on
        self.cycles += 1
        self._unit.start_operation()
        asyncio.get_running_loop().call_later(
            self._wiring.move_s if move_s is None else move_s, self._moved, on
        )

    def touch(self, on: bool) -> None:
        """The contact moves now, whatever the coil was told."""
        reached = self.contact if self.welded else self._faults.relay_on(on, instrument=self._wiring.name)
        if reached is not self.contact:
            self.contact = reached
            self._wiring.effect(reached)

    def _moved(self, on: bool) -> None:
        self.seems = on
        self.touch(on)
        self._unit.end_operation()


class RelayUnit(ScpiDevice):
    """A switch unit addressed by channel lists, in the manner of Keysight 34980A and Rigol M300.

    ``ROUTe:CLOSe?`` tells what was commanded, as on the real ones: it cannot see the contact.
    """

    def __init__(
        self, vendor: str, model: str, serial: str, *, wirings: tuple[Wiring, ...], numbers: range, faults: Fault
    ) -> None:
        idle = [Wiring("", number, _nothing, on=False, move_s=0.005) for number in numbers]
        self.relays = {wiring.channel: Relay(wiring, faults, self) for wiring in (*idle, *wirings)}
        self.ignores_sets = False
        """Answers as if it obeyed, and does nothing."""
        super().__init__(vendor, model, serial)

    def commands(self) -> Mapping[str, Handler]:
        return {
            "[ROUTe:]CLOSe": lambda call: self._set(call, True),
            "[ROUTe:]OPEN": lambda call: self._set(call, False),
            "[ROUTe:]CLOSe?": lambda call: self._ask(call, lambda relay: int(relay.told)),
            "[ROUTe:]OPEN?": lambda call: self._ask(call, lambda relay: int(not relay.told)),
            "DIAGnostic:RELay:CYCLes?": lambda call: self._ask(call, lambda relay: relay.cycles),
        }

    def reset(self) -> None:
        for relay in self.relays.values():
            relay.set(False)

    def _set(self, call: Call, on: bool) -> None:
        for relay in self._addressed(call):
            if not self.ignores_sets:
                relay.set(on)

    def _ask(self, call: Call, question: Callable[[Relay], int]) -> str:
        return ",".join(str(question(relay)) for relay in self._addressed(call))

    def _addressed(self, call: Call) -> list[Relay]:
        listed = channels(call.only())
        if any(channel not in self.relays for channel in listed):
            raise ScpiError(-222)
        return [self.relays[channel] for channel in listed]


class HeldButton:
    """Turns the contact of a relay into presses: told at release, or after 4 s, when firmware cuts the power."""

    OVERRIDE_S = 4.0

    def __init__(self, press: Callable[[float], None]) -> None:
        self._press = press
        self._since_s: float | None = None
        self._override: asyncio.TimerHandle | None = None

    def __call__(self, closed: bool) -> None:
        loop = asyncio.get_running_loop()
        if closed:
            self._since_s = loop.time()
            self._override = loop.call_later(self.OVERRIDE_S, self._end)
        else:
            self._end()

    def _end(self) -> None:
        if self._since_s is None:
            return
        held_s, self._since_s = asyncio.get_running_loop().time() - self._since_s, None
        if self._override is not None:
            self._override.cancel()
        self._press(held_s)
