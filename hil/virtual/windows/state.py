"""What the parts of the virtual Windows share: devnodes and the drivers that they are bound to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

NET_CLASS_GUID = "{4d36e972-e325-11ce-bfc1-08002be10318}"


@dataclass(frozen=True)
class RegistryValue:
    r"""One value that an INF's AddReg writes below a root key: ``subkey`` such as ``Ndi\params\*JumboPacket``."""

    subkey: str
    name: str
    kind: str
    """REG_SZ, REG_DWORD, REG_MULTI_SZ, REG_EXPAND_SZ, REG_BINARY, REG_QWORD"""
    data: str | int | bytes | list[str]
    keeps: bool = False
    """A value that is there already stays as it is."""


@dataclass(frozen=True)
class BoundDriver:
    r"""The driver package that Windows chose for a device.

    Paths are Windows paths. ``software_key`` is what the install section's AddReg writes to the device's driver key
    (``HKLM\SYSTEM\CurrentControlSet\Control\Class\{guid}\nnnn``); adapters take their advanced properties from there.
    """

    inf: str
    """Published name, ``oem3.inf``."""
    original_inf: str
    provider: str
    version: str
    date: datetime
    signer: str
    service: str
    store_path: str
    r"""Folder, ``C:\Windows\System32\DriverStore\FileRepository\<inf>_amd64_<hash>``."""
    image_path: str
    section: str
    """Decorated install section, ``HilNic.ndi.NTamd64``."""
    matching_id: str = ""
    rank: int = 0x00FF0000
    description: str = ""
    software_key: tuple[RegistryValue, ...] = ()
    reboot: bool = False
    """The install section has the Reboot directive: a device that runs goes on with its old driver until then."""


@dataclass
class Devnode:
    """One device instance. A devnode that is not present stays known (a phantom, problem 45)."""

    instance_id: str
    hardware_ids: list[str]
    description: str
    compatible_ids: list[str] = field(default_factory=list)
    class_name: str = "Net"
    class_guid: str = NET_CLASS_GUID
    manufacturer: str = ""
    enumerator: str = "PCI"
    parent: str = r"PCI\VEN_8086&DEV_A2AF&SUBSYS_7A381462&REV_F0\3&11583659&0&D8"
    location: str = "PCI bus 4, device 0, function 0"
    present: bool = True
    problem: int = 0
    problem_status: int = 0
    """NTSTATUS beside the problem code."""
    started: bool = False
    disabled: bool = False
    driver: BoundDriver | None = None
    driver_key: str = ""
    r"""``{4d36e972-...}\0001`` below Control\Class."""
    first_install: datetime | None = None
    install_date: datetime | None = None
    last_arrival: datetime | None = None
    last_removal: datetime | None = None
    restart_needed: bool = False
    removals: int = 0

    @property
    def status(self) -> str:
        """As Get-PnpDevice shows it: OK, Error, Unknown (a phantom)."""
        if not self.present:
            return "Unknown"
        return "OK" if self.started and not self.problem else "Error"


def epoch(ticks: float) -> datetime:
    """Aware UTC time from seconds since 1970."""
    return datetime.fromtimestamp(ticks, UTC)
