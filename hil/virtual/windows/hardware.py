"""What is soldered and plugged into the virtual PC: PCI functions that Windows enumerates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

HARDWARE_ID = r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01"
INSTANCE_ID = HARDWARE_ID + r"\4&2A8F1C3&0&00E4"
SECOND_INSTANCE_ID = HARDWARE_ID + r"\4&2A8F1C3&0&00E8"
MANAGEMENT_INSTANCE_ID = r"PCI\VEN_8086&DEV_15F3&SUBSYS_00008086&REV_03\3&11583659&0&FE"
ROOT_PORT_ID = r"PCI\VEN_8086&DEV_A2AF&SUBSYS_7A381462&REV_F0\3&11583659&0&D8"
MAC, SECOND_MAC, MANAGEMENT_MAC = "02-1D-0F-00-00-01", "02-1D-0F-00-00-02", "00-1B-21-3A-7C-10"


def _always() -> bool:
    return True


@dataclass
class Port:
    """One NIC as hardware. ``fitted`` follows the slot; a port that is not ``wired`` leads to no partner."""

    instance_id: str
    hardware_ids: list[str]
    compatible_ids: list[str]
    mac: str
    link_mbps: int
    location: str
    bus: int
    device: int = 0
    under_test: bool = False
    wired: bool = False
    fitted: Callable[[], bool] = field(default=_always)
    connected: Callable[[], bool] = field(default=_always)

    @property
    def cable(self) -> bool:
        return self.connected()


def nic_ids() -> tuple[list[str], list[str]]:
    """Hardware and compatible ids of the NIC under test, most specific first, as the PCI bus driver makes them."""
    device = r"PCI\VEN_1D0F&DEV_7A10"
    hardware = [HARDWARE_ID, rf"{device}&SUBSYS_00011D0F", rf"{device}&CC_020000", rf"{device}&CC_0200"]
    return hardware, [rf"{device}&REV_01", device, r"PCI\VEN_1D0F&CC_020000", r"PCI\CC_020000", r"PCI\CC_0200"]


def ports(bench: VirtualBench) -> list[Port]:
    """The management port first: it carries SSH and stays out of every test."""
    hardware_ids, compatible_ids = nic_ids()
    mbps = bench.config.link_mbps
    intel = r"PCI\VEN_8086&DEV_15F3"
    found = [
        Port(
            MANAGEMENT_INSTANCE_ID, [MANAGEMENT_INSTANCE_ID.rpartition("\\")[0], rf"{intel}&SUBSYS_00008086"],
            [rf"{intel}&REV_03", intel, r"PCI\CC_020000"], MANAGEMENT_MAC, 1000,
            "PCI bus 0, device 31, function 6", 0, 31,
        ),
        Port(
            INSTANCE_ID, hardware_ids, compatible_ids, MAC, mbps, "PCI bus 4, device 0, function 0", 4,
            under_test=True, wired=True,
            fitted=lambda: bench.machine.slot, connected=lambda: bench.machine.cable,
        ),
    ]  # fmt: skip
    if bench.config.second_adapter:
        found.append(
            Port(
                SECOND_INSTANCE_ID,
                hardware_ids,
                compatible_ids,
                SECOND_MAC,
                mbps,
                "PCI bus 5, device 0, function 0",
                5,
                connected=lambda: False,
            )
        )
    return found
