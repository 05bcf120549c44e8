"""The machine asleep: how it gets there, what reaches it through its NIC, and how it comes back.

Times are those of a real desktop PC, scaled as they pass; a wake timer runs in true seconds, as its client's clock.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hil.virtual.power_state import SLEEPING, Power, PowerState
from hil.virtual.windows import power_events as report
from hil.virtual.windows.power_events import Dirty, Sleep, SleepState, WakeSource
from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.adapters import Adapter
    from hil.virtual.windows.low_power import LowPower

SLEEP_S = {"S0ix": 3.0, "S3": 2.0, "S4": 8.0}
RESUME_S = {"S0ix": 0.5, "S3": 1.5}
HIBERNATE_RESUME_S, TROUBLESHOOTER_S = 12.0, 1.5
CLOCK_STOPS_S = 1.0
"""From the record of going to sleep to the last tick before it: the stamp that Kernel-Power 107 will carry."""


class SleepingMachine(PowerState):
    """What :class:`hil.virtual.machine.VirtualMachine` does about sleep and wake."""

    def __init__(self, bench: VirtualBench) -> None:
        super().__init__(bench)
        self.mains, self.slot, self.cable = True, True, True
        self._waking = self._pulled_while_waking = False
        self._sleep: Sleep | None = None
        self._dirty: Dirty | None = None

    @abstractmethod
    def _boot(self, reason: str) -> Coroutine[Any, Any, None]: ...

    @abstractmethod
    def bugcheck(self, code: int, parameters: tuple[int, int, int, int]) -> None: ...

    # what reaches it through the NIC

    def wake_frame(self, frame: bytes) -> None:
        """A frame that reached the sleeping NIC (which listens only when it was told to)."""
        armed, nic = self._armed(), self.bench.nic
        if armed is None or not (self.slot and self.cable):
            return
        adapter, told = armed
        reply = self.bench.faults.answers(told.reply(frame), frame=frame)
        if reply and nic:
            nic.answer(reply)
        if self.bench.faults.wakes(told.wakes(frame), frame=frame):
            self._wake_by(adapter)

    def wake_by_adapter(self) -> None:
        """The NIC calls although nothing called it: for faults that act by themselves."""
        armed = self._armed()
        if armed:
            self._wake_by(armed[0])

    def _armed(self) -> tuple[Adapter, LowPower] | None:
        """The NIC under test with what it was told, while the machine is in a state to be woken."""
        adapter = self.bench.windows.devices.under_test()
        if adapter is None or adapter.low_power is None or self._waking or not self.mains:
            return None
        down = self.power is Power.OFF or self.power in SLEEPING.values()
        return (adapter, adapter.low_power) if down else None

    def _wake_by(self, adapter: Adapter) -> None:
        if self.power is Power.OFF:
            self._go(self._boot("power"))
        else:
            self._wake(WakeSource(report.WAKE_DEVICE, adapter.description, adapter.node.instance_id))

    # to sleep and back

    def request_sleep(
        self, state: SleepState, *, wake_after_s: float = 0.0, delay_s: float = 0.5, caller: str
    ) -> None:
        """Sleep as SetSuspendState does (S0ix: the screen goes dark), after ``delay_s``; the wake timer, if above 0,
        runs from now."""
        wake_at = self.bench.windows.now() + timedelta(seconds=wake_after_s) if wake_after_s > 0 else None
        self._later(delay_s, lambda: self._when_on(self._fall_asleep, state, wake_at, caller))

    async def _fall_asleep(self, state: SleepState, wake_at: datetime | None, caller: str) -> None:
        windows, bench = self.bench.windows, self.bench
        if state not in bench.config.sleep_states:
            return
        sleep = Sleep(state, caller, windows.now(), wake_at)
        report.asked_to_sleep(windows, sleep)
        if state == "S4" and not windows.hibernation:
            return
        if not bench.faults.sleeps(True, state=state):
            windows.refuse_sleep()
            return
        report.falls_asleep(windows, sleep, windows.sleep_count)
        windows.sleep_count += 1
        crash = windows.devices.sleep(state, windows.sleep_count)
        if crash:
            self.bugcheck(*crash)
            return
        self._sleep = sleep
        if bench.ssh:
            bench.ssh.stall()
        if bench.nic:
            bench.nic.freeze()
        await async_pause(bench.scale(SLEEP_S[state]))
        self._become(SLEEPING[state])
        if wake_at:
            left_s = (wake_at - windows.now()).total_seconds()
            self._later(max(0.0, left_s), lambda: self._timer_expires(sleep))

    def _timer_expires(self, sleep: Sleep) -> None:
        if sleep is self._sleep:
            self._wake(WakeSource(report.WAKE_TIMER, sleep.caller))

    def _wake(self, source: WakeSource) -> None:
        if self.mains and not self._waking:
            self._go(self._resume(source))

    async def _resume(self, source: WakeSource) -> None:
        windows, bench, sleep = self.bench.windows, self.bench, self._sleep
        assert sleep is not None, "only a sleeping machine resumes"
        self._waking, self._pulled_while_waking = True, False
        woken = windows.now()
        if sleep.state == "S4":
            seconds = bench.faults.boot_s(HIBERNATE_RESUME_S, reason="hibernate")
            self._become(Power.BOOTING)
        else:
            seconds = bench.faults.resume_s(RESUME_S[sleep.state])
        await async_pause(bench.scale(seconds))
        source = bench.faults.wake_source(WakeSource(source.kind, source.text, source.instance_id, woken))
        if sleep.state == "S0ix":
            report.left_standby(windows, sleep, source)
        else:
            frozen_at = min(sleep.entered + timedelta(seconds=bench.scale(CLOCK_STOPS_S)), windows.now())
            report.resumed(windows, sleep, frozen_at)
        self._waking, self._sleep = False, None
        windows.last_wake = source
        self._become(Power.ON)
        if bench.nic:
            bench.nic.thaw()
        await windows.devices.resume(pulled_while_waking=self._pulled_while_waking)
        if self._dirty:
            return
        if bench.ssh:
            bench.ssh.resume()
        if sleep.state != "S0ix":
            await async_pause(bench.scale(TROUBLESHOOTER_S))
            report.returned(windows, sleep, woken, source, int(seconds * 1000))
