"""The machine's power states, and what the System log says of each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from virtual_windows import VirtualWindows

from hil.virtual.power_state import Power
from hil.virtual.windows import settings
from hil.virtual.windows.low_power import low_power
from hil.wait import async_pause

ADAPTER_MAC = bytes.fromhex("021d0f000001")
MAGIC = b"\xff" * 6 + bytes.fromhex("0242ac110002") + b"\x08\x42" + b"\xff" * 6 + ADAPTER_MAC * 16
CALLER = r"\Device\HarddiskVolume3\Program Files\PowerShell\7\pwsh.exe"


@pytest.fixture
def pc(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    """A PC whose NIC runs on the current package."""
    with VirtualWindows(tmp_path) as machine:
        machine.trust(samples)
        machine.upload(samples.current, r"C:\hil\current")
        assert machine.run(r"pnputil /add-driver C:\hil\current\hilnic.inf /install")[0] == 0
        yield machine


def kinds(machine: VirtualWindows, after: int = 0) -> list[tuple[str, int]]:
    """Provider (without Microsoft-Windows-) and id of the System log's records, in the order they were written."""
    records = machine.windows.events.channels["System"]
    return [(one.provider.removeprefix("Microsoft-Windows-"), one.id) for one in records if one.record_id > after]


def last_record(machine: VirtualWindows) -> int:
    return machine.windows.events.channels["System"][-1].record_id


def newest(machine: VirtualWindows, provider: str, event_id: int) -> dict[str, object]:
    *_, record = machine.windows.events.find(provider, event_id)
    return {field.name: field.value for field in record.fields}


async def until(reached: Callable[[], bool], deadline_s: float = 5.0) -> None:
    async def poll() -> None:
        while not reached():
            await async_pause(0.001)

    await asyncio.wait_for(poll(), deadline_s)


def act(machine: VirtualWindows, work: Callable[[], object], power: Power) -> None:
    """Do ``work`` on the machine's loop and wait for the power state."""

    async def run() -> None:
        outcome = work()
        if isinstance(outcome, Awaitable):
            await outcome
        await until(lambda: machine.bench.machine.power is power)

    machine.wait(run())


def sleep(machine: VirtualWindows, state: str = "S3", **more: float) -> None:
    asleep = Power.ASLEEP if state == "S3" else Power.HIBERNATED
    act(machine, lambda: machine.bench.machine.request_sleep(state, delay_s=0.0, caller=CALLER, **more), asleep)


def wake(machine: VirtualWindows, frame: bytes = MAGIC) -> None:
    before = len(list(machine.windows.events.find("Power-Troubleshooter", 1)))

    async def run() -> None:
        machine.bench.machine.wake_frame(frame)
        await until(lambda: len(list(machine.windows.events.find("Power-Troubleshooter", 1))) > before)

    machine.wait(run())


@pytest.mark.parametrize(("state", "number"), [("S3", 4), ("S4", 5)])
def test_sleep_and_wake_records(pc, state, number):
    """A sleep through the API and a wake write 187, 42, 107, 1, 1 in that order, with the state and the NIC as source.

    Whoever proves a wake from the log of a real machine does it with these records.
    """
    before, boot = last_record(pc), pc.windows.last_boot
    sleep(pc, state)
    wake(pc)
    assert kinds(pc, before) == [
        ("Kernel-Power", 187), ("Kernel-Power", 42), ("Kernel-Power", 107), ("Kernel-General", 1),
        ("Power-Troubleshooter", 1),
    ]  # fmt: skip
    account = newest(pc, "Power-Troubleshooter", 1)
    assert (account["TargetState"], account["EffectiveState"]) == (number, number)
    assert (account["WakeSourceType"], account["WakeSourceText"]) == (5, pc.nic.description)
    assert account["WakeSourceTextLength"] == len(pc.nic.description)
    assert newest(pc, "Kernel-Power", 42)["Reason"] == 4  # application API
    assert newest(pc, "Kernel-Power", 187)["ApiCallerName"] == CALLER
    assert account["SleepTime"] < account["WakeTime"]
    assert pc.windows.last_boot == boot
    assert (pc.nic.started, pc.nic.problem) == (True, 0)


