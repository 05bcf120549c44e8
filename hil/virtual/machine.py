"""The machine's power: what mains, button, slot, cable and wake frames do to it, and what it draws.

Times are those of a real desktop PC, in seconds, and are scaled by the testbed's timescale when they pass; so is the
grace of shutdown /t.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from hil.virtual.consumption import drawn_w
from hil.virtual.power_state import SLEEPING, Power
from hil.virtual.sleeping import SleepingMachine
from hil.virtual.windows import power_events as report
from hil.virtual.windows.crash import Bugcheck
from hil.virtual.windows.power_events import Dirty, WakeSource
from hil.wait import async_pause

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench

BOOT_S, FIRMWARE_SHARE = 20.0, 0.3
SHUTDOWN_S, DUMP_S = 5.0, 8.0
HARD_OFF_S = 4.0


class VirtualMachine(SleepingMachine):
    """The whole machine, as the instruments and Windows see it."""

    def __init__(self, bench: VirtualBench) -> None:
        super().__init__(bench)
        self._shutdown: object | None = None
        """The request that waits for its time; another one is another object."""

    # from outside: the instruments

    def set_mains(self, on: bool) -> None:
        """The outlet's contact. Firmware is set to power on when mains return."""
        if on == self.mains:
            return
        self.mains = on
        if not on:
            self._lose_power()
        elif self.power is Power.HIBERNATED:
            self._go(self._resume(WakeSource(report.WAKE_UNKNOWN)))
        elif self.power is Power.OFF:
            self._go(self._boot("power"))

    def press_button(self, seconds: float) -> None:
        """Short: switch on, wake, or shut down cleanly. Over 4 s: hard off."""
        if not self.mains or not self.bench.faults.button_works(True, seconds=seconds):
            return
        if seconds >= HARD_OFF_S:
            self.force_off(long_press=True)
        elif self.power is Power.OFF or self.power in SLEEPING.values():
            self.power_up()
        elif self.power is Power.ON and not self.hung:
            process = rf"C:\Windows\System32\winlogon.exe ({self.bench.windows.computer_name})"
            self.request_shutdown(restart=False, process=process, reason="No title for this reason could be found")

    def power_up(self) -> None:
        """Start or wake it, by its button or by a management controller."""
        if self.power is Power.OFF:
            self._go(self._boot("power"))
        elif self.power in SLEEPING.values():
            self._wake(WakeSource(report.WAKE_BUTTON))

    def force_off(self, *, long_press: bool = False) -> None:
        """At once, by a button that is held or by a management controller."""
        self._lose_power(long_press=long_press)

    def set_slot(self, present: bool) -> None:
        """Pull the NIC out under power, or put it back."""
        if present == self.slot:
            return
        self.slot = present
        self._relink()
        self._pulled_while_waking = self._waking and not present
        adapter = self.bench.windows.devices.under_test()
        if adapter and adapter.low_power and not present:
            adapter.low_power = None  # a card without power forgets what it was armed for
        if self.power is Power.ON and not self.hung:
            self.bench.windows.devices.slot_changed(present)

    def set_cable(self, connected: bool) -> None:
        """The link breaker between the NIC and its partner."""
        if connected != self.cable:
            self.cable = connected
            self._relink()
            self.bench.windows.devices.cable_changed(connected)
            armed = self._armed()
            if armed and self.bench.faults.wakes_on_link(armed[1].link, connected=connected):
                self._wake_by(armed[0])

    def watts(self) -> float:
        """What the machine draws from the outlet now."""
        if not self.mains:
            return 0.0
        watts = drawn_w("booting" if self._waking else self.power.value, self.bench.nic if self.slot else None)
        states = {power: state for state, power in SLEEPING.items()} | {Power.OFF: "S5"}
        asleep = not self._waking and self.power in states
        return self.bench.faults.asleep_w(watts, state=states[self.power]) if asleep else watts

    # from inside: Windows

    def start(self) -> Coroutine[Any, Any, None]:
        """The first boot, before anybody looks: takes no time and leaves no trace of an earlier life."""
        return self._boot("power", first=True)

    def request_shutdown(
        self,
        *,
        restart: bool,
        delay_s: float = 0.0,
        process: str,
        reason: str,
        code: str = "0x500ff",
        comment: str = "",
    ) -> None:
        """As shutdown.exe /s or /r /t; ``shutdown_pending`` until it begins or :meth:`abort_shutdown`."""
        windows = self.bench.windows
        report.shutdown_asked(windows, process, reason, code, restart=restart, comment=comment)
        asked = self._shutdown = object()

        def begin() -> None:
            if self._shutdown is asked:
                self._when_on(self._shut_down, restart)

        self._later(self.bench.scale(delay_s), begin)

    @property
    def shutdown_pending(self) -> bool:
        return self._shutdown is not None

    def abort_shutdown(self) -> bool:
        """False when none was pending."""
        pending, self._shutdown = self.shutdown_pending, None
        return pending

    def bugcheck(self, code: int, parameters: tuple[int, int, int, int]) -> None:
        """Stop with a bugcheck; dump and automatic restart as CrashControl says."""
        if self.power not in (Power.BOOTING, Power.ON, Power.ASLEEP, Power.STANDBY):
            return
        windows = self.bench.windows
        end = self.bench.faults.bugcheck_ends("dump")
        if end == "hang":
            self.hang()
            return
        up_s = (windows.now() - windows.last_boot).total_seconds()
        bugcheck = Bugcheck(code, parameters, windows.now(), up_s)
        self._stop_everything()
        self._dirty = Dirty(bugcheck if end != "reset" else None)
        self._become(Power.BUGCHECKED)
        self._go(self._crash(bugcheck, end))

    def request_bugcheck(self, code: int, parameters: tuple[int, int, int, int], *, delay_s: float) -> None:
        """Somebody on the machine asked for it."""
        self._later(delay_s, lambda: self.bugcheck(code, parameters))

    def hang(self) -> None:
        """Stop answering without a bugcheck, until power is cut."""
        self.hung = True
        self._stop_everything()

    # transitions, one at a time

    async def _boot(self, reason: str, *, first: bool = False) -> None:
        windows, scale = self.bench.windows, self.bench.scale
        seconds = 0.0 if first else self.bench.faults.boot_s(BOOT_S, reason=reason)
        self._become(Power.BOOTING)
        await async_pause(scale(seconds * FIRMWARE_SHARE))
        dirty, self._dirty = self._dirty, None
        self.hung, self._shutdown = False, None
        windows.kernel_starts(dirty, first=first)
        await async_pause(scale(seconds * (1 - FIRMWARE_SHARE)))
        await windows.services_start()
        if self._dirty:
            return  # a driver brought it down before it was up
        self._become(Power.ON)
        if self.bench.ssh and not first:
            self.bench.ssh.reset()
            await self.bench.ssh.listen_again()

    async def _shut_down(self, restart: bool) -> None:
        self._shutdown = None
        report.shutting_down(self.bench.windows, restart=restart)
        await async_pause(self.bench.scale(SHUTDOWN_S))
        if not restart:
            self.bench.windows.devices.soft_off(self.bench.windows.sleep_count)
        self._end_everything(standby_power=not restart)
        if restart:
            await self._boot("restart")
        else:
            self._become(Power.OFF)

    async def _crash(self, bugcheck: Bugcheck, end: str) -> None:
        crash_control = self.bench.windows.crash_control
        await async_pause(self.bench.scale(DUMP_S))
        if end != "reset":
            crash_control.keep(bugcheck)
        if crash_control.restarts and end != "stay":
            self.bench.windows.power_lost()
            if self.bench.nic:
                self.bench.nic.kill_all()
            await self._boot("crash")

    def _lose_power(self, *, long_press: bool = False) -> None:
        """Current is gone, or the button was held: nothing is written, memory is lost, hibernation stays on disk."""
        if self.power is Power.HIBERNATED and not self._waking:
            return
        if self.power is not Power.OFF:
            bugcheck = self._dirty.bugcheck if self._dirty else None
            self._dirty = Dirty(
                bugcheck, asleep=self.power is Power.ASLEEP or self._sleep is not None, long_press=long_press
            )
        self._end_everything()
        self._become(Power.OFF)

    def _end_everything(self, *, standby_power: bool = False) -> None:
        """Connections are reset, programs and drivers are gone, timers do not fire."""
        self._drop_all()
        self._waking = self.hung = False
        self._sleep = self._shutdown = None
        self.bench.windows.power_lost(standby_power=standby_power)
        if self.bench.ssh:
            self.bench.ssh.reset()
        if self.bench.nic:
            self.bench.nic.kill_all()

    def _stop_everything(self) -> None:
        """The processors stand still: no FIN, no answer, the link drops."""
        if self.bench.ssh:
            self.bench.ssh.stall()
        if self.bench.nic:
            self.bench.nic.freeze()
            self.bench.nic.suspend(False)

    def _relink(self) -> None:
        if self.bench.nic:
            self.bench.nic.set_link(self.cable and self.slot)
