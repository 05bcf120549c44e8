"""Finding the NIC under test, and making sure that it is not the one that carries us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.errors import BenchError, DeviceMissing, UsageError
from hil.remote import Command
from hil.testbed import model
from hil.windows.adapter_info import AdapterInfo, info_of, mac_text
from hil.windows.device import DeviceState, present_devices

if TYPE_CHECKING:
    from hil.windows.machine import Machine


def find_device(machine: Machine, wanted: model.Adapter) -> tuple[DeviceState, AdapterInfo | None]:
    """The device, and its adapter when a driver gave it one.

    Raises DeviceMissing for none; UsageError for two that match (both listed), and for the one that carries SSH.
    """
    adapters = {info.instance_id.lower(): info for info in map(info_of, machine.shell.run(Command("Get-NetAdapter")))}
    matching = [device for device in present_devices(machine.shell) if _has_hardware_id(device, wanted.hardware_id)]
    if wanted.mac and len(matching) > 1:
        matching = [device for device in matching if _has_mac(adapters.get(device.instance_id.lower()), wanted.mac)]
    if not matching:
        raise DeviceMissing(
            f"a network adapter with hardware id {wanted.hardware_id}" + (f" and MAC {wanted.mac}" * bool(wanted.mac)),
            seen=f"these adapters: {_listing(list(adapters.values()))}",
            where=machine.where,
            next_step="plug it in, switch its slot on, or correct adapter.hardware_id in the testbed",
        )
    if len(matching) > 1:
        found = [f"{device} {_mac(adapters.get(device.instance_id.lower()))}" for device in matching]
        raise UsageError(
            f"one adapter with hardware id {wanted.hardware_id}",
            seen=f"{len(found)}: {'; '.join(found)}",
            where=machine.where,
            next_step="name the MAC of the one under test as adapter.mac in the testbed, "
            "or its instance id (without a driver it has no MAC) as adapter.hardware_id",
        )
    adapter = adapters.get(matching[0].instance_id.lower())
    if adapter and adapter.interface_index == management(machine).index:
        raise UsageError(
            "an adapter under test that does not carry this SSH session: the first test would cut it",
            seen=f"{adapter.name} ({adapter.description}) carries it",
            where=machine.where,
            next_step="reach the machine through another network adapter, or correct adapter.hardware_id",
        )
    return matching[0], adapter


@dataclass(frozen=True)
class Management:
    """The interface that carries SSH."""

    index: int
    local: str
    """Windows' own address on it."""
    prefix: int
    remote: str
    """This controller, as Windows sees it."""


def management(machine: Machine) -> Management:
    """Which interface carries SSH to this machine.

    Raises BenchError when Windows shows no such connection: without it nobody can tell which adapter must not be cut.
    """
    connections, addresses = machine.shell.batch(
        [Command("Get-NetTCPConnection", State="Established"), Command("Get-NetIPAddress")]
    )
    port = machine.settings.ssh.port
    carrying = {str(row["LocalAddress"]): str(row["RemoteAddress"]) for row in connections if row["LocalPort"] == port}
    for row in addresses:
        if (local := str(row["IPAddress"])) in carrying:
            return Management(int(row["InterfaceIndex"]), local, int(row["PrefixLength"]), carrying[local])
    raise BenchError(
        "to know which adapter carries this SSH session",
        seen=f"no established connection of Windows has the local port {port}, or its address is on no interface",
        where=machine.where,
        next_step="reach the machine without port forwarding",
    )


def _has_hardware_id(device: DeviceState, wanted: str) -> bool:
    """By any of its ids, short ones like ``PCI\\VEN_8086&DEV_15F3`` included, or by its whole instance id."""
    wanted, instance = wanted.lower(), device.instance_id.lower()
    return instance == wanted or instance.startswith(f"{wanted}\\") or wanted in map(str.lower, device.hardware_ids)


def _has_mac(adapter: AdapterInfo | None, wanted: str) -> bool:
    return adapter is not None and mac_text(wanted) in (adapter.permanent_mac, adapter.mac)


def _mac(adapter: AdapterInfo | None) -> str:
    return f"MAC {adapter.permanent_mac or adapter.mac}" if adapter else "without a driver"


def _listing(adapters: Sequence[AdapterInfo]) -> str:
    return "; ".join(f"{adapter.name} ({adapter.description}, {adapter.instance_id})" for adapter in adapters) or "none"
