"""The running Windows: its parts, and how they live through boot, sleep and loss of power."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hil.clock import utc_now
from hil.virtual.windows import device_events
from hil.virtual.windows import power_events as report
from hil.virtual.windows.boot_options import BootOptions
from hil.virtual.windows.crash import CrashControl
from hil.virtual.windows.devices import Devices
from hil.virtual.windows.driver_store import DriverStore
from hil.virtual.windows.event_log import EventLog
from hil.virtual.windows.files import Files
from hil.virtual.windows.inventory import BALANCED, POWER_KEY, furnish
from hil.virtual.windows.memory import Memory
from hil.virtual.windows.network import Network
from hil.virtual.windows.processors import Processors
from hil.virtual.windows.registry import Registry
from hil.virtual.windows.services import Services
from hil.virtual.windows.trust import Certificates
from hil.virtual.windows.verifier import Verifier

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.power_events import Dirty, WakeSource
    from hil.virtual.windows.state import BoundDriver, Devnode

CLOCK_OFFSET = timedelta(milliseconds=-180)
"""The machine's clock is never that of the controller."""
REVISION = 2314
"""UBR: the part of the version after the build."""


@dataclass(frozen=True)
class Program:
    """A running program."""

    command_line: str
    kill: Callable[[], None]

    @property
    def name(self) -> str:
        return self.command_line.split()[0].strip('"').rpartition("\\")[2]


class Windows:
    """Windows 11 as the suites see it."""

    def __init__(self, bench: VirtualBench) -> None:
        self.bench = bench
        self.user, self.computer_name = "hil", "HIL-VM"
        self.build, self.revision = bench.config.windows_build, REVISION
        self.elevated = bench.config.elevated
        self.clock_offset = CLOCK_OFFSET
        self.last_boot = self.last_alive = self.now()
        self.after_dirty_shutdown = False
        """Whether this boot followed a bugcheck or a power cut."""
        self.boot_id = itertools.count(41)
        self.sleep_count = 0
        self.last_wake: WakeSource | None = None
        self.active_power_plan = BALANCED
        self.programs: dict[int, Program] = {}
        """Running programs that somebody copied here, by process id."""
        self._boot_actions: list[Callable[[], None]] = []
        self.files = Files(bench.state_dir / "c")
        self.registry = Registry()
        self.services = Services(self.registry)
        self.events = EventLog(self.build, self.now)
        self.memory, self.network = Memory(bench.chance("memory")), Network()
        self.processors = Processors(self._link_load)
        self.crash_control = CrashControl(self)
        self.devices = Devices(self)
        self.boot_options = BootOptions(self)
        self.certificates = Certificates(self)
        self.driver_store = DriverStore(self)
        self.verifier = Verifier(self)
        furnish(self)

    def now(self) -> datetime:
        """The machine's clock, UTC: the host's plus a small offset."""
        return utc_now() + self.clock_offset

    def _link_load(self) -> float:
        """Share of both directions of the wire in use now."""
        nic = self.bench.nic
        return min(1.0, nic.load_mbps() / (2 * nic.link_mbps)) if nic else 0.0

    def at_boot(self, action: Callable[[], None]) -> None:
        """Run ``action`` early in every boot (not on resume): pending boot options, verifier settings, reboots owed."""
        self._boot_actions.append(action)

    @property
    def hibernation(self) -> bool:
        return self.registry.get(POWER_KEY, "HibernateEnabled", 1) == 1

    # the machine's power, as Windows lives it

    def kernel_starts(self, dirty: Dirty | None, *, first: bool) -> None:
        """From nothing to a kernel: memory is fresh, the log tells of the boot and of what came before it."""
        self.last_boot = self.now()
        self.after_dirty_shutdown = dirty is not None and not first
        self.memory.booted()
        self.processors.booted()
        self.network.booted()
        self.sleep_count = 0
        self.last_wake = None
        for action in self._boot_actions:
            action()
        report.kernel_started(self, clean=dirty is None, boot_id=next(self.boot_id))
        if dirty and not first:
            report.dirty_boot(self, dirty, self.crash_control.save(), self.last_alive)

    async def services_start(self) -> None:
        """Devices, then services; the machine can be reached afterwards."""
        await self.devices.boot()
        self.services.booted()
        report.log_service_started(self, self.now())

    def power_lost(self, *, standby_power: bool = False) -> None:
        """Nothing runs; with ``standby_power`` the NIC may listen on."""
        self.last_alive = self.now()
        self.devices.power_lost(standby_power=standby_power)

    def refuse_sleep(self) -> None:
        """A driver failed the power request: the machine stays on, and the log names the driver."""
        adapter = next((found for found in self.devices.adapters if found.port.under_test), None)
        if adapter and adapter.node.driver:
            report.sleep_refused(self, rf"\Driver\{adapter.node.driver.service}", adapter.node.instance_id)

    def best_driver(self, node: Devnode) -> BoundDriver | None:
        """What the driver store has for a device that has none."""
        return self.driver_store.best_driver(node)

    def miniport_reset(self, reason: int, count: int) -> None:
        """NDIS 10400 for the adapter under test: for faults that act by themselves."""
        for adapter in self.devices.adapters:
            if adapter.port.under_test:
                device_events.reset(self.events, adapter, reason, count)
