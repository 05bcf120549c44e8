"""CLIXML: what we write psrpcore reads, and what psrpcore writes we read; two implementations, one format."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import psrpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psrpcore.types import PSCustomObject, add_note_property, deserialize
from psrpcore.types import serialize as theirs

from hil.remote.clixml import decode_text, read
from hil.remote.clixml_writer import create_pipeline, encode_text, serialize
from hil.remote.objects import PSEnum, PSObject

CIPHER = psrpcore.PSRemotingCrypto()
text = st.text(st.characters(exclude_categories=[]))
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text | st.binary() | st.uuids()
    | st.floats(allow_nan=False) | st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
)  # fmt: skip
"""Years from 1000 on: psrpcore writes earlier ones with fewer than four digits."""
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=12)


@given(text)
def test_any_text_survives(sample: str) -> None:
    """Names of adapters and messages of localized Windows hold any character, controls and lone surrogates too."""
    encoded = encode_text(sample)
    (element,) = ElementTree.fromstring(f"<R><S>{encoded}</S></R>")
    assert decode_text(element.text or "") == sample


@given(values)
def test_what_we_write_we_read(value: Any) -> None:
    """Objects that go there and come back are the same, with their types."""
    assert read(serialize(value)) == value


@given(values)
def test_what_we_write_psrpcore_reads(value: Any) -> None:
    """Another implementation of the format sees the same value in what we send."""
    assert plain(deserialize(ElementTree.fromstring(serialize(value)), CIPHER)) == value


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, uuid.UUID):
        return uuid.UUID(str(value))
    if isinstance(value, str):
        return str.__str__(value)
    return value


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
"""psrpcore leaves lone surrogates in names of properties as they are, and XML cannot carry them."""


@given(st.dictionaries(names, scalars.filter(lambda value: not isinstance(value, float)), max_size=5))
def test_what_psrpcore_writes_we_read(members: dict[str, Any]) -> None:
    """Objects with properties, as another implementation writes them, come out whole."""
    made = PSCustomObject()
    for name, value in members.items():
        add_note_property(made, name, value)
    got = read(ElementTree.tostring(theirs(made, CIPHER)))
    assert dict(got.properties) == members
    assert got.type_names[0] == "System.Management.Automation.PSCustomObject"


def test_shapes_of_windows() -> None:
    """Enumerations, references, type references, typed numbers, ticks and offsets, as PowerShell itself writes them."""
    got = read(
        b'<Obj RefId="0"><TN RefId="0"><T>Deserialized.A</T><T>System.Object</T></TN><ToString>text</ToString><Props>'
        b'<Obj N="State" RefId="1"><TN RefId="1"><T>S.State</T><T>System.Enum</T></TN><ToString>Up</ToString>'
        b'<I32>1</I32></Obj><Ref N="Again" RefId="1" /><U64 N="Big">18446744073709551615</U64><C N="Sign">65</C>'
        b'<DT N="Local">2026-11-22T13:00:00.1234567+01:00</DT><DT N="Naive">2026-11-22T13:00:00</DT>'
        b'<TS N="Span">-P1DT2H3M4.5S</TS><Db N="Inf">-INF</Db><D N="Exact">0.10</D><Version N="V">7.5.4</Version>'
        b'<Obj N="Odd" RefId="2"><I32>5</I32><MS><S N="Note">x</S></MS></Obj></Props>'
        b'<MS><Obj N="Same" RefId="3"><TNRef RefId="0" /><MS><Nil N="Nothing" /></MS></Obj></MS></Obj>'
    )
    assert got.type_names == ("A", "System.Object") and str(got) == "text"
    assert got["state"] == "Up" and got["State"] == 1 and got["Again"] is got["State"]
    assert got["Big"] == 2**64 - 1 and got["Sign"] == "A" and got["Exact"] == Decimal("0.10") and got["V"] == "7.5.4"
    assert got["Local"] == datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert got["Naive"] == datetime(2026, 11, 22, 13)  # noqa: DTZ001 - .NET's Unspecified has no zone
    assert got["Span"] == -timedelta(days=1, hours=2, minutes=3, seconds=4.5) and got["Inf"] == -float("inf")
    assert got["Odd"] == 5 and got["Same"].type_names == got.type_names and got["Same"]["Nothing"] is None


@given(st.binary() | st.text().map(str.encode))
def test_rubbish_is_a_value_error(data: bytes) -> None:
    """A reply that is no CLIXML is refused as such, so that the message can show it."""
    with pytest.raises(ValueError):
        read(data)


arguments = st.lists(st.tuples(st.none() | st.text("abcXYZ", min_size=1), values), max_size=4)


@given(st.lists(st.tuples(st.text("Get-Xyz", min_size=1), arguments), min_size=1, max_size=3), st.booleans())
def test_psrpcore_understands_our_pipelines(calls: Any, no_input: bool) -> None:
    """The message that creates a pipeline says to another implementation what we meant: commands, names and values."""
    element = ElementTree.fromstring(create_pipeline(calls, no_input=no_input))
    pipeline = psrpcore.PowerShell.FromPSObjectForRemoting(deserialize(element, CIPHER))
    got = [(c.command_text, [(n, plain(v)) for n, v in c.parameters]) for c in pipeline.commands]
    assert got == calls
    assert pipeline.no_input is no_input and not any(c.is_script for c in pipeline.commands)


def test_names_match_whatever_their_case() -> None:
    """PowerShell does not mind case in names; a missing one is named together with what there is."""
    thing = PSObject(("T",), {"ifIndex": 7})
    assert thing["IFINDEX"] == 7 and thing.get("nothing") is None and "ifindex" in thing
    with pytest.raises(KeyError, match="there is: ifIndex"):
        thing["Speed"]


def test_an_enumeration_compares_with_its_text_and_number() -> None:
    """Suites write ``status == "Up"``; localized text never decides, the number is there too."""
    state = PSEnum(1, "Up", "T")
    assert state == "up" and state == 1 and state != "Down" and int(state) == 1 and state == PSEnum(1, "Oben")


def test_a_value_without_a_type_is_refused() -> None:
    """An object that PowerShell cannot get is an error here, not an odd string there."""
    with pytest.raises(TypeError, match="no type for"):
        serialize(object())
