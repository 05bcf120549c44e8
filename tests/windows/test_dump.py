"""Headers of dump files."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.windows.bugchecks import bugcheck_name
from hil.windows.dump import HEADER_BYTES, parse_header

CRASHED = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)


def header(code: int = 0xD1, parameters: tuple[int, ...] = (0x10, 2, 0, 0xFFFFF80412345678), **fields: int) -> bytes:
    """A header by offset (reference power-pnp.md 4.3), everything else zero."""
    data = bytearray(HEADER_BYTES)
    data[:8] = b"PAGEDU64"
    values = {"build": 26100, "machine": 0x8664, "processors": 8, "kind": 4, "time": 0, "uptime": 0, **fields}
    struct.pack_into("<II", data, 0x008, 15, values["build"])
    struct.pack_into("<III", data, 0x030, values["machine"], values["processors"], code)
    struct.pack_into("<4Q", data, 0x040, *parameters)
    struct.pack_into("<I", data, 0xF98, values["kind"])
    struct.pack_into("<Q", data, 0xFA8, values["time"])
    struct.pack_into("<Q", data, 0x1030, values["uptime"])
    return bytes(data)


def test_header_of_a_minidump() -> None:
    """Code, parameters, build and time are read: the first thing a driver developer asks about a red night."""
    ticks = int((CRASHED - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
    found = parse_header(header(time=ticks, uptime=36_000_000_000))
    assert (found.code, found.build, found.machine, found.processors, found.kind) == (0xD1, 26100, "amd64", 8, "small")
    assert found.parameters == (0x10, 2, 0, 0xFFFFF80412345678)
    assert (found.time, found.uptime) == (CRASHED, timedelta(hours=1))
    assert str(found) == "0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x10, 0x2, 0x0, 0xFFFFF80412345678)"


def test_unknown_values_are_shown_as_numbers() -> None:
    """A code, machine or kind that is not in our tables is shown, not refused: Windows has more than we know."""
    found = parse_header(header(code=0xDEAD, machine=0x1234, kind=9))
    assert (bugcheck_name(found.code), found.machine, found.kind) == ("0xDEAD", "0x1234", "9")


@pytest.mark.parametrize(
    "data", [b"", b"PAGEDU64", b"MDMP" + bytes(HEADER_BYTES), b"PAGEDUMP" + bytes(HEADER_BYTES), header()[:-1]],
    ids=["empty", "signature only", "user-mode", "32-bit", "one byte short"],
)  # fmt: skip
def test_what_is_no_dump(data: bytes) -> None:
    """A truncated, 32-bit or user-mode file is refused with what it is: codes must never be read from other bytes."""
    with pytest.raises(UsageError, match="64-bit kernel dump"):
        parse_header(data)


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 2**64 - 1)] * 4), st.integers(0, 2**64 - 1))
def test_any_numbers(code: int, parameters: tuple[int, int, int, int], time: int) -> None:
    """Every code and parameter comes back as it was written, whatever the time field holds."""
    found = parse_header(header(code=code, parameters=parameters, time=time))
    assert (found.code, found.parameters) == (code, parameters)


@given(st.binary(min_size=1, max_size=64))
def test_any_bytes(some: bytes) -> None:
    """Random bytes behind a good signature give a header; random bytes without one give our own error."""
    filler = some * (HEADER_BYTES // len(some) + 1)
    parse_header(b"PAGEDU64" + filler)
    if not filler.startswith(b"PAGEDU64"):
        with pytest.raises(UsageError):
            parse_header(filler)
