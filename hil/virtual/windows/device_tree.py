"""The device tree: which devnodes Windows knows, which driver each has, and the keys and adapters that follow."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hil.virtual.windows import device_events as report
from hil.virtual.windows.adapters import Adapter
from hil.virtual.windows.hardware import Port, ports
from hil.virtual.windows.images import Images, LoadedImage
from hil.virtual.windows.settings import CLASS_KEY
from hil.virtual.windows.state import NET_CLASS_GUID, BoundDriver, Devnode, RegistryValue

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

PROBLEM_FAILED_START, PROBLEM_DISABLED, PROBLEM_NO_DRIVER = 10, 22, 28
PROBLEM_FAILED_POST_START, PROBLEM_PHANTOM, PROBLEM_UNSIGNED = 43, 45, 52

STATUS_UNSUCCESSFUL, STATUS_INVALID_IMAGE_HASH, STATUS_NO_SUCH_DEVICE = 0xC0000001, 0xC0000428, 0xC000000E

ENUM_KEY = r"HKLM\SYSTEM\CurrentControlSet\Enum"


class DeviceTree:
    """What there is, without what happens to it (that is :class:`hil.virtual.windows.devices.Devices`)."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.ports = ports(windows.bench)
        self.adapters: list[Adapter] = []
        self.images = Images(windows)
        self._nodes: dict[str, Devnode] = {}
        self._numbers = itertools.count(0)

    # looking

    def all(self) -> list[Devnode]:
        """Every known devnode, phantoms too."""
        return list(self._nodes.values())

    def find(self, instance_id: str) -> Devnode | None:
        """By instance id, any case."""
        return self._nodes.get(instance_id.upper())

    def matching(self, hardware_ids: Iterable[str]) -> list[Devnode]:
        """Present devnodes that have one of these hardware or compatible ids."""
        wanted = {name.upper() for name in hardware_ids}
        return [
            node for node in self._nodes.values()
            if node.present and wanted & {name.upper() for name in (*node.hardware_ids, *node.compatible_ids)}
        ]  # fmt: skip

    def users(self, inf: str) -> list[Devnode]:
        """Devnodes, present or not, that are bound to this published INF."""
        return [node for node in self._nodes.values() if node.driver and node.driver.inf.lower() == inf.lower()]

    def loaded_image(self, service: str) -> LoadedImage | None:
        """The .sys that is in memory for the service."""
        return self.images.find(service)

    def adapter_of(self, node: Devnode) -> Adapter | None:
        return next((adapter for adapter in self.adapters if adapter.node is node), None)

    def port_of(self, node: Devnode) -> Port | None:
        return next((port for port in self.ports if port.instance_id.upper() == node.instance_id.upper()), None)

    def know(self, node: Devnode) -> Devnode:
        """Put a devnode into the tree."""
        return self._nodes.setdefault(node.instance_id.upper(), node)

    def furnish(self, instance_id: str, driver: BoundDriver) -> None:
        """A device that has its driver since Windows was installed: no record of it in the log."""
        port = next(port for port in self.ports if port.instance_id == instance_id)
        self._bind(self.know(new_devnode(port)), driver)

    # drivers

    def bind(self, node: Devnode, driver: BoundDriver) -> None:
        """Choose ``driver`` for ``node``: driver key, service, Kernel-PnP 400; starts nothing."""
        updated = node.driver is not None
        self._bind(node, driver)
        for other in self._nodes.values():
            if other.driver and other is not node:
                other.driver = self.windows.bench.faults.neighbour_driver(other.driver, installed=driver)
        report.configured(self.windows.events, node, driver, updated=updated)

    def _bind(self, node: Devnode, driver: BoundDriver) -> None:
        registry, before, faults = self.windows.registry, node.driver, self.windows.bench.faults
        if not node.driver_key:
            node.driver_key = f"{NET_CLASS_GUID}\\{next(self._numbers):04d}"
        key = f"{CLASS_KEY}\\{node.driver_key}"
        registry.delete_key(f"{key}\\Ndi")
        for value in driver.software_key:
            path = f"{key}\\{value.subkey}" if value.subkey else key
            if not self._kept(node, path, value):
                registry.set(path, value.name, value.data, value.kind)
        node.driver = faults.bound_driver(driver, previous=before) if before else driver
        node.class_name, node.class_guid = "Net", NET_CLASS_GUID
        node.description = driver.description or node.description
        node.manufacturer = driver.provider
        node.install_date = self.windows.now()
        node.first_install = node.first_install or node.install_date
        registry.set(f"{ENUM_KEY}\\{node.instance_id}", "Driver", node.driver_key)
        registry.set(f"{ENUM_KEY}\\{node.instance_id}", "Service", driver.service)
        for name, text in (
            ("DriverDesc", node.description), ("ProviderName", driver.provider), ("DriverVersion", driver.version),
            ("DriverDate", f"{driver.date:%-m-%-d-%Y}"), ("InfPath", driver.inf), ("InfSection", driver.section),
            ("MatchingDeviceId", driver.matching_id.lower()),
        ):  # fmt: skip
            registry.set(key, name, text)
        image = faults.service_image(driver.image_path, previous=before.image_path) if before else driver.image_path
        self.windows.services.add_driver(driver.service, node.description, image)
        self._add_adapter(node)

    def _kept(self, node: Devnode, path: str, value: RegistryValue) -> bool:
        """Whether an install leaves the value that is there already."""
        key = self.windows.registry.key(path)
        if key is None or value.name.lower() not in key.values:
            return False
        port = self.port_of(node)
        tested = port is not None and port.under_test and not value.subkey
        return self.windows.bench.faults.keeps_setting(value.keeps, keyword=value.name) if tested else value.keeps

    def unbind(self, node: Devnode) -> None:
        """Take the driver away (problem 28) with its key and its interface; the node must be stopped."""
        adapter = self.adapter_of(node)
        if adapter:
            adapter.stopped()
            self.windows.network.forget(adapter)
            self.adapters.remove(adapter)
        if node.driver:
            report.uninstalled(self.windows.events, node, node.driver)
        self.windows.registry.delete_key(f"{CLASS_KEY}\\{node.driver_key}")
        self.windows.registry.delete_key(f"{ENUM_KEY}\\{node.instance_id}")
        node.driver, node.driver_key, node.disabled = None, "", False
        node.description, node.class_name, node.class_guid = "Ethernet Controller", "", ""
        self.fail(node, PROBLEM_NO_DRIVER if node.present else PROBLEM_PHANTOM)

    def _add_adapter(self, node: Devnode) -> None:
        known, port = self.adapter_of(node), self.port_of(node)
        if known or port is None:
            return
        taken = {adapter.name for adapter in self.adapters}
        names = itertools.chain(["Ethernet"], (f"Ethernet {number}" for number in itertools.count(2)))
        name = next(name for name in names if name not in taken)
        used = {adapter.index for adapter in self.adapters}
        index = next(number for number in itertools.count(4, 3) if number not in used)
        adapter = Adapter(self.windows, node, port, name, index, 32768 + int(node.driver_key[-4:]))
        self.adapters.append(adapter)
        key = f"{CLASS_KEY}\\{node.driver_key}"
        self.windows.registry.set(key, "NetCfgInstanceId", adapter.guid)
        self.windows.registry.set(f"{key}\\Linkage", "Export", [rf"\Device\{adapter.guid}"])

    def fail(self, node: Devnode, problem: int, status: int = 0) -> None:
        """Not started, for this reason."""
        node.started, node.problem, node.problem_status = False, problem, status


def new_devnode(port: Port) -> Devnode:
    """Hardware that Windows sees for the first time."""
    return Devnode(
        port.instance_id, list(port.hardware_ids), "Ethernet Controller", list(port.compatible_ids),
        class_name="", class_guid="", problem=PROBLEM_NO_DRIVER, location=port.location, present=False,
    )  # fmt: skip
