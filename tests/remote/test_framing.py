"""The readers of the wire form take any cut of the bytes, and refuse what is not the protocol."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.remote.framing import (
    Defragmenter,
    FramingError,
    LineReader,
    client_message,
    data_element,
    fragments,
    parse_element,
    plain_element,
)

guids = st.uuids()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(st.lists(st.binary().filter(lambda line: not set(line) & {10, 13})), st.lists(st.integers(0, 20)), st.booleans())
def test_lines_survive_any_cut(lines: list[bytes], sizes: list[int], crlf: bool) -> None:
    """TCP delivers bytes in any pieces, Windows ends lines with CRLF and Linux with LF: the lines are the same."""
    reader = LineReader()
    stream = b"".join(line + (b"\r\n" if crlf else b"\n") for line in lines)
    assert [line for piece in cut(stream, sizes) for line in reader.feed(piece)] == lines


@given(guids, st.binary())
def test_data_elements_come_back(target: uuid.UUID, data: bytes) -> None:
    """What is wrapped for the wire is what is unwrapped from it."""
    element = parse_element(data_element(target, data).rstrip(b"\n"))
    assert (element.tag, element.target, element.data) == ("Data", target, data)


@pytest.mark.parametrize(
    "line",
    [
        b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000' />",
        b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000'/>",
        b'<DataAck PSGuid="00000000-0000-0000-0000-000000000000" />',
        b"<Data PSGuid='00000000-0000-0000-0000-000000000000' Stream='Default'></Data>",
    ],
)
def test_spellings_of_one_element(line: bytes) -> None:
    """Another version of PowerShell may write its XML with other quotes, blanks or order."""
    assert parse_element(line).target == uuid.UUID(int=0)


@given(st.binary())
def test_anything_else_is_refused_by_name(line: bytes) -> None:
    """A banner of some logon script on stdout ends in one clear error, never in a crash of the reader."""
    try:
        element = parse_element(line)
    except FramingError as error:
        assert "element" in str(error) or "in b" in str(error)
    else:
        assert plain_element(element.tag, element.target).split()[0] in line


messages = st.tuples(st.integers(0, 2**31), guids, guids, st.binary(max_size=300))


@given(st.lists(messages, max_size=5), st.integers(22, 100), st.lists(st.integers(0, 64)), st.data())
def test_messages_survive_fragments_and_cuts(
    sent: list[tuple[int, uuid.UUID, uuid.UUID, bytes]], limit: int, sizes: list[int], data: st.DataObject
) -> None:
    """Big objects come in many fragments, several objects interleaved: each is put together whole."""
    queues = []
    for number, (kind, pool, pipeline, body) in enumerate(sent):
        raw = client_message(kind, pool, pipeline, body.removeprefix(b"\xef\xbb\xbf"))
        queues.append([*fragments(raw, number, limit)])
    stream = bytearray()
    while any(queues):
        stream += data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0)
    defragmenter = Defragmenter()
    got = [message for piece in cut(bytes(stream), sizes) for message in defragmenter.feed(piece)]
    wanted = [(kind, pipeline, body.removeprefix(b"\xef\xbb\xbf")) for kind, _, pipeline, body in sent]
    assert sorted((m.kind, m.pipeline, m.data) for m in got) == sorted(wanted)


def test_fragments_keep_their_limit() -> None:
    """PowerShell cuts at 32 KB; a longer fragment would be refused by some versions."""
    assert all(len(fragment) <= 32768 for fragment in fragments(bytes(100_000), 1, 32768))


def test_a_lost_fragment_is_noticed() -> None:
    """An object with a hole is an error, not a shorter object."""
    first, _, third = fragments(bytes(60), 7, 41)
    defragmenter = Defragmenter()
    assert list(defragmenter.feed(first)) == []
    with pytest.raises(FramingError, match="fragment 2 of object 7 where 1 was due"):
        list(defragmenter.feed(third))
