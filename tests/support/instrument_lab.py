"""The virtual instruments alone, on an event loop of their own, wired to a machine that only remembers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, TypeVar

from hil.testbed.model import Instrument, Virtual
from hil.virtual.faults import Fault
from hil.virtual.faults.chain import FaultChain
from hil.virtual.instruments import Instruments
from hil.virtual.instruments.server import InstrumentServer
from hil.virtual.power_state import Power

T = TypeVar("T")


class Ends:
    """The ends of the wires: what the instruments did to the machine, and what the meter sees."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []
        self.mains_w = 60.0
        self.mains = True
        self.power = Power.ON

    def set_mains(self, on: bool) -> None:
        self.mains = on
        self.done.append(("mains", on))

    def press_button(self, seconds: float) -> None:
        self.done.append(("button", seconds))

    def set_slot(self, present: bool) -> None:
        self.done.append(("slot", present))

    def set_cable(self, connected: bool) -> None:
        self.done.append(("cable", connected))

    def power_up(self) -> None:
        self.power = Power.ON
        self.done.append(("power", True))

    def force_off(self) -> None:
        self.power = Power.OFF
        self.done.append(("power", False))

    def watts(self) -> float:
        return self.mains_w if self.mains else 0.0


class InstrumentLab:
    """``specs`` are testbed entries by role; ``instruments`` is the model, to be touched through ``call`` only.

    ``config`` are keys of a testbed's ``virtual`` section.
    """

    def __init__(self, faults: Sequence[Fault] = (), **config: Any) -> None:
        self.ends = Ends()
        self._more: list[InstrumentServer[Any]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._folder = TemporaryDirectory()
        bench: Any = SimpleNamespace(
            config=Virtual(**config), machine=self.ends, faults=FaultChain(faults), state_dir=Path(self._folder.name)
        )
        self.instruments = Instruments(bench)
        self.specs: dict[str, Instrument] = self.run(self.instruments.start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def call(self, work: Callable[[], T]) -> T:
        """Do ``work`` on the loop's thread."""

        async def on_loop() -> T:
            return work()

        return self.run(on_loop())

    def serve(self, server: InstrumentServer[Any]) -> str:
        """Start one more server beside those of the bench; its VISA resource name."""
        self.run(server.start())
        self._more.append(server)
        return server.resource

    def close(self) -> None:
        for server in self._more:
            self.run(server.close())
        self.run(self.instruments.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()
