"""Devnodes: arrival, start, stop, surprise removal, problem codes, and the events and registry keys that go with them.

Start reasons are those of :mod:`hil.virtual.faults`: boot, arrival, resume, restart, enable, install.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.virtual.windows import device_events as report
from hil.virtual.windows.adapters import Adapter
from hil.virtual.windows.hardware import Port, ports
from hil.virtual.windows.settings import CLASS_KEY
from hil.virtual.windows.state import NET_CLASS_GUID, BoundDriver, Devnode
from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

PROBLEM_FAILED_START, PROBLEM_DISABLED, PROBLEM_NO_DRIVER = 10, 22, 28
PROBLEM_FAILED_POST_START, PROBLEM_PHANTOM, PROBLEM_UNSIGNED = 43, 45, 52

STATUS_UNSUCCESSFUL, STATUS_INVALID_IMAGE_HASH, STATUS_NO_SUCH_DEVICE = 0xC0000001, 0xC0000428, 0xC000000E

ENUM_KEY = r"HKLM\SYSTEM\CurrentControlSet\Enum"
START_S, HALT_S, HOT_PLUG_S = 0.5, 0.2, 0.3
"""Unscaled: MiniportInitializeEx, MiniportHaltEx, and from the presence pin to the bus driver's report."""
LOADED_LINK = 0.01
"""Share of the link rate above which the device counts as under load."""


@dataclass(frozen=True)
class LoadedImage:
    """A driver image in memory: where it came from, and the SHA-256 (hex, upper case) of what was loaded."""

    path: str
    sha256: str


