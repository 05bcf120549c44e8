"""Which instruments stand on a virtual bench, and how each is wired to the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hil.testbed.model import Instrument

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class MachinePort(Protocol):
    """The ends of the wires: what instruments do to the machine and see of it. Called on the loop's thread."""

    def set_mains(self, on: bool) -> None: ...

    def press_button(self, seconds: float) -> None:
        """True seconds, not scaled; called at release, or after 4 s while still held."""

    def set_slot(self, present: bool) -> None: ...

    def set_cable(self, connected: bool) -> None: ...

    def watts(self) -> float: ...


class Instruments:
    """All instruments of one bench; ``start`` gives the testbed's ``instruments`` section, ready to dump."""

    def __init__(self, bench: VirtualBench) -> None:
        self._bench = bench

    async def start(self) -> dict[str, Instrument]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
