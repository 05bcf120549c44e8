"""Which instruments stand on a virtual bench, and how each is wired to the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hil.testbed.model import Instrument
from hil.virtual.faults import Fault
from hil.virtual.instruments.amt_server import AmtServer
from hil.virtual.instruments.control import ControlPort
from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.hislip_server import HislipServer
from hil.virtual.instruments.machine_port import MachinePort
from hil.virtual.instruments.mains import Mains
from hil.virtual.instruments.meter import PowerMeter
from hil.virtual.instruments.outlets import USER, new_secret, outlet_unit
from hil.virtual.instruments.quarch_server import QuarchServer, Torridon
from hil.virtual.instruments.relay import HeldButton, RelayUnit, Wiring
from hil.virtual.instruments.server import InstrumentServer, Server, SocketServer
from hil.virtual.instruments.vxi11_server import Vxi11Server

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

Role = Literal["slot", "meter", "button", "cable", "out_of_band"]


class Instruments:
    """All instruments of one bench; ``start`` gives the testbed's ``instruments`` section, ready to dump.

    Each role has an instrument of its own, and dialects and transports are mixed as on real benches. ``servers`` are by
    role; ``control`` spoils them while they run.
    """

    def __init__(self, bench: VirtualBench) -> None:
        self._bench = bench
        self._mains = Mains(bench.machine, bench.config.feeds)
        self.servers: dict[str, Server] = {}
        self.control = ControlPort(self.servers)

    async def start(self) -> dict[str, Instrument]:
        described: dict[str, Instrument] = {}
        for role in self._bench.config.instruments:
            server, entries = self._built(role)
            if isinstance(server, InstrumentServer):
                server.habits.one_client = self._bench.config.one_client
            self.servers[role] = server
            await server.start()
            for number, entry in enumerate(entries, start=1):
                name = role if number == 1 else f"{role}_{number}"
                described[name] = entry.model_copy(update={"resource": server.resource})
        await self.control.start()
        return described

    def _built(self, role: str) -> tuple[Server, list[Instrument]]:
        bench, config = self._bench, self._bench.config
        if role == "outlet":
            feeds = [self._mains.feed(number) for number in range(config.feeds)]
            return outlet_unit(config, feeds, bench.faults, bench.state_dir)
        if role == "out_of_band":
            return _management_engine(bench.machine, bench.state_dir)
        if role == "slot" and config.slot_family == "quarch":
            return _quarch_slot(bench.machine, bench.faults)
        if role == "meter":
            meter, entry = _meter(self._mains, bench.faults, config.seed)
            return HislipServer(meter), [entry]
        device, entry = _BUILD[role](bench.machine, bench.faults)
        return _SPEAKS[role](device), [entry]

    async def close(self) -> None:
        await self.control.close()
        for server in self.servers.values():
            await server.close()
            if isinstance(server, InstrumentServer) and isinstance(server.device, PowerMeter):
                server.device.close()


Built = tuple[ScpiDevice, Instrument]


def _entry(
    role: Role, family: str, device: ScpiDevice | Torridon, channel: str, rest: Literal["on", "off"] | None
) -> Instrument:
    return Instrument(role=role, family=family, resource="", channel=channel, serial=device.serial, rest=rest)


def _management_engine(machine: MachinePort, state_dir: Path) -> tuple[Server, list[Instrument]]:
    password, secret = new_secret(state_dir, "out-of-band")
    server = AmtServer(machine, "PC0001", user=USER, password=password)
    entry = Instrument(
        role="out_of_band", family="intel-amt", resource="", serial="PC0001", user=USER, secret=secret, rest=None
    )
    return server, [entry]


def _quarch_slot(machine: MachinePort, faults: Fault) -> tuple[Server, list[Instrument]]:
    """A module that times its pins: staggered as by a hand, unless a call says otherwise."""
    module = Torridon("QTL1688-02-001", wiring=Wiring("slot", 1, machine.set_slot, on=True, move_s=0.0), faults=faults)
    return QuarchServer(module), [_entry("slot", "quarch", module, "1", "on")]


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


def _meter(mains: Mains, faults: Fault, seed: int) -> Built:
    meter = PowerMeter("meter", "C2SB00001E", watts=mains.watts, faults=faults, seed=seed)
    return meter, _entry("meter", "yokogawa-wt300", meter, "1", None)


_SPEAKS: dict[str, type[InstrumentServer[ScpiDevice]]] = {
    "slot": SocketServer, "button": Vxi11Server, "cable": SocketServer,
}  # fmt: skip
_BUILD: dict[str, Callable[[MachinePort, Fault], Built]] = {
    "slot": _slot, "cable": _cable, "button": _button,
}  # fmt: skip
