"""Event records as both PowerShells write them into JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError
from hil.windows.event_log import json_value, parse_record, xpath

WHEN = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
RECORD = {
    "RecordId": 4711, "ProviderName": "Microsoft-Windows-Kernel-Power", "Id": 42, "Level": 4,
    "TimeCreated": "2026-03-01T12:00:00.1230000Z", "LogName": "System", "Properties": [{"Value": 4}, {"Value": "x"}],
}  # fmt: skip


def test_record_of_powershell_7() -> None:
    """A record of PowerShell 7 is read with its time in UTC and its fields by position, which tell the wake source."""
    event = parse_record(json.loads(json.dumps(RECORD)))
    assert (event.provider, event.id, event.record_id, event.log) == (RECORD["ProviderName"], 42, 4711, "System")
    assert event.time == WHEN
    assert event.fields == (4, "x")


@pytest.mark.parametrize("written", ["/Date(1772366400123)/", {"value": "/Date(1772366400123)/", "DateTime": "1."}])
def test_record_of_windows_powershell(written: object) -> None:
    """Windows PowerShell 5.1 writes dates as milliseconds, plain or decorated: machines without PowerShell 7 count."""
    assert parse_record({**RECORD, "TimeCreated": written}).time == WHEN


def test_local_time_with_offset() -> None:
    """PowerShell 7 writes local time with its offset: a lab elsewhere must not see its timeline shifted."""
    assert parse_record({**RECORD, "TimeCreated": "2026-03-01T21:00:00.1230000+09:00"}).time == WHEN


def test_record_without_fields() -> None:
    """A record without inserted values, or with a level of nothing, is a record all the same."""
    event = parse_record({**RECORD, "Properties": None, "Level": None})
    assert (event.fields, event.level) == ((), 0)


@pytest.mark.parametrize(
    "broken",
    [{}, {**RECORD, "RecordId": "x"}, {**RECORD, "TimeCreated": "yesterday"}, {**RECORD, "Properties": [1]}],
)
def test_what_is_no_event(broken: dict[str, object]) -> None:
    """Anything else is a bench error that shows what came: not a traceback, and never an event that was made up."""
    with pytest.raises(BenchError, match="an event as JSON"):
        parse_record(broken)


@given(st.integers(0, 4_000_000_000_000_000))
def test_dates_survive(microseconds: int) -> None:
    """Every date comes back, from milliseconds and from seven digits of a second: sleep times are compared by them."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert moment - json_value(f"/Date({microseconds // 1000})/") < timedelta(milliseconds=1)
    assert json_value(moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z") == moment


SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_taken(value: object) -> None:
    """Whatever a driver vendor logs as a field, reading it does not fail: the record beside it may be the crash."""
    json_value(value)


def test_xpath() -> None:
    """The query names record, provider and ids, so that Windows filters a log of 20 MB and not we."""
    assert xpath(7) == "*[System[EventRecordID > 7]]"
    assert xpath(7, "P", (1, 2)) == "*[System[EventRecordID > 7 and Provider[@Name='P'] and (EventID=1 or EventID=2)]]"
