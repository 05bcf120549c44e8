"""Services and kernel drivers: what is registered, how it starts, what runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.windows.registry import Registry

SERVICES_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services"

START_TYPES = {"Boot": 0, "System": 1, "Automatic": 2, "Manual": 3, "Disabled": 4}

_PRESENT = (
    # name, display name, start type, runs after boot
    ("sshd", "OpenSSH SSH Server", "Automatic", True),
    ("wuauserv", "Windows Update", "Manual", True),
    ("UsoSvc", "Update Orchestrator Service", "Automatic", True),
    ("WaaSMedicSvc", "WaaSMedicSvc", "Manual", False),
    ("BITS", "Background Intelligent Transfer Service", "Manual", False),
    ("DoSvc", "Delivery Optimization", "Manual", False),
    ("w32time", "Windows Time", "Manual", True),
    ("EventLog", "Windows Event Log", "Automatic", True),
    ("Winmgmt", "Windows Management Instrumentation", "Automatic", True),
    ("Dhcp", "DHCP Client", "Automatic", True),
    ("PlugPlay", "Plug and Play", "Manual", True),
    ("Power", "Power", "Automatic", True),
    ("WSearch", "Windows Search", "Automatic", True),
    ("Spooler", "Print Spooler", "Automatic", True),
    ("WinDefend", "Microsoft Defender Antivirus Service", "Automatic", True),
    ("mpssvc", "Windows Defender Firewall", "Automatic", True),
)


@dataclass
class Service:
    name: str
    display_name: str
    start_type: str
    running: bool
    image_path: str = r"%SystemRoot%\system32\svchost.exe -k netsvcs -p"
    kernel: bool = False


class Services:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._all: dict[str, Service] = {}
        self._after_boot: set[str] = set()
        for name, display_name, start_type, running in _PRESENT:
            self._add(Service(name, display_name, start_type, running))
            if running:
                self._after_boot.add(name.lower())

    def all(self) -> list[Service]:
        return list(self._all.values())

    def find(self, name: str) -> Service | None:
        return self._all.get(name.lower())

    def add_driver(self, name: str, display_name: str, image_path: str, *, start_type: str = "Manual") -> Service:
        """Register a kernel driver (an INF's AddService), or change the one that is there."""
        known = self.find(name)
        return self._add(Service(name, display_name, start_type, known.running if known else False, image_path, True))

    def delete(self, name: str) -> bool:
        self._registry.delete_key(f"{SERVICES_KEY}\\{name}")
        return self._all.pop(name.lower(), None) is not None

    def set_start_type(self, service: Service, start_type: str) -> None:
        service.start_type = start_type
        self._registry.set(f"{SERVICES_KEY}\\{service.name}", "Start", START_TYPES[start_type])

    def booted(self) -> None:
        """What a boot leaves running: all that ran at first, unless it was disabled since."""
        for service in self._all.values():
            if not service.kernel:
                starts = service.start_type == "Automatic" or service.name.lower() in self._after_boot
                service.running = starts and service.start_type != "Disabled"

    def _add(self, service: Service) -> Service:
        self._all[service.name.lower()] = service
        path = f"{SERVICES_KEY}\\{service.name}"
        self._registry.set(path, "Type", 1 if service.kernel else 0x20)
        self._registry.set(path, "Start", START_TYPES[service.start_type])
        self._registry.set(path, "ErrorControl", 1)
        image = service.image_path.replace(r"C:\Windows", r"\SystemRoot") if service.kernel else service.image_path
        self._registry.set(path, "ImagePath", image, "REG_EXPAND_SZ")
        self._registry.set(path, "DisplayName", service.display_name)
        return service