def test_resume_record_carries_the_old_clock(pc):
    """Kernel-Power 107 is stamped before the clock was corrected: earlier than its record number says.

    Code that sorts by time over a sleep gets a wrong story; the model must be able to show it.
    """
    sleep(pc)
    pc.wait(async_pause(0.05))
    wake(pc)
    resumed = next(pc.windows.events.find("Kernel-Power", 107))
    corrected = next(pc.windows.events.find("Kernel-General", 1))
    assert resumed.record_id < corrected.record_id
    assert (corrected.time - resumed.time).total_seconds() >= 0.04


def test_wake_timer(pc):
    """A wake timer ends the sleep at its true time, with source type 6 and the process that set it.

    It is the guard by which a dead NIC never loses the bench.
    """
    sleep(pc, wake_after_s=0.2)
    act(pc, lambda: None, Power.ON)
    pc.wait(until(lambda: bool(list(pc.windows.events.find("Power-Troubleshooter", 1)))))
    account = newest(pc, "Power-Troubleshooter", 1)
    assert (account["WakeSourceType"], account["WakeTimerOwner"]) == (6, CALLER)
    assert account["SleepDuration"] >= 100


def test_button_wakes(pc):
    """A short press ends a sleep, with the button as the source.

    Recovery presses it when the network is silent.
    """
    sleep(pc)
    act(pc, lambda: pc.bench.machine.press_button(0.2), Power.ON)
    pc.wait(until(lambda: bool(list(pc.windows.events.find("Power-Troubleshooter", 1)))))
    assert newest(pc, "Power-Troubleshooter", 1)["WakeSourceType"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pc: settings.write(pc.windows.registry, pc.nic.driver_key, "*WakeOnMagicPacket", "0"),
        lambda pc: setattr(pc.windows.devices.adapter_of(pc.nic), "wake_enabled", False),
    ],
    ids=["keyword off", "device not allowed to wake"],
)  # fmt: skip
def test_disarmed_nic_does_not_listen(pc, spoil):
    """With the keyword off, or the device not allowed to wake, the driver is not told to listen.

    A suite that passes on a NIC that wakes regardless would hide a battery drain.
    """
    adapter = pc.windows.devices.adapter_of(pc.nic)
    assert low_power(adapter, "S3").magic
    spoil(pc)
    assert not low_power(adapter, "S3").magic


def test_clean_restart_records(pc):
    """shutdown /r writes 1074, 6006, 109 (reset), 577, 13, and the boot 12, 20, 27, 6009, 6005, 6013.

    These tell an orderly reboot from a crash.
    """
    before, boot = last_record(pc), pc.windows.last_boot
    pc.reboot()
    assert kinds(pc, before) == [
        ("User32", 1074), ("EventLog", 6006), ("Kernel-Power", 109), ("Kernel-Power", 577), ("Kernel-General", 13),
        ("Kernel-General", 12), ("Kernel-Boot", 20), ("Kernel-Boot", 27), ("EventLog", 6009), ("EventLog", 6005),
        ("EventLog", 6013),
    ]  # fmt: skip
    assert newest(pc, "Kernel-Power", 109)["ShutdownActionType"] == 5
    assert newest(pc, "User32", 1074)["param5"] == "restart"
    assert newest(pc, "Kernel-Boot", 20)["LastShutdownGood"] is True
    assert pc.windows.last_boot > boot


def test_power_off_by_button(pc):
    """A short press of the running machine is a clean shutdown; the next press boots without Kernel-Power 41.

    Recovery uses the button before it cuts mains.
    """
    act(pc, lambda: pc.bench.machine.press_button(0.2), Power.OFF)
    assert newest(pc, "Kernel-Power", 109)["ShutdownActionType"] == 6
    before = last_record(pc)
    act(pc, lambda: pc.bench.machine.press_button(0.2), Power.ON)
    assert ("Kernel-Power", 41) not in kinds(pc, before)


