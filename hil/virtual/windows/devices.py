"""What the machine's power does to devices: boot, sleep, resume, soft off, power lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hil.virtual.windows.device_work import DeviceWork
from hil.virtual.windows.low_power import LowPower, low_power

if TYPE_CHECKING:
    from hil.virtual.faults import Crash
    from hil.virtual.windows.adapters import Adapter


class Devices(DeviceWork):
    """All devices of the machine, through its life."""

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

    def under_test(self) -> Adapter | None:
        """The interface of the NIC under test; None while it has no driver."""
        return next((adapter for adapter in self.adapters if adapter.port.under_test), None)

    def sleep(self, state: str, sleep_count: int) -> Crash | None:
        """Every started device to D3; the NIC under test listens for what it is armed for. A crash ends the attempt."""
        faults, tested = self.windows.bench.faults, self.under_test()
        crash = faults.sleep_crash(None, under_load=self._loaded(tested))
        for adapter in self.adapters if crash is None else ():
            if adapter.node.started:
                told = low_power(adapter, state)
                adapter.asleep(self._spoilt(told, state, sleep_count) if adapter is tested else told)
        return crash

    def soft_off(self, sleep_count: int) -> None:
        """Windows has shut down and standby power is there: the NIC may go on listening for magic packets."""
        adapter = self.under_test()
        if adapter and adapter.node.started:
            told = self._spoilt(low_power(adapter, "S5"), "S5", sleep_count)
            adapter.stopped()
            adapter.asleep(told)

    def _spoilt(self, told: LowPower, state: str, sleep_count: int) -> LowPower:
        """As the driver under test really does what it was told."""
        faults = self.windows.bench.faults
        told = replace(told, patterns=faults.wake_patterns(told.patterns))
        armed = bool(told.magic or told.patterns or told.link)
        return told if faults.wake_armed(armed, sleep_count=sleep_count, state=state) else told.disarmed()

    async def resume(self, *, pulled_while_waking: bool = False) -> None:
        """Every device back to D0; what was pulled or plugged meanwhile is seen now."""
        faults = self.windows.bench.faults
        for node in self.all():
            port, adapter = self.port_of(node), self.adapter_of(node)
            if port and not port.fitted() and node.present:
                if not faults.sees_slot(True, present=False, asleep=True):
                    continue
                if node.started and (crash := faults.removed_in_sleep(None, waking=pulled_while_waking)):
                    self.windows.bench.machine.bugcheck(*crash)
                    return
                self._spawn(self.surprise_remove(port))
            elif node.started and adapter:
                async with self._lock(node):
                    adapter.resumed()
                    node.started = False
                    if not await self._start(node, "resume"):
                        adapter.stopped()
        for port in self.ports:
            known = self.find(port.instance_id)
            absent = known is None or not known.present
            if port.fitted() and absent and faults.sees_slot(True, present=True, asleep=True):
                self._spawn(self._plugged(port))

    def power_lost(self, *, standby_power: bool = False) -> None:
        """Nothing runs any more; what is on disk stays. With ``standby_power`` a NIC that listens goes on."""
        for task in tuple(self._tasks):
            task.cancel()
        for adapter in self.adapters:
            if not (standby_power and adapter.low_power):
                adapter.stopped()
        for node in self.all():
            node.started = False
        self._busy.clear()
        self.images.power_lost()
