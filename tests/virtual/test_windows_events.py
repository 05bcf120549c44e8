"""The event log: versions by build, numbering, XPath queries."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.virtual.windows.event_catalog import KINDS
from hil.virtual.windows.event_log import EventLog, rendered
from hil.virtual.windows.event_query import NAMESPACE, compile_query, to_xml


def now() -> datetime:
    return datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def log() -> EventLog:
    return EventLog(26100, now)


VERSIONS = [(26100, 10, 21), (22631, 9, 20), (22000, 8, 16), (19045, 8, 16)]


@pytest.mark.parametrize(("build", "version", "count"), VERSIONS)
def test_versions_follow_the_build(build, version, count):
    """Kernel-Power 41 has the version and the number of fields of the Windows that writes it.

    A reader that counts on the newest layout breaks on last year's machine.
    """
    log = EventLog(build, now)
    log.add("Kernel-Power", 41, BugcheckCode=0xD1)
    record = log.channels["System"][0]
    assert (record.version, len(record.fields)) == (version, count)
    assert record.fields[0].value == 0xD1


def test_windows_10_has_no_removal_record():
    """Kernel-PnP 1010 is not written before Windows 11.

    There a removal must be seen by other means.
    """
    log = EventLog(19045, now)
    log.add("Kernel-PnP", 1010, DeviceInstanceId="x", DeviceCount=1)
    assert not list(log.find("Kernel-PnP", 1010))


def test_every_kind_can_be_written_and_rendered(log):
    """Each record of the catalogue can be written with no fields given, rendered, and found by its id.

    A typing error in a table of forty entries would otherwise wait for the one night that needs it.
    """
    for (provider, event_id), kind in KINDS.items():
        log.enabled[kind.channel] = True
        log.add(provider, event_id)
        record = log.channels[kind.channel][-1]
        assert "{" not in record.message.replace("{0000", "")
        assert ElementTree.fromstring(to_xml(record, "HIL-VM")).find(f"{{{NAMESPACE}}}System") is not None
        assert compile_query(f"*[System[EventID={event_id} and Provider[@Name='{provider}']]]")(record)


def test_unknown_field_is_refused(log):
    """A field that no manifest has is an error of the model, not a silent loss.

    Tests of product code rest on these names.
    """
    with pytest.raises(KeyError):
        log.add("Kernel-Power", 42, TargetStat=4)


def test_disabled_channel_takes_nothing(log):
    """A record for a channel that is off is lost; switched on, the next one is kept.

    NDIS/Operational is off on every Windows as it is installed.
    """
    channel = "Microsoft-Windows-Kernel-PnP/Configuration"
    assert not log.enabled["Microsoft-Windows-NDIS/Operational"]
    log.enabled[channel] = False
    log.add("Kernel-PnP", 430, DeviceInstanceId="lost")
    log.enabled[channel] = True
    log.add("Kernel-PnP", 430, DeviceInstanceId="kept")
    assert [record.fields[0].value for record in log.channels[channel]] == ["kept"]


QUERIES = {
    "*": {1, 2, 3, 4},
    "*[System[EventRecordID > 2]]": {3, 4},
    "*[System[(EventID=42 or EventID=107) and EventRecordID >= 2]]": {2, 3},
    "*[System[Provider[@Name='EventLog' or @Name='volmgr']]]": {1, 4},
    "*[System[Provider[@Name='Microsoft-Windows-Kernel-Power'] and (EventID=42)]]": {2},
    "*[System/Level=2]": set(),
    "*[System[Level=4][EventID=6005]]": {1},
    "*[EventData[Data[@Name='TargetState']=4]]": {2, 3},
    "*[EventData[Data[@Name='TargetState'] and Data[@Name='Reason']=4]]": {2},
    "Event[System[EventID != 6005]]": {2, 3, 4},
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries(log, query):
    """XPath as clients write it picks the records that it names.

    A bookmark is such a query: one that picks too little loses a crash.
    """
    log.add("EventLog", 6005)
    log.add("Kernel-Power", 42, TargetState=4, Reason=4)
    log.add("Kernel-Power", 107, TargetState=4)
    log.add("volmgr", 162)
    test = compile_query(query)
    assert {record.record_id for record in log.channels["System"] if test(record)} == QUERIES[query]


BAD_QUERIES = ["", "[", "*[System[", "*[System[EventID=]]", "*]", "//x", "*[position()=1]", "*[System[EventID='1]]"]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_bad_queries(query):
    """What is no query is refused as such.

    Windows answers a typing error with error 15001, not with an empty log.
    """
    with pytest.raises(ValueError):
        compile_query(query)


@given(st.text(alphabet="*[]()=<>!@'\" SystemEventIDandor/0123456789", max_size=60))
def test_queries_never_break(query):
    """Any text is a query or a ValueError.

    The parser stands on the network, behind a cmdlet's parameter.
    """
    log = EventLog(26100, now)
    log.add("Kernel-Power", 42)
    try:
        compile_query(query)(log.channels["System"][0])
    except ValueError:
        return


@given(st.text(max_size=40))
def test_xml_keeps_text(text):
    """A field's text comes out of the XML as it went in, also with markup in it.

    Device names hold ampersands.
    """
    log = EventLog(26100, now)
    allowed = "".join(char for char in text if char.isprintable())
    log.add("Kernel-PnP", 430, DeviceInstanceId=allowed)
    record = log.channels["Microsoft-Windows-Kernel-PnP/Configuration"][0]
    data = ElementTree.fromstring(to_xml(record, "HIL-VM")).find(f".//{{{NAMESPACE}}}Data")
    assert (data.text or "") == allowed == rendered(record.fields[0])