class Devices:
    """The device tree of one Windows. What takes time is a coroutine; operations on one devnode wait for each other."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.ports = ports(windows.bench)
        self.adapters: list[Adapter] = []
        self._nodes: dict[str, Devnode] = {}
        self._busy: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaded: dict[str, LoadedImage] = {}
        self._previous: dict[str, LoadedImage] = {}
        self._numbers = itertools.count(0)
        self.may_load: Callable[[BoundDriver], bool] = lambda driver: True
        """The signature policy at load time (set by the package side); False leaves problem 52."""

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
        return self._loaded.get(service.lower())

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
        self._bind(self.know(_devnode(port)), driver)

    # drivers

    def bind(self, node: Devnode, driver: BoundDriver) -> None:
        """Choose ``driver`` for ``node``: driver key, service, Kernel-PnP 400; starts nothing."""
        updated = node.driver is not None
        self._bind(node, driver)
        report.configured(self.windows.events, node, driver, updated=updated)

    def _bind(self, node: Devnode, driver: BoundDriver) -> None:
        registry = self.windows.registry
        updated = node.driver is not None
        if not node.driver_key:
            node.driver_key = f"{NET_CLASS_GUID}\\{next(self._numbers):04d}"
        key = f"{CLASS_KEY}\\{node.driver_key}"
        registry.delete_key(f"{key}\\Ndi")
        for value in driver.software_key:
            path = f"{key}\\{value.subkey}" if value.subkey else key
            current = registry.key(path)
            if not updated or value.subkey or current is None or value.name.lower() not in current.values:
                registry.set(path, value.name, value.data, value.kind)
        node.driver, node.class_name, node.class_guid = driver, "Net", NET_CLASS_GUID
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
        self.windows.services.add_driver(driver.service, node.description, driver.image_path)
        self._add_adapter(node)

    def unbind(self, node: Devnode) -> None:
        """Take the driver away (problem 28) with its key and the interface's configuration; the node must be stopped."""
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
        self._fail(node, PROBLEM_NO_DRIVER if node.present else PROBLEM_PHANTOM, 0)

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

    # start and stop

    async def start(self, node: Devnode, *, reason: str) -> bool:
        """Load the image and start the device; False leaves a problem code (10, 22, 28, 43, 52)."""
        async with self._lock(node):
            return await self._start(node, reason)

    async def stop(self, node: Devnode) -> None:
        """Orderly query-remove and halt; returns when MiniportHaltEx did."""
        async with self._lock(node):
            await self._halt(node)

    async def restart(self, node: Devnode, *, reason: str = "restart") -> bool:
        async with self._lock(node):
            await self._halt(node)
            return await self._start(node, reason)

    async def disable(self, node: Devnode) -> None:
        async with self._lock(node):
            node.disabled = True
            await self._halt(node)
            self._fail(node, PROBLEM_DISABLED, 0)

    async def enable(self, node: Devnode) -> bool:
        async with self._lock(node):
            node.disabled = False
            return await self._start(node, "enable")

    async def remove(self, node: Devnode) -> None:
        """As pnputil /remove-device: stop and delete the devnode (Kernel-PnP 420); it returns on the next scan."""
        async with self._lock(node):
            await self._halt(node)
            if node.driver:
                self.unbind(node)
            report.deleted(self.windows.events, node)
            self._nodes.pop(node.instance_id.upper(), None)

    async def scan(self) -> None:
        """Enumerate again: hardware that has no devnode gets one, and the best driver of the store."""
        for port in self.ports:
            known = self.find(port.instance_id)
            if port.fitted() and (known is None or not known.present or not (known.driver or known.disabled)):
                await self.arrive(port)

    async def _start(self, node: Devnode, reason: str) -> bool:
        driver, port = node.driver, self.port_of(node)
        if not node.present or node.started:
            return node.started
        if driver is None or node.disabled:
            self._fail(node, PROBLEM_DISABLED if node.disabled else PROBLEM_NO_DRIVER, 0)
            return False
        if not self.may_load(driver):
            self._fail(node, PROBLEM_UNSIGNED, STATUS_INVALID_IMAGE_HASH)
            report.not_loaded(self.windows.events, node, driver, STATUS_INVALID_IMAGE_HASH)
            return False
        await async_pause(self.windows.bench.scale(START_S))
        if port and not port.fitted():
            return False
        faults = self.windows.bench.faults
        if port and port.under_test and not faults.starts(True, reason=reason):
            self._start_failed(node, driver, reason)
            return False
        node.started, node.problem, node.problem_status = True, 0, 0
        self._load(driver)
        adapter = self.adapter_of(node)
        if adapter:
            adapter.started(reason)
        if reason == "install":
            report.started(self.windows.events, node, driver)
        return True

    def _start_failed(self, node: Devnode, driver: BoundDriver, reason: str) -> None:
        adapter = self.adapter_of(node)
        if reason == "resume":
            self._fail(node, PROBLEM_FAILED_POST_START, 0)
            if adapter:
                report.fatal(self.windows.events, adapter, report.FAILED_POWER_UP)
        else:
            self._fail(node, PROBLEM_FAILED_START, STATUS_UNSUCCESSFUL)
            report.start_failed(self.windows.events, node, driver)

    async def _halt(self, node: Devnode) -> None:
        if not node.started:
            return
        adapter, port = self.adapter_of(node), self.port_of(node)
        if adapter:
            adapter.stopped()
        faults = self.windows.bench.faults
        seconds = faults.halt_s(HALT_S) if port and port.under_test else HALT_S
        await async_pause(self.windows.bench.scale(seconds))
        node.started = False
        self._unload(node)

    def _load(self, driver: BoundDriver) -> None:
        service = driver.service.lower()
        if service not in self._loaded:
            last = self._previous.get(service)
            path = self.windows.bench.faults.loaded_image(driver.image_path, previous=last.path if last else None)
            if last is None or path != last.path or self.windows.files.exists(path):
                digest = hashlib.sha256(self.windows.files.read(path)).hexdigest().upper()
                last = LoadedImage(path, digest)
            self._loaded[service] = self._previous[service] = last
        running = self.windows.services.find(driver.service)
        if running:
            running.running = True

    def _unload(self, node: Devnode) -> None:
        """The image leaves memory with its last device."""
        if node.driver is None or any(
            other.started and other.driver and other.driver.service == node.driver.service for other in self.all()
        ):
            return
        self._loaded.pop(node.driver.service.lower(), None)
        service = self.windows.services.find(node.driver.service)
        if service:
            service.running = False

    def _fail(self, node: Devnode, problem: int, status: int) -> None:
        node.started, node.problem, node.problem_status = False, problem, status

    def _lock(self, node: Devnode) -> asyncio.Lock:
        return self._busy.setdefault(node.instance_id.upper(), asyncio.Lock())

    # hardware comes and goes

    async def arrive(self, port: Port) -> None:
        """The bus reports the function: a known devnode starts with what it had, a new one gets the best driver."""
        node = self.find(port.instance_id) or self.know(_devnode(port))
        async with self._lock(node):
            if not port.fitted() or node.present and node.started:
                return
            if not node.present:
                node.present, node.last_arrival = True, self.windows.now()
            await self._start_arrived(node)

    async def _start_arrived(self, node: Devnode) -> None:
        reason = "arrival"
        if node.driver is None:
            best = self.windows.best_driver(node)
            if best:
                self.bind(node, best)
                reason = "install"
        await self._start(node, reason)

    async def surprise_remove(self, port: Port) -> None:
        """The function vanished from the bus. The stack loses the interface at once; the devnode stays until the
        miniport has halted."""
        node = self.find(port.instance_id)
        if node is None or not node.present:
            return
        adapter, bench = self.adapter_of(node), self.windows.bench
        loaded = bool(adapter and adapter.nic and adapter.nic.load_mbps() > LOADED_LINK * adapter.link_mbps)
        driven = node.started
        if adapter:
            adapter.stopped()
        if driven and port.under_test:
            node.removals += 1
            crash = bench.faults.surprise_removal(None, under_load=loaded, count=node.removals)
            if crash:
                bench.machine.bugcheck(*crash)
                return
        async with self._lock(node):
            await async_pause(bench.scale(HOT_PLUG_S))
            await self._halt(node)
            if port.under_test and driven:
                self.windows.memory.leak(bench.faults.leak_bytes(0))
            self._gone(node)
            report.surprise_removed(self.windows.events, node)

    def _gone(self, node: Devnode) -> None:
        node.present, node.last_removal = False, self.windows.now()
        self._fail(node, PROBLEM_PHANTOM, STATUS_NO_SUCH_DEVICE)

    def slot_changed(self, present: bool) -> None:
        """The NIC under test left its slot, or came back, while Windows runs."""
        for port in self.ports:
            if port.under_test:
                self._spawn(self._plugged(port) if present else self.surprise_remove(port))

    async def _plugged(self, port: Port) -> None:
        await async_pause(self.windows.bench.scale(HOT_PLUG_S))
        await self.arrive(port)

    def cable_changed(self, connected: bool) -> None:
        for adapter in self.adapters:
            if adapter.port.under_test:
                adapter.cable_changed(connected)

    # the machine's power

    async def boot(self) -> None:
        """Enumerate from nothing: what is not there is a phantom, what is there starts."""
        for node in self.all():
            port = self.port_of(node)
            if port and not port.fitted() and node.present:
                self._gone(node)
        for port in self.ports:
            if not port.fitted():
                continue
            known = self.find(port.instance_id)
            if known is None:
                await self.arrive(port)
                continue
            if not known.present:
                known.last_arrival = self.windows.now()
            known.present = True
            await self.start(known, reason="boot")

    def sleep(self, sleep_count: int) -> None:
        """Every started device to D3; the NIC under test listens if it is armed."""
        for adapter in self.adapters:
            if adapter.node.started:
                armed = adapter.wakes_on_magic_packet()
                if adapter.port.under_test:
                    armed = self.windows.bench.faults.wake_armed(armed, sleep_count=sleep_count)
                adapter.asleep(armed)

    async def resume(self) -> None:
        """Every device back to D0; what was pulled or plugged meanwhile is seen now."""
        for node in self.all():
            port, adapter = self.port_of(node), self.adapter_of(node)
            if port and not port.fitted() and node.present:
                self._spawn(self.surprise_remove(port))
            elif node.started and adapter:
                async with self._lock(node):
                    adapter.resumed()
                    node.started = False
                    if not await self._start(node, "resume"):
                        adapter.stopped()
        for port in self.ports:
            known = self.find(port.instance_id)
            if port.fitted() and (known is None or not known.present):
                self._spawn(self._plugged(port))

    def power_lost(self) -> None:
        """Nothing runs any more; what is on disk stays."""
        for task in tuple(self._tasks):
            task.cancel()
        for adapter in self.adapters:
            adapter.stopped()
        for node in self.all():
            node.started = False
        self._busy.clear()
        self._loaded.clear()
        self._previous.clear()

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = self.windows.bench.loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _devnode(port: Port) -> Devnode:
    """Hardware that Windows sees for the first time."""
    return Devnode(
        port.instance_id, list(port.hardware_ids), "Ethernet Controller", list(port.compatible_ids),
        class_name="", class_guid="", problem=PROBLEM_NO_DRIVER, location=port.location, present=False,
    )  # fmt: skip
