"""Bugchecks: what Windows leaves behind, and when it restarts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_windows import VirtualWindows

from hil.virtual.power_state import Power
from hil.virtual.windows.crash import CRASH_CONTROL, Bugcheck, header
from hil.wait import async_pause

PARAMETERS = (0xFFFFFFFF, 2, 0, 0xFFFFF80412345678)
MINIDUMPS, MEMORY = r"C:\Windows\Minidump", r"C:\Windows\MEMORY.DMP"


@pytest.fixture
def pc(tmp_path: Path) -> Iterator[VirtualWindows]:
    with VirtualWindows(tmp_path) as machine:
        yield machine


def crash(machine: VirtualWindows, code: int = 0xD1) -> None:
    """Stop with a bugcheck and wait for the automatic restart."""

    async def run() -> None:
        machine.bench.machine.bugcheck(code, PARAMETERS)
        while machine.bench.machine.power is not Power.ON:
            await async_pause(0.002)

    machine.wait(run())


def kinds(machine: VirtualWindows, after: int) -> list[tuple[str, int]]:
    records = machine.windows.events.channels["System"]
    return [(one.provider.removeprefix("Microsoft-Windows-"), one.id) for one in records if one.record_id > after]


def test_crash_records(pc):
    """After a bugcheck the boot writes 12, 20, 27, 162, 41, 1001, 6008, 6009, 6005, 6013; 41 and 1001 carry the code.

    The guard reports a crash from exactly these.
    """
    before = pc.windows.events.channels["System"][-1].record_id
    crash(pc)
    assert kinds(pc, before) == [
        ("Kernel-General", 12), ("Kernel-Boot", 20), ("Kernel-Boot", 27), ("volmgr", 162), ("Kernel-Power", 41),
        ("WER-SystemErrorReporting", 1001), ("EventLog", 6008), ("EventLog", 6009), ("EventLog", 6005),
        ("EventLog", 6013),
    ]  # fmt: skip
    dirty = next(pc.windows.events.find("Kernel-Power", 41))
    values = [field.value for field in dirty.fields[:5]]
    assert values == [0xD1, *PARAMETERS]
    report = next(pc.windows.events.find("WER-SystemErrorReporting", 1001))
    text, path = report.fields[0].value, report.fields[1].value
    assert text == "0x000000d1 (0x00000000ffffffff, 0x0000000000000002, 0x0000000000000000, 0xfffff80412345678)"
    assert path == MEMORY
    assert pc.windows.files.exists(MEMORY)


def test_dump_header(pc):
    """Both dump files begin with the header of a 64-bit kernel dump that holds code, parameters, build and time.

    A crash is told apart from another by this header, also where no debugger is at hand.
    """
    crash(pc)
    small = pc.windows.files.listing(MINIDUMPS)
    assert len(small) == 1
    assert small[0].suffix == ".dmp"
    for raw, kind in ((small[0].read_bytes(), 4), (pc.windows.files.read(MEMORY), 6)):
        assert raw[:8] == b"PAGEDU64"
        assert struct.unpack_from("<II", raw, 8) == (15, 26100)
        assert struct.unpack_from("<I", raw, 0x30)[0] == 0x8664
        assert struct.unpack_from("<I", raw, 0x38)[0] == 0xD1
        assert struct.unpack_from("<4Q", raw, 0x40) == PARAMETERS
        assert struct.unpack_from("<I", raw, 0xF98)[0] == kind
        assert struct.unpack_from("<Q", raw, 0xFA0)[0] == len(raw)
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=struct.unpack_from("<Q", raw, 0xFA8)[0] / 10)
        assert abs(moment - pc.windows.now()) < timedelta(seconds=30)


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 2**64 - 1)] * 4))
def test_header_keeps_every_value(code, parameters):
    """Whatever the code and the parameters, the header gives them back.

    Addresses in the upper half of the address space are the rule, not the exception.
    """
    raw = header(Bugcheck(code, parameters, datetime(2026, 1, 1, tzinfo=UTC), 12.5), 26100, 4, 8192)
    assert len(raw) == 8192
    assert struct.unpack_from("<I", raw, 0x38)[0] == code
    assert struct.unpack_from("<4Q", raw, 0x40) == parameters
    assert struct.unpack_from("<Q", raw, 0x1030)[0] == 125_000_000


def test_small_dumps_only(pc):
    """CrashDumpEnabled 3, once a boot has read it, leaves a minidump and no MEMORY.DMP.

    A lab that keeps every crash of a night wants small ones.
    """
    pc.windows.registry.set(CRASH_CONTROL, "CrashDumpEnabled", 3)
    pc.reboot()
    crash(pc)
    assert len(pc.windows.files.listing(MINIDUMPS)) == 1
    assert not pc.windows.files.exists(MEMORY)


def test_no_dump_is_told(pc):
    """With dumps switched off the boot says 161 and leaves no file, but 41 still has the code.

    A missing dump must not hide a crash.
    """
    pc.windows.registry.set(CRASH_CONTROL, "CrashDumpEnabled", 0)
    pc.reboot()
    crash(pc, 0x9F)
    assert not pc.windows.files.listing(MINIDUMPS)
    assert next(pc.windows.events.find("volmgr", 161))
    assert next(pc.windows.events.find("Kernel-Power", 41)).fields[0].value == 0x9F


def test_blue_screen_stays_without_autoreboot(pc):
    """With AutoReboot 0 the machine stays on its blue screen until power is cut; the crash is told after that.

    On such a machine only an outlet or the button brings the bench back.
    """
    pc.windows.registry.set(CRASH_CONTROL, "AutoReboot", 0)

    async def stop() -> None:
        pc.bench.machine.bugcheck(0x133, PARAMETERS)
        await async_pause(0.1)

    pc.wait(stop())
    assert pc.bench.machine.power is Power.BUGCHECKED
    pc.cut_power()
    assert next(pc.windows.events.find("Kernel-Power", 41)).fields[0].value == 0x133
    assert pc.windows.files.exists(MEMORY)


def test_power_cut_while_the_dump_is_written(pc):
    """Mains lost on the blue screen before the dump is complete: code in 41, but no dump.

    A harness that cuts power too early destroys its evidence; the model must show that.
    """

    async def stop() -> None:
        pc.bench.machine.bugcheck(0xD1, PARAMETERS)

    pc.wait(stop())
    pc.cut_power()
    assert next(pc.windows.events.find("Kernel-Power", 41)).fields[0].value == 0xD1
    assert next(pc.windows.events.find("volmgr", 161))
    assert not pc.windows.files.listing(MINIDUMPS)