def test_power_cut_records(pc):
    """Mains lost: the next boot writes 12, 20, 27, 41 with code 0, 6008, then the log service starts.

    Without a bugcheck code in 41 a crash must not be reported.
    """
    before = last_record(pc)
    pc.cut_power()
    assert kinds(pc, before) == [
        ("Kernel-General", 12), ("Kernel-Boot", 20), ("Kernel-Boot", 27), ("Kernel-Power", 41), ("EventLog", 6008),
        ("EventLog", 6009), ("EventLog", 6005), ("EventLog", 6013),
    ]  # fmt: skip
    dirty = newest(pc, "Kernel-Power", 41)
    assert (dirty["BugcheckCode"], dirty["SleepInProgress"]) == (0, 0)
    assert newest(pc, "Kernel-Boot", 20)["LastShutdownGood"] is False


def test_power_cut_in_sleep(pc):
    """Mains lost in S3 is a dirty boot with SleepInProgress; in S4 the machine resumes from its disk.

    The difference between losing a night's session and not.
    """
    sleep(pc, "S3")
    pc.cut_power()
    assert newest(pc, "Kernel-Power", 41)["SleepInProgress"] != 0
    boot = pc.windows.last_boot
    sleep(pc, "S4")
    machine = pc.bench.machine
    act(pc, lambda: machine.set_mains(False), Power.HIBERNATED)
    assert machine.watts() == 0.0
    act(pc, lambda: machine.set_mains(True), Power.ON)
    assert pc.windows.last_boot == boot


def test_held_button_is_a_hard_off(pc):
    """Four seconds on the button cut power at once, and the next boot says that it was the button.

    The last rung before the mains outlet.
    """
    act(pc, lambda: pc.bench.machine.press_button(4.5), Power.OFF)
    act(pc, lambda: pc.bench.machine.press_button(0.2), Power.ON)
    assert newest(pc, "Kernel-Power", 41)["LongPowerButtonPressDetected"] is True


def test_hung_machine_needs_force(pc):
    """A machine that hangs ignores a short press; the next boot shows code 0, as after a power cut.

    A hang without a bugcheck is the case a watchdog exists for.
    """
    machine = pc.bench.machine
    pc.wait(_do(machine.hang))
    pc.wait(_do(lambda: machine.press_button(0.2)))
    assert machine.power is Power.ON
    pc.cut_power()
    assert newest(pc, "Kernel-Power", 41)["BugcheckCode"] == 0
    assert not machine.hung


async def _do(work: Callable[[], object]) -> None:
    work()


def test_watts_follow_the_state(pc):
    """Off, asleep, hibernated, on: each draws what such a PC draws, in that order, and nothing without mains.

    The meter is the second witness that a machine really slept.
    """
    machine, drawn = pc.bench.machine, {}
    drawn["on"] = machine.watts()
    sleep(pc)
    drawn["S3"] = machine.watts()
    wake(pc)
    sleep(pc, "S4")
    drawn["S4"] = machine.watts()
    act(pc, lambda: machine.set_mains(False), Power.HIBERNATED)
    assert machine.watts() == 0.0
    assert 0.0 < drawn["S4"] < drawn["S3"] < 5.0
    assert 25.0 < drawn["on"] < 60.0


def test_watchers_see_each_change(pc):
    """Subscribers are told every change of the power state, in order.

    Faults and instruments that depend on the state hang on it.
    """
    seen: list[Power] = []
    pc.bench.machine.subscribe(lambda _, new: seen.append(new))
    sleep(pc)
    wake(pc)
    pc.cut_power()
    assert seen == [Power.ASLEEP, Power.ON, Power.OFF, Power.BOOTING, Power.ON]
