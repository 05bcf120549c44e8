"""What stands on the machine before anybody touches it: Windows itself, its settings, and the management adapter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hil.virtual.windows.hardware import MANAGEMENT_INSTANCE_ID, ROOT_PORT_ID
from hil.virtual.windows.network import MANAGEMENT_ADDRESS, MANAGEMENT_GATEWAY, MANAGEMENT_PREFIX, Address, Route
from hil.virtual.windows.state import BoundDriver, Devnode, RegistryValue

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

RELEASES = (
    # first build, display version
    (26100, "24H2"), (22631, "23H2"), (22621, "22H2"), (22000, "21H2"), (19045, "22H2"), (19041, "2004"),
)  # fmt: skip
CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
POWER_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Power"
SESSION_POWER_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Power"
BALANCED = "381b4222-f694-41f0-9685-ff5bb260df2e"
POWER_PLANS = {
    BALANCED: "Balanced", "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c": "High performance",
    "a1841308-3541-4fab-bc81-f71556f20b4a": "Power saver",
}  # fmt: skip

_KEYWORDS = (
    ("*JumboPacket", "Jumbo Packet", "1514", {"1514": "Disabled", "9014": "9014 Bytes"}),
    ("*WakeOnMagicPacket", "Wake on Magic Packet", "1", {"0": "Disabled", "1": "Enabled"}),
    ("*SpeedDuplex", "Speed & Duplex", "0", {"0": "Auto Negotiation", "6": "1.0 Gbps Full Duplex"}),
)


def furnish(windows: Windows) -> None:
    _registry(windows)
    _system_devices(windows)
    _management_adapter(windows)
    if windows.bench.config.far_end == "pwsh":
        windows.files.write(r"C:\Program Files\PowerShell\7\pwsh.exe", b"MZ")


def caption(build: int) -> str:
    return "Microsoft Windows 11 Pro" if build >= 22000 else "Microsoft Windows 10 Pro"


def _registry(windows: Windows) -> None:
    registry, build = windows.registry, windows.build
    release = next((name for first, name in RELEASES if build >= first), "1909")
    for name, text in (
        ("ProductName", "Windows 10 Pro"), ("CurrentBuild", str(build)), ("CurrentBuildNumber", str(build)),
        ("DisplayVersion", release), ("EditionID", "Professional"), ("InstallationType", "Client"),
        ("CurrentVersion", "6.3"),
    ):  # fmt: skip
        registry.set(CURRENT_VERSION, name, text)
    registry.set(CURRENT_VERSION, "UBR", windows.revision)
    registry.set(POWER_KEY, "HibernateEnabled", 1)
    registry.set(SESSION_POWER_KEY, "HiberbootEnabled", 0)
    registry.set(r"HKLM\SOFTWARE\OpenSSH", "DefaultShell", r"C:\Windows\System32\cmd.exe")
    registry.create(r"HKLM\SOFTWARE\Policies\Microsoft\Windows")
    registry.create(r"HKLM\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings")


def _system_devices(windows: Windows) -> None:
    """The port above the NIC: what a device's parent property leads to."""
    arrived = windows.now()
    windows.devices.know(
        Devnode(
            ROOT_PORT_ID,
            [ROOT_PORT_ID.rpartition("\\")[0]],
            "PCI Express Root Port",
            class_name="System",
            class_guid="{4d36e97d-e325-11ce-bfc1-08002be10318}",
            manufacturer="(Standard system devices)",
            parent=r"ACPI\PNP0A08\0",
            location="PCI bus 0, device 27, function 0",
            started=True,
            last_arrival=arrived,
            first_install=arrived,
            install_date=arrived,
        )
    )


def _management_adapter(windows: Windows) -> None:
    """An inbox driver on the port that carries SSH, with a fixed address."""
    store = r"C:\Windows\System32\DriverStore\FileRepository\e2fn.inf_amd64_0a7c41d26a93b5f4"
    image = windows.files.write(rf"{store}\e2fn.sys", b"MZ" + bytes(510))
    params: list[RegistryValue] = []
    for keyword, name, default, choices in _KEYWORDS:
        path = rf"Ndi\params\{keyword}"
        params += [RegistryValue(path, key, "REG_SZ", text) for key, text in
                   (("ParamDesc", name), ("type", "enum"), ("default", default))]  # fmt: skip
        params += [RegistryValue(rf"{path}\enum", value, "REG_SZ", text) for value, text in choices.items()]
        params.append(RegistryValue("", keyword, "REG_SZ", default))
    driver = BoundDriver(
        inf="e2fn.inf", original_inf="e2fn.inf", provider="Microsoft", version="2.1.3.15",
        date=datetime(2022, 11, 3, tzinfo=UTC), signer="Microsoft Windows", service="e2fnexpress", store_path=store,
        image_path=image, section="E15F3.NTamd64", matching_id=r"PCI\VEN_8086&DEV_15F3", rank=0x00FF2001,
        description="Intel(R) Ethernet Controller (3) I225-V", software_key=tuple(params),
    )  # fmt: skip
    windows.devices.furnish(MANAGEMENT_INSTANCE_ID, driver)
    adapter = windows.devices.adapters[0]
    windows.network.add(adapter, Address(adapter.index, adapter.name, MANAGEMENT_ADDRESS, MANAGEMENT_PREFIX))
    windows.network.add_route(adapter, Route("0.0.0.0/0", MANAGEMENT_GATEWAY, adapter.index, adapter.name))
