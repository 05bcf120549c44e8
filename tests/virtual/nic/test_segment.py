"""Cutting super-frames and finishing checksums in Python, against the rules of large send."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from super_frames import Segment, super_frames
from virtual_wire import checksum_errors

from hil.virtual.nic.segment import VnetHeader, cut, segment_count


@given(super_frames())
def test_segments_follow_the_rules_of_large_send(made: Segment) -> None:
    """Every segment but the last is full, in order, with its own length, number and checksums, options copied.

    A driver's large send is judged by these rules on a real wire; the virtual one must not break them itself.
    """
    frames = list(cut(made.header, made.frame))
    size, tcp = made.headers_size, made.header.checksum_start
    assert len(frames) == segment_count(made.header, made.frame)
    assert b"".join(frame[size:] for frame in frames) == made.frame[size:]
    assert all(len(frame) - size == made.header.segment_size for frame in frames[:-1])
    first = struct.unpack_from("!I", made.frame, tcp + 4)[0]
    at = 0
    for number, frame in enumerate(frames):
        assert checksum_errors(frame) == []
        assert frame[tcp + 20 : size] == made.frame[tcp + 20 : size]
        assert struct.unpack_from("!I", frame, tcp + 4)[0] == (first + at) % 2**32
        flags, wanted = frame[tcp + 13], made.frame[tcp + 13]
        assert flags & 0x09 == (wanted & 0x09 if number == len(frames) - 1 else 0)
        assert flags & 0x80 == (wanted & 0x80 if number == 0 else 0)
        at += len(frame) - size


@given(st.binary(max_size=300), st.binary(min_size=14, max_size=100))
def test_checksum_left_to_the_adapter_is_filled(payload: bytes, head: bytes) -> None:
    """A checksum that the stack left to the adapter is that of the bytes, whatever their number.

    An odd last byte is where checksum engines fail.
    """
    pseudo = 0x1234
    frame = head + struct.pack("!HHHH", 1, 2, 8 + len(payload), pseudo) + payload
    start = len(head)
    (done,) = cut(VnetHeader(1, 0, 0, 0, start, 6), frame)
    words = [int.from_bytes(done[at : at + 2].ljust(2, b"\0"), "big") for at in range(start, len(done), 2)]
    total = sum(words) + pseudo
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    assert done[: start + 6] + done[start + 8 :] == frame[: start + 6] + frame[start + 8 :]


@given(st.binary(min_size=14, max_size=200))
def test_finished_frames_pass_unchanged(frame: bytes) -> None:
    """A frame that needs nothing is not touched: what is sent raw must arrive bit for bit."""
    assert list(cut(VnetHeader(), frame)) == [frame]
