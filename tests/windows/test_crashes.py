"""Crashes of the virtual machine, seen as what they are."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from desk import Desk

from hil.errors import BenchError, Bugcheck
from hil.remote import Command
from hil.wait import wait_until
from hil.windows import Adapter, Incident, IncidentKind, parse_header
from hil.windows.dump import HEADER_BYTES


def test_bugcheck_with_its_dump(troubled: tuple[Desk, Adapter], tmp_path: Path) -> None:
    """A driver that crashes Windows on removal is that bugcheck, with parameters and a dump that holds the same."""
    desk, adapter = troubled
    slot, machine = desk.instrument("slot"), desk.machine
    mark, boot = machine.crashes.mark(), machine.boot()
    for _ in range(3):
        slot.pull()
        adapter.wait_absent()
        slot.plug()
        adapter.wait_up()
    slot.pull()
    machine.wait_booted(after=boot)
    slot.plug()
    adapter.wait_up()
    (incident,) = machine.crashes.since(mark)
    assert (incident.kind, incident.code) == (IncidentKind.BUGCHECK, 0xD1)
    assert isinstance(incident.error("bench"), Bugcheck)
    whole = machine.crashes.collect(mark, tmp_path / "whole")
    headers = machine.crashes.collect(mark, tmp_path / "headers", limit_bytes=1)
    assert whole and all(dump.complete and dump.header for dump in whole)
    for dump in headers:
        assert not dump.complete and dump.local.stat().st_size == HEADER_BYTES
        header = parse_header(dump.local.read_bytes())
        assert (header.code, header.parameters) == (incident.code, incident.parameters)


def test_mains_lost(desk: Desk) -> None:
    """A power cut is a power loss, not a bugcheck; while it lasts the machine is unreachable, which is said quickly."""
    machine, outlet = desk.machine, desk.instrument("outlet")
    mark, boot = machine.crashes.mark(), machine.boot()
    outlet.off()
    # the power supply holds up for some milliseconds
    wait_until(lambda: not machine.ssh.alive(0.5), what="the machine to be off", timeout_s=5)
    with pytest.raises(BenchError):
        machine.boot()
    outlet.on()
    machine.wait_booted(after=boot)
    assert [incident.kind for incident in machine.crashes.since(mark)] == [IncidentKind.POWER_LOSS]


def test_restart_that_nobody_asked_for(troubled: tuple[Desk, Adapter]) -> None:
    """A restart by Windows itself is seen, with the process that asked: else the driver is blamed for it."""
    desk, adapter = troubled
    machine = desk.machine
    mark, boot = machine.crashes.mark(), machine.boot()
    adapter.restart()
    machine.wait_booted(after=boot)
    (incident,) = machine.crashes.since(mark)
    assert incident.kind is IncidentKind.REBOOT
    assert "MusNotification" in incident.what


def test_nothing_happened(desk: Desk) -> None:
    """A quiet minute has no incident and no dump."""
    mark = desk.machine.crashes.mark()
    assert desk.machine.crashes.since(mark) == []
    assert desk.machine.crashes.new_dumps(mark) == []


def test_dump_over_a_connection_that_breaks(desk: Desk, tmp_path: Path) -> None:
    """The connection is lost in the middle of a dump: the transfer goes on where it was, and what arrived is whole.

    A machine that just crashed is likely to go down once more while its dump is fetched.
    """
    machine, folder = desk.machine, tmp_path / "artifacts"
    content = b"PAGEDU64" + os.urandom(24_000_000)
    (tmp_path / "big").write_bytes(content)
    mark = machine.crashes.mark()
    remote = r"C:\Windows\LiveKernelReports\NDIS\NDIS-big.dmp"
    machine.upload(tmp_path / "big", remote)
    broken_at: list[int] = []

    def break_it() -> None:
        part = folder / "NDIS-big.dmp.part"
        wait_until(
            lambda: part.exists() and part.stat().st_size > 2_000_000, what="some of it", timeout_s=20, interval_s=0.002
        )
        broken_at.append(part.stat().st_size)
        machine.ssh.close()

    breaker = threading.Thread(target=break_it)
    breaker.start()
    (collected,) = machine.crashes.collect(mark, folder)
    breaker.join()
    assert 2_000_000 < broken_at[0] < len(content)
    assert collected.local.read_bytes() == content
    assert [path.name for path in folder.iterdir()] == ["NDIS-big.dmp"]
    machine.shell.run(Command("Remove-Item", Path=remote))


def test_dump_that_is_announced_and_never_written(desk: Desk) -> None:
    """The event log names a dump that is not there: the guard waits for it a while, and goes on without it."""
    crashes = desk.machine.crashes
    mark = crashes.mark()
    promised = Incident(IncidentKind.BUGCHECK, "bugcheck", datetime.now(UTC), dump=r"C:\Windows\Minidump\never.dmp")
    assert not crashes.settle(mark, [promised], timeout_s=0.3)
    assert crashes.settle(mark, [], timeout_s=0.3)
