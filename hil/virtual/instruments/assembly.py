"""Which instruments stand on a virtual bench, and how each is wired to the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from hil.testbed.model import Instrument
from hil.virtual.faults import Fault
from hil.virtual.instruments.control import ControlPort
from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.hislip_server import HislipServer
from hil.virtual.instruments.machine_port import MachinePort
from hil.virtual.instruments.mains import Mains
from hil.virtual.instruments.meter import PowerMeter
from hil.virtual.instruments.outlets import outlet_unit
from hil.virtual.instruments.relay import HeldButton, RelayUnit, Wiring
from hil.virtual.instruments.server import InstrumentServer, Server, SocketServer
from hil.virtual.instruments.vxi11_server import Vxi11Server

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

Role = Literal["slot", "meter", "button", "cable"]


class Instruments:
    """All instruments of one bench; ``start`` gives the testbed's ``instruments`` section, ready to dump.

    Each role has an instrument of its own, and dialects and transports are mixed as on real benches. ``servers`` are by
    role; ``control`` spoils them while they run.
    """

    def __init__(self, bench: VirtualBench) -> None:
        self._bench = bench
        self.servers: dict[str, Server] = {}
        self.control = ControlPort(self.servers)

    async def start(self) -> dict[str, Instrument]:
        described: dict[str, Instrument] = {}
        bench, config = self._bench, self._bench.config
        mains = Mains(bench.machine, config.feeds)
        for role in config.instruments:
            if role == "outlet":
                feeds = [mains.feed(number) for number in range(config.feeds)]
                server, entries = outlet_unit(config, feeds, bench.faults, bench.state_dir)
            else:
                device, entry = _BUILD[role](bench.machine, mains, bench.faults)
                server, entries = _SPEAKS[role](device), [entry]
            if isinstance(server, InstrumentServer):
                server.habits.one_client = config.one_client
            self.servers[role] = server
            await server.start()
            for number, entry in enumerate(entries, start=1):
                name = role if number == 1 else f"{role}_{number}"
                described[name] = entry.model_copy(update={"resource": server.resource})
        await self.control.start()
        return described

    async def close(self) -> None:
        await self.control.close()
        for server in self.servers.values():
            await server.close()
            if isinstance(server, InstrumentServer) and isinstance(server.device, PowerMeter):
                server.device.close()


Built = tuple[ScpiDevice, Instrument]


def _entry(role: Role, family: str, device: ScpiDevice, channel: str, rest: Literal["on", "off"] | None) -> Instrument:
    return Instrument(role=role, family=family, resource="", channel=channel, serial=device.serial, rest=rest)


def _slot(machine: MachinePort, _mains: Mains, faults: Fault) -> Built:
    """A hot-plug breaker: semiconductor switches, all pins within a millisecond."""
    wiring = Wiring("slot", 1, machine.set_slot, on=True, move_s=0.001)
    unit = RelayUnit("HIL Lab", "Slot Breaker", "SB0001", wirings=(wiring,), numbers=range(1, 3), faults=faults)
    return unit, _entry("slot", "scpi-relay", unit, "1", "on")


def _cable(machine: MachinePort, _mains: Mains, faults: Fault) -> Built:
    wiring = Wiring("cable", 1, machine.set_cable, on=True, move_s=0.005)
    unit = RelayUnit("HIL Lab", "Link Breaker", "LB0001", wirings=(wiring,), numbers=range(1, 5), faults=faults)
    return unit, _entry("cable", "scpi-relay", unit, "1", "on")


def _button(machine: MachinePort, _mains: Mains, faults: Fault) -> Built:
    wiring = Wiring("button", 101, HeldButton(machine.press_button), on=False, move_s=0.005)
    unit = RelayUnit(
        "RIGOL TECHNOLOGIES", "M300", "MM3A0001", wirings=(wiring,), numbers=range(101, 165), faults=faults
    )
    return unit, _entry("button", "rigol-m300", unit, "101", "off")


def _meter(_machine: MachinePort, mains: Mains, faults: Fault) -> Built:
    meter = PowerMeter("meter", "C2SB00001E", watts=mains.watts, faults=faults)
    return meter, _entry("meter", "yokogawa-wt300", meter, "1", None)


_SPEAKS: dict[str, type[InstrumentServer[ScpiDevice]]] = {
    "slot": SocketServer, "meter": HislipServer, "button": Vxi11Server, "cable": SocketServer,
}  # fmt: skip
_BUILD: dict[str, Callable[[MachinePort, Mains, Fault], Built]] = {
    "slot": _slot, "cable": _cable, "button": _button, "meter": _meter,
}  # fmt: skip
