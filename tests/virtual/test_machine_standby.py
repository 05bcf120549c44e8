"""What the NIC is told when the machine goes to sleep, Modern Standby, and starts from soft off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from virtual_windows import VirtualWindows

from hil.virtual.power_state import Power
from hil.virtual.windows import settings
from hil.virtual.windows.low_power import LowPower, low_power
from hil.wait import async_pause

MAC = bytes.fromhex("021d0f000001")
MAGIC = b"\xff" * 6 + bytes.fromhex("0242ac110002") + b"\x08\x42" + b"\xff" * 6 + MAC * 16
CALLER = "test"


def machine_of(folder: Path, samples, **virtual) -> VirtualWindows:
    pc = VirtualWindows(folder, **virtual)
    pc.__enter__()
    pc.trust(samples)
    pc.upload(samples.current, r"C:\hil\current")
    assert pc.run(r"pnputil /add-driver C:\hil\current\hilnic.inf /install")[0] == 0
    return pc


@pytest.fixture
def pc(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    """A PC with S3 and S4 whose NIC runs on the current package."""
    pc = machine_of(tmp_path, samples)
    yield pc
    pc.__exit__(None, None, None)


@pytest.fixture
def tablet(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    """The same with Modern Standby in place of S3."""
    pc = machine_of(tmp_path, samples, sleep="s0ix")
    yield pc
    pc.__exit__(None, None, None)


def told(pc: VirtualWindows, state: str) -> LowPower:
    return low_power(pc.windows.devices.adapter_of(pc.nic), state)


def write(pc: VirtualWindows, **values: str) -> None:
    names = {"magic": "*WakeOnMagicPacket", "patterns": "*WakeOnPattern", "standby": "*ModernStandbyWoLMagicPacket",
             "link": "WakeOnLink", "off": "WakeFromS5", "password": "SecureOnPassword", "arp": "*PMARPOffload",
             "ns": "*PMNSOffload"}  # fmt: skip
    for name, value in values.items():
        settings.write(pc.windows.registry, pc.nic.driver_key, names[name], value)


def reach(pc: VirtualWindows, work: Callable[[], object], power: Power) -> None:
    async def run() -> None:
        work()
        while pc.bench.machine.power is not power:
            await async_pause(0.001)

    pc.wait(asyncio.wait_for(run(), 5))


def sleep(pc: VirtualWindows, state: str, power: Power) -> None:
    reach(pc, lambda: pc.bench.machine.request_sleep(state, delay_s=0.0, caller=CALLER), power)


def test_armed_by_settings(pc):
    """Each setting arms its own kind of wake or answer, and only that.

    A suite that switches one thing off must see that one thing gone.
    """
    full = told(pc, "S3")
    assert full.magic and full.patterns and full.ipv6 and not full.link
    write(pc, patterns="0")
    assert told(pc, "S3").magic and not told(pc, "S3").patterns
    write(pc, magic="0", link="1", ns="0")
    assert (told(pc, "S3").magic, told(pc, "S3").link, told(pc, "S3").ipv6) == (False, True, ())
    write(pc, arp="0", link="0")
    assert not told(pc, "S3").listens


def test_standby_needs_its_own_keyword(pc):
    """A magic packet ends Modern Standby only with *ModernStandbyWoLMagicPacket, and S5 only with the driver's own.

    The keyword governs S0ix only, as its documentation says.
    """
    assert not told(pc, "S0ix").magic
    write(pc, standby="1")
    assert told(pc, "S0ix").magic
    assert told(pc, "S5").magic and not told(pc, "S5").patterns
    write(pc, off="0")
    assert told(pc, "S3").magic and not told(pc, "S5").magic


@pytest.mark.parametrize(("text", "password"), [("A1B2C3D4E5F6", True), ("", False), ("A1B2", False), ("XYZ", False)])
def test_password_must_be_whole(pc, text, password):
    """Twelve hexadecimal digits are a password, anything else is none: the field takes any text."""
    write(pc, password=text)
    assert bool(told(pc, "S3").password) is password


def test_modern_standby_records(tablet):
    """Modern Standby writes 506 and 507 and neither 42, 107 nor the Power-Troubleshooter's account.

    Whoever waits for 107 on such a machine waits for ever.
    """
    events, machine = tablet.windows.events, tablet.bench.machine
    last = events.channels["System"][-1].record_id
    sleep(tablet, "S0ix", Power.STANDBY)
    assert 2.0 < machine.watts() < 6.0
    reach(tablet, lambda: machine.press_button(0.1), Power.ON)
    written = [one for one in events.channels["System"] if one.record_id > last]
    assert [one.id for one in written] == [506, 507]
    left = {field.name: field.value for field in written[1].fields}
    assert (left["Reason"], len(written[1].fields)) == (1, 52)  # power button; Windows 11 24H2
    assert 0 < left["DripsResidencyInUs"] <= left["DurationInUs"]


def test_states_that_are_not_offered(tablet):
    """A machine with Modern Standby has no S3: the request is refused and nothing is written, powercfg says why."""
    before = len(tablet.windows.events.channels["System"])
    tablet.wait(_asked(tablet, "S3"))
    assert tablet.bench.machine.power is Power.ON
    assert len(tablet.windows.events.channels["System"]) == before
    said = tablet.run("powercfg /a")[1]
    offered, missing = said.split("not available")
    assert "S0 Low Power Idle" in offered
    assert "Standby (S3)" in missing


async def _asked(pc: VirtualWindows, state: str) -> None:
    pc.bench.machine.request_sleep(state, delay_s=0.0, caller=CALLER)
    await async_pause(0.02)


def test_start_from_soft_off(pc):
    """Shut down, the machine starts by a magic packet; after a power cut it does not, and not without its keyword.

    Standby power keeps the filter alive, and nothing else does.
    """
    machine, boot = pc.bench.machine, pc.windows.last_boot
    reach(pc, lambda: machine.press_button(0.1), Power.OFF)
    reach(pc, lambda: machine.wake_frame(MAGIC), Power.ON)
    assert pc.windows.last_boot > boot
    reach(pc, lambda: machine.press_button(0.1), Power.OFF)
    pc.wait(_cut_and_knock(pc))
    assert machine.power is Power.BOOTING  # by the mains, as the firmware is set
    reach(pc, lambda: None, Power.ON)
    write(pc, off="0")
    reach(pc, lambda: machine.press_button(0.1), Power.OFF)
    pc.wait(_knock(pc))
    assert machine.power is Power.OFF


async def _cut_and_knock(pc: VirtualWindows) -> None:
    pc.bench.machine.set_mains(False)
    pc.bench.machine.wake_frame(MAGIC)
    assert pc.bench.machine.power is Power.OFF
    pc.bench.machine.set_mains(True)


async def _knock(pc: VirtualWindows) -> None:
    pc.bench.machine.wake_frame(MAGIC)


def test_card_without_power_forgets(pc):
    """A NIC that was pulled and plugged while the machine slept wakes it no more: its filter is gone.

    A test of removal in sleep must not count on a wake by the same NIC.
    """
    machine = pc.bench.machine
    sleep(pc, "S3", Power.ASLEEP)
    for present in (False, True):
        pc.wait(_slot(pc, present))
    pc.wait(_knock(pc))
    assert machine.watts() < 10
    reach(pc, lambda: machine.press_button(0.1), Power.ON)


async def _slot(pc: VirtualWindows, present: bool) -> None:
    pc.bench.machine.set_slot(present)


@pytest.mark.parametrize("armed", [True, False])
def test_link_change(pc, armed):
    """A cable that goes wakes the machine when link wake is armed, and only then."""
    write(pc, link=str(int(armed)))
    sleep(pc, "S3", Power.ASLEEP)
    pc.wait(_pull_cable(pc))
    assert (pc.bench.machine.watts() > 10) is armed


async def _pull_cable(pc: VirtualWindows) -> None:
    pc.bench.machine.set_cable(False)
