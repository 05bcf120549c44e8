"""What happens to devices: start, stop, arrival, surprise removal; with problem codes and the records of each.

Start reasons are those of :mod:`hil.virtual.faults`: boot, arrival, resume, restart, enable, install.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from hil.virtual.windows import device_events as report
from hil.virtual.windows.device_tree import (
    PROBLEM_DISABLED,
    PROBLEM_FAILED_POST_START,
    PROBLEM_FAILED_START,
    PROBLEM_NO_DRIVER,
    PROBLEM_PHANTOM,
    PROBLEM_UNSIGNED,
    STATUS_INVALID_IMAGE_HASH,
    STATUS_NO_SUCH_DEVICE,
    STATUS_UNSUCCESSFUL,
    DeviceTree,
    new_devnode,
)
from hil.virtual.windows.hardware import Port
from hil.virtual.windows.state import BoundDriver, Devnode
from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter
    from hil.virtual.windows.system import Windows

START_S, HALT_S, HOT_PLUG_S = 0.5, 0.2, 0.3
"""Unscaled: MiniportInitializeEx, MiniportHaltEx, and from the presence pin to the bus driver's report."""
LOADED_LINK = 0.01
"""Share of the link rate above which the device counts as under load."""


def _always(driver: BoundDriver) -> bool:
    return bool(driver.service)


class DeviceWork(DeviceTree):
    """Devices at work. What takes time is a coroutine; operations on one devnode wait for each other."""

    def __init__(self, windows: Windows) -> None:
        super().__init__(windows)
        self.may_load: Callable[[BoundDriver], bool] = _always
        """The signature policy at load time, set by the driver store; False leaves problem 52."""
        self._busy: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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
            self.fail(node, PROBLEM_DISABLED)

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
            self.fail(node, PROBLEM_DISABLED if node.disabled else PROBLEM_NO_DRIVER)
            return False
        if not self.may_load(driver):
            self.fail(node, PROBLEM_UNSIGNED, STATUS_INVALID_IMAGE_HASH)
            report.not_loaded(self.windows.events, node, driver, STATUS_INVALID_IMAGE_HASH)
            return False
        await async_pause(self.windows.bench.scale(START_S))
        if port and not port.fitted():
            return False
        faults = self.windows.bench.faults
        if port and port.under_test and not faults.starts(True, reason=reason):
            self._start_failed(node, driver, reason)
            return False
        node.started, node.problem, node.problem_status, node.restart_needed = True, 0, 0, False
        self.images.load(driver)
        if port and port.under_test:
            self.windows.memory.leak(*faults.leaks((0, 0), reason=reason))
            if self._caught(driver, reason):
                return False
        adapter = self.adapter_of(node)
        if adapter:
            adapter.started(reason)
        if reason == "install":
            report.started(self.windows.events, node, driver)
        return True

    def _start_failed(self, node: Devnode, driver: BoundDriver, reason: str) -> None:
        adapter = self.adapter_of(node)
        if reason == "resume":
            self.fail(node, PROBLEM_FAILED_POST_START)
            if adapter:
                report.fatal(self.windows.events, adapter, report.FAILED_POWER_UP)
        else:
            self.fail(node, PROBLEM_FAILED_START, STATUS_UNSUCCESSFUL)
            report.start_failed(self.windows.events, node, driver)

    async def _halt(self, node: Devnode, *, surprise: bool = False) -> None:
        if not node.started:
            return
        adapter, port = self.adapter_of(node), self.port_of(node)
        faults, loaded = self.windows.bench.faults, self._loaded(adapter)
        if adapter:
            adapter.stopped()
        if port and port.under_test and not surprise:
            crash = faults.halt_crash(None, under_load=loaded)
            if crash:
                self.windows.bench.machine.bugcheck(*crash)
            if crash or (node.driver and self._caught(node.driver, "halt")):
                return
        seconds = faults.halt_s(HALT_S) if port and port.under_test else HALT_S
        await async_pause(self.windows.bench.scale(seconds))
        node.started = False
        self._unload(node)

    def _caught(self, driver: BoundDriver, occasion: str) -> bool:
        """Whether Driver Verifier, or NDIS, caught the driver under test at something: Windows stops, or writes a live
        dump and goes on."""
        bench, verifier = self.windows.bench, self.windows.verifier
        failed = verifier.started(driver.image_path) if occasion != "halt" else 0
        crash = bench.faults.out_of_memory(None) if failed else None
        crash = bench.faults.broken_rule(crash, occasion=occasion, flags=verifier.flags_of(driver.image_path))
        if crash:
            bench.machine.bugcheck(*crash)
            return True
        live = bench.faults.live_dump(None, occasion=occasion)
        if live:
            self.windows.crash_control.save_live(*live)
        return False

    def _loaded(self, adapter: Adapter | None) -> bool:
        """Whether frames flow through it."""
        return bool(adapter and adapter.nic and adapter.nic.load_mbps() > LOADED_LINK * adapter.link_mbps)

    def _unload(self, node: Devnode) -> None:
        """The image leaves memory with its last device."""
        driver = node.driver
        others = (other.driver.service for other in self.all() if other.started and other.driver)
        if driver and driver.service not in others:
            self.images.unload(driver.service)

    def _lock(self, node: Devnode) -> asyncio.Lock:
        return self._busy.setdefault(node.instance_id.upper(), asyncio.Lock())

    # hardware comes and goes

    async def arrive(self, port: Port) -> None:
        """The bus reports the function: a known devnode starts with what it had, a new one gets the best driver."""
        node = self.find(port.instance_id) or self.know(new_devnode(port))
        async with self._lock(node):
            if not port.fitted() or (node.present and node.started):
                return
            if not node.present:
                node.present, node.last_arrival = True, self.windows.now()
            await self._start_arrived(node)

    async def _start_arrived(self, node: Devnode) -> None:
        reason = "arrival"
        if node.driver is None:
            best = self.windows.best_driver(node)
            if best and self.windows.bench.faults.finds_driver(True, occasion="arrival"):
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
        loaded, driven = self._loaded(adapter), node.started
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
            await self._halt(node, surprise=True)
            if port.under_test and driven:
                self.windows.memory.leak(bench.faults.leak_bytes(0))
            self._gone(node)
            report.surprise_removed(self.windows.events, node)

    def _gone(self, node: Devnode) -> None:
        node.present, node.last_removal = False, self.windows.now()
        self.fail(node, PROBLEM_PHANTOM, STATUS_NO_SUCH_DEVICE)

    def slot_changed(self, present: bool) -> None:
        """The NIC under test left its slot, or came back, while Windows runs."""
        for port in self.ports:
            if port.under_test and self.windows.bench.faults.sees_slot(True, present=present, asleep=False):
                self._spawn(self._plugged(port) if present else self.surprise_remove(port))

    async def _plugged(self, port: Port) -> None:
        await async_pause(self.windows.bench.scale(HOT_PLUG_S))
        await self.arrive(port)

    def cable_changed(self, connected: bool) -> None:
        for adapter in self.adapters:
            if adapter.port.under_test and self.windows.bench.faults.sees_cable(True, connected=connected):
                adapter.cable_changed(connected)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.windows.bench.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
