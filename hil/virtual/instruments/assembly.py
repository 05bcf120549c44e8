"""Which instruments stand on a virtual bench, and how each is wired to the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from hil.testbed.model import Instrument
from hil.virtual.faults import Fault
from hil.virtual.instruments.control import ControlPort
from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.hislip_server import HislipServer
from hil.virtual.instruments.meter import PowerMeter
from hil.virtual.instruments.relay import HeldButton, RelayUnit, Wiring
from hil.virtual.instruments.server import InstrumentServer, SocketServer
from hil.virtual.instruments.vxi11_server import Vxi11Server

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

RoleName = Literal["outlet", "slot", "meter", "button", "cable"]


class MachinePort(Protocol):
    """The ends of the wires: what instruments do to the machine and see of it. Called on the loop's thread."""

    def set_mains(self, on: bool) -> None: ...

    def press_button(self, seconds: float) -> None:
        """True seconds, not scaled; called at release, or after 4 s while still held."""

    def set_slot(self, present: bool) -> None: ...

    def set_cable(self, connected: bool) -> None: ...

    def watts(self) -> float: ...


class Instruments:
    """All instruments of one bench; ``start`` gives the testbed's ``instruments`` section, ready to dump.

    Each role has an instrument of its own, and dialects and transports are mixed as on real benches. ``servers`` are by
    role; ``control`` spoils them while they run.
    """

    def __init__(self, bench: VirtualBench) -> None:
        self._bench = bench
        self.servers: dict[str, InstrumentServer[ScpiDevice]] = {}
        self.control = ControlPort(self.servers)

    async def start(self) -> dict[str, Instrument]:
        described: dict[str, Instrument] = {}
        for role in self._bench.config.instruments:
            device, entry = _BUILD[role](self._bench.machine, self._bench.faults)
            self.servers[role] = server = _SPEAKS[role](device)
            await server.start()
            described[role] = entry.model_copy(update={"resource": server.resource})
        await self.control.start()
        return described

    async def close(self) -> None:
        await self.control.close()
        for server in self.servers.values():
            await server.close()
            if isinstance(server.device, PowerMeter):
                server.device.close()


Built = tuple[ScpiDevice, Instrument]


def _entry(
    role: RoleName, family: str, device: ScpiDevice, channel: str, rest: Literal["on", "off"] | None
) -> Instrument:
    return Instrument(role=role, family=family, resource="", channel=channel, serial=device.serial, rest=rest)


def _outlet(machine: MachinePort, faults: Fault) -> Built:
    """A relay unit that drives a mains contactor."""
    wiring = Wiring("outlet", 1001, machine.set_mains, on=True, move_s=0.015)
    unit = RelayUnit(
        "Keysight Technologies", "34980A", "MY53150001", wirings=(wiring,), numbers=range(1001, 1009), faults=faults
    )
    return unit, _entry("outlet", "keysight-34980a", unit, "1001", "on")


def _slot(machine: MachinePort, faults: Fault) -> Built:
    """A hot-plug breaker: semiconductor switches, all pins within a millisecond."""
    wiring = Wiring("slot", 1, machine.set_slot, on=True, move_s=0.001)
    unit = RelayUnit("HIL Lab", "Slot Breaker", "SB0001", wirings=(wiring,), numbers=range(1, 3), faults=faults)
    return unit, _entry("slot", "scpi-relay", unit, "1", "on")


def _cable(machine: MachinePort, faults: Fault) -> Built:
    wiring = Wiring("cable", 1, machine.set_cable, on=True, move_s=0.005)
    unit = RelayUnit("HIL Lab", "Link Breaker", "LB0001", wirings=(wiring,), numbers=range(1, 5), faults=faults)
    return unit, _entry("cable", "scpi-relay", unit, "1", "on")


def _button(machine: MachinePort, faults: Fault) -> Built:
    wiring = Wiring("button", 101, HeldButton(machine.press_button), on=False, move_s=0.005)
    unit = RelayUnit(
        "RIGOL TECHNOLOGIES", "M300", "MM3A0001", wirings=(wiring,), numbers=range(101, 165), faults=faults
    )
    return unit, _entry("button", "rigol-m300", unit, "101", "off")


def _meter(machine: MachinePort, faults: Fault) -> Built:
    meter = PowerMeter("meter", "C2SB00001E", watts=machine.watts, faults=faults)
    return meter, _entry("meter", "yokogawa-wt300", meter, "1", None)


_SPEAKS: dict[str, type[InstrumentServer[ScpiDevice]]] = {
    "outlet": Vxi11Server, "slot": SocketServer, "meter": HislipServer, "button": Vxi11Server, "cable": SocketServer,
}  # fmt: skip
_BUILD: dict[str, Callable[[MachinePort, Fault], Built]] = {
    "outlet": _outlet, "slot": _slot, "cable": _cable, "button": _button, "meter": _meter,
}  # fmt: skip
