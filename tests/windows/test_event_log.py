"""Event logs of the virtual machine."""

from __future__ import annotations

from desk import Desk

from hil.windows import Adapter, EventLog, Machine
from hil.windows.event_log import KERNEL_PNP, PNP_MANAGEMENT, SYSTEM


def test_from_a_bookmark_on(desk: Desk, adapter: Adapter) -> None:
    """Only what was written after the bookmark comes, with its fields: here the record of a surprise removal."""
    events, slot = desk.machine.events, desk.instrument("slot")
    before = events.mark()
    assert events.since(before) == []
    slot.pull()
    adapter.wait_absent()
    slot.plug()
    adapter.wait_up()
    (removed,) = events.since(before, KERNEL_PNP, [1010])
    assert removed.log == PNP_MANAGEMENT
    assert removed.fields[0] == adapter.instance_id
    assert removed.record_id > before.records[PNP_MANAGEMENT]
    assert events.since(before, KERNEL_PNP, [1010], logs=[SYSTEM]) == []
    assert events.since(events.mark(), KERNEL_PNP, [1010]) == []


def test_log_that_is_not_there(machine: Machine) -> None:
    """A log that this Windows has not is left out: older builds lack one, and are tested all the same."""
    events = EventLog(machine.shell, ["No such log", SYSTEM])
    bookmark = events.mark()
    assert set(bookmark.records) == {SYSTEM}
    assert events.since(bookmark) == []


def test_every_record_is_read(machine: Machine) -> None:
    """The whole log from the first record on is read, whatever is in it, in the order it was written."""
    found = machine.events.since(type(machine.events.mark())({SYSTEM: 0}))
    numbers = [event.record_id for event in found]
    assert len(numbers) >= 1
    assert numbers == sorted(numbers)
    assert all(event.time.tzinfo for event in found)
