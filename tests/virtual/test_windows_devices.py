"""Devnodes through removal, return, failure and restart, with what the registry keeps for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from virtual_windows import VirtualWindows

from hil.virtual.faults import Fault
from hil.virtual.faults.chain import FaultChain
from hil.virtual.power_state import Power
from hil.virtual.windows import settings
from hil.virtual.windows.network import Address
from hil.wait import async_pause

FAILED_START, DISABLED, NO_DRIVER, FAILED_POST_START, PHANTOM = 10, 22, 28, 43, 45


@pytest.fixture
def pc(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    with VirtualWindows(tmp_path) as machine:
        machine.trust(samples)
        machine.upload(samples.current, r"C:\hil\current")
        assert machine.run(r"pnputil /add-driver C:\hil\current\hilnic.inf /install")[0] == 0
        yield machine


def infect(machine: VirtualWindows, fault: Fault) -> None:
    machine.bench.faults = FaultChain([fault])


def adapter(machine: VirtualWindows):
    return machine.windows.devices.adapter_of(machine.nic)


def until(machine: VirtualWindows, reached: Callable[[], bool], deadline_s: float = 5.0) -> None:
    async def poll() -> None:
        while not reached():
            await async_pause(0.001)

    machine.wait(asyncio.wait_for(poll(), deadline_s))


async def _do(work: Callable[[], object]) -> None:
    work()


def pull(machine: VirtualWindows) -> None:
    machine.wait(_do(lambda: machine.bench.machine.set_slot(False)))
    until(machine, lambda: not machine.nic.present)


def plug(machine: VirtualWindows) -> None:
    machine.wait(_do(lambda: machine.bench.machine.set_slot(True)))
    until(machine, lambda: machine.nic.present and (machine.nic.started or machine.nic.problem != PHANTOM))


def test_removal_and_return(pc):
    """A pulled NIC is a phantom with a removal time and record 1010; back in its slot it starts with its settings.

    Nothing is installed again: no 400, no 410, as on a real machine.
    """
    events = pc.windows.events
    settings.write(pc.windows.registry, pc.nic.driver_key, "*ReceiveBuffers", "512")
    pc.windows.network.add(adapter(pc), Address(adapter(pc).index, adapter(pc).name, "198.18.0.1", 24))
    configured = len(events.channels["Microsoft-Windows-Kernel-PnP/Configuration"])
    pull(pc)
    assert (pc.nic.problem, pc.nic.status, pc.nic.started) == (PHANTOM, "Unknown", False)
    assert pc.nic.last_removal is not None
    assert [record.fields[0].value for record in events.find("Kernel-PnP", 1010)] == [pc.nic.instance_id]
    plug(pc)
    assert (pc.nic.problem, pc.nic.started) == (0, True)
    assert pc.nic.last_arrival > pc.nic.last_removal
    assert adapter(pc).value("*ReceiveBuffers") == "512"
    assert pc.windows.network.addresses(adapter(pc))[0].ip == "198.18.0.1"
    assert len(events.channels["Microsoft-Windows-Kernel-PnP/Configuration"]) == configured


def test_ten_removals_are_counted(pc):
    """Ten quick pulls and returns leave one devnode, one adapter and ten records.

    A dock with a bad contact does worse.
    """
    for _ in range(10):
        pull(pc)
        plug(pc)
    assert pc.nic.removals == 10
    assert len(list(pc.windows.events.find("Kernel-PnP", 1010))) == 10
    assert [one.name for one in pc.windows.devices.adapters] == ["Ethernet", "Ethernet 2"]


def test_pull_and_plug_without_a_pause(pc):
    """A contact that bounces ends with the device started, whatever came in between.

    Nobody pulls a card in one clean motion.
    """
    machine = pc.bench.machine

    async def bounce() -> None:
        for present in (False, True, False, True, False, True):
            machine.set_slot(present)
            await async_pause(0.0002)

    pc.wait(bounce())
    until(pc, lambda: pc.nic.present and pc.nic.started)
    pc.wait(async_pause(0.02))
    assert (pc.nic.present, pc.nic.started, pc.nic.problem) == (True, True, 0)


def test_disabled_survives_a_removal_and_a_boot(pc):
    """Disabled is kept with the devnode: after a removal and a boot it is still problem 22, and enabling starts it.

    An administrator's decision must not be undone by hardware.
    """
    pc.wait(pc.windows.devices.disable(pc.nic))
    pull(pc)
    plug(pc)
    assert pc.nic.problem == DISABLED
    pc.reboot()
    assert (pc.nic.problem, pc.nic.started) == (DISABLED, False)
    pc.wait(pc.windows.devices.enable(pc.nic))
    assert (pc.nic.problem, pc.nic.started) == (0, True)


def test_pulled_while_off_and_asleep(pc):
    """A NIC that left while the machine was off is a phantom after the boot; one that left in sleep, after resume.

    Service people pull cards from machines that are switched off.
    """
    machine = pc.bench.machine

    async def off() -> None:
        machine.set_mains(False)
        machine.set_slot(False)
        machine.set_mains(True)

    pc.wait(off())
    until(pc, lambda: machine.power is Power.ON)
    assert (pc.nic.present, pc.nic.problem) == (False, PHANTOM)
    plug(pc)

    async def asleep() -> None:
        machine.request_sleep("S3", delay_s=0.0, caller="test")
        while machine.power is not Power.ASLEEP:
            await async_pause(0.001)
        machine.set_slot(False)
        machine.press_button(0.1)

    pc.wait(asleep())
    until(pc, lambda: machine.power is Power.ON and not pc.nic.present)
    assert list(pc.windows.events.find("Kernel-PnP", 1010))


class _StartsNot(Fault):
    def __init__(self, reason: str) -> None:
        self.reason = reason

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and reason != self.reason


def test_failed_start(pc):
    """A driver that fails to start leaves problem 10 with its NTSTATUS, record 411, and no running adapter.

    Device Manager's yellow triangle, as a suite sees it.
    """
    infect(pc, _StartsNot("restart"))
    assert pc.wait(pc.windows.devices.restart(pc.nic)) is False
    assert (pc.nic.problem, pc.nic.problem_status, pc.nic.status) == (FAILED_START, 0xC0000001, "Error")
    values = {field.name: field.value for field in next(pc.windows.events.find("Kernel-PnP", 411)).fields}
    assert (values["Problem"], values["Status"]) == (FAILED_START, 0xC0000001)
    assert not adapter(pc).link_up


def test_device_dead_after_resume(pc):
    """A miniport that does not reach D0 writes NDIS 10317 with event 74 and shows problem 43.

    The classic of a driver that forgets to restore its bus master bit.
    """
    infect(pc, _StartsNot("resume"))
    machine = pc.bench.machine

    async def cycle() -> None:
        machine.request_sleep("S3", delay_s=0.0, caller="test")
        while machine.power is not Power.ASLEEP:
            await async_pause(0.001)
        machine.press_button(0.1)
        while machine.power is not Power.ON or pc.nic.problem == 0:
            await async_pause(0.001)

    pc.wait(asyncio.wait_for(cycle(), 5))
    assert pc.nic.problem == FAILED_POST_START
    values = {field.name: field.value for field in next(pc.windows.events.find("NDIS", 10317)).fields}
    assert values["MiniportEventEnum"] == 74


def test_leak_shows_in_the_pool(pc):
    """What a removal leaks is in the non-paged pool, above its noise, until the next boot.

    Pool is memory that no process owns: only the total tells.
    """

    class Leak(Fault):
        def leak_bytes(self, count: int) -> int:
            return count + 2**20

    infect(pc, Leak())
    before = pc.windows.memory.non_paged_pool_bytes()
    pull(pc)
    plug(pc)
    grown = pc.windows.memory.non_paged_pool_bytes() - before
    assert 2**20 - 2**18 < grown < 2**20 + 2**18
    pc.reboot()
    assert abs(pc.windows.memory.non_paged_pool_bytes() - before) < 2**18


def test_hang_in_halt_keeps_the_devnode(pc):
    """While MiniportHaltEx hangs, the pulled device is still listed as present.

    Windows cannot delete a devnode whose driver has not let go.
    """

    class Hang(Fault):
        def halt_s(self, seconds: float) -> float:
            return seconds + 100.0

    infect(pc, Hang())
    pc.wait(_do(lambda: pc.bench.machine.set_slot(False)))
    pc.wait(async_pause(0.03))
    assert pc.nic.present
    until(pc, lambda: not pc.nic.present)


def test_install_records(pc):
    """The first install writes 400, 430, 410 to Kernel-PnP/Configuration and 20003, 20001 to System.

    They are the proof of which package was bound.
    """
    configured = pc.windows.events.channels["Microsoft-Windows-Kernel-PnP/Configuration"]
    assert [record.id for record in configured] == [400, 430, 410]
    values = {field.name: field.value for field in configured[0].fields}
    assert [values[name] for name in ("DriverName", "DriverVersion")] == ["oem0.inf", "2.1.0.0"]
    assert values["DriverDate"] == "09/15/2025"
    system = [record.id for record in pc.windows.events.channels["System"] if record.provider.endswith("UserPnp")]
    assert system == [20003, 20001]


def test_remove_device_forgets_it(pc):
    """pnputil /remove-device deletes the devnode with its settings (record 420); a scan installs it afresh.

    The clean start that support asks for first.
    """
    settings.write(pc.windows.registry, pc.nic.driver_key, "*ReceiveBuffers", "512")
    instance_id = pc.nic.instance_id
    assert pc.run(f'pnputil /remove-device "{instance_id}"')[0] == 0
    assert pc.windows.devices.find(instance_id) is None
    assert [record.fields[0].value for record in pc.windows.events.find("Kernel-PnP", 420)] == [instance_id]
    assert pc.run("pnputil /scan-devices")[0] == 0
    until(pc, lambda: pc.windows.devices.find(instance_id) is not None and pc.nic.started)
    assert adapter(pc).value("*ReceiveBuffers") != "512"


def test_reset_is_told(pc):
    """A miniport reset that a fault brings about is NDIS 10400 with reason and count.

    Faults from outside the project write it this way; the guard counts it.
    """
    pc.windows.miniport_reset(2, 1)
    values = {field.name: field.value for field in next(pc.windows.events.find("NDIS", 10400)).fields}
    assert (values["AdapterName"], values["ResetReason"], values["ResetCount"]) == (pc.nic.description, 2, 1)
