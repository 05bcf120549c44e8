"""The wire form of PowerShell remoting over a stream: lines of XML outside, fragments of messages inside.

Sources: OutOfProcTransportManager.cs of PowerShell (openssh-psrp.md, 2.1) and MS-PSRP 2.2.1, 2.2.4.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

POOL = uuid.UUID(int=0)
"""Addresses the runspace pool; any other GUID is a pipeline."""
_ELEMENT = re.compile(rb"""<(\w+)((?: +\w+=(?:'[^']*'|"[^"]*"))*) *(?:/>|>([A-Za-z0-9+/=]*)</\1>)""")
_GUID = re.compile(rb"""PSGuid=['"]([0-9a-fA-F-]{36})['"]""")
_FRAGMENT = struct.Struct(">QQBI")
_MESSAGE = struct.Struct("<II16s16s")
_SERVER = 2
"""Destination of a message that the client sends."""


class FramingError(Exception):
    """The far end said something that is not this protocol; the text shows what."""


@dataclass(frozen=True)
class Element:
    """One line: ``Data`` with its bytes, or ``DataAck``, ``CommandAck``, ``CloseAck``, ``SignalAck``."""

    tag: str
    target: uuid.UUID
    data: bytes = b""


@dataclass(frozen=True)
class Message:
    """One whole message: its type (MS-PSRP 2.2.1), the pipeline (POOL for none) and its CLIXML."""

    kind: int
    pipeline: uuid.UUID
    data: bytes
    raw: bytes
    """With the message header, as it was before it was cut into fragments."""


def parse_element(line: bytes) -> Element:
    """Raises FramingError."""
    found = _ELEMENT.fullmatch(line)
    guid = _GUID.search(found[2]) if found else None
    if found is None or guid is None:
        raise FramingError(f"not an element of the protocol: {line[:200]!r}")
    try:
        data = base64.b64decode(found[3] or b"", validate=True)
        return Element(found[1].decode(), uuid.UUID(guid[1].decode()), data)
    except (binascii.Error, ValueError) as error:
        raise FramingError(f"{error} in {line[:200]!r}") from error


def data_element(target: uuid.UUID, data: bytes, *, prompt_response: bool = False) -> bytes:
    stream = b"PromptResponse" if prompt_response else b"Default"
    return b"<Data Stream='%s' PSGuid='%s'>%s</Data>\n" % (stream, str(target).encode(), base64.b64encode(data))


def plain_element(tag: str, target: uuid.UUID) -> bytes:
    """``Command``, ``Close`` or ``Signal``."""
    return f"<{tag} PSGuid='{target}' />\n".encode()


class LineReader:
    """Cuts a stream into lines, ended by LF or CRLF; keeps what is not complete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends."""
        self._rest += data
        if b"\n" not in data:
            return []
        *lines, self._rest = self._rest.split(b"\n")
        return [bytes(line).rstrip(b"\r") for line in lines]


@dataclass
class Defragmenter:
    """Puts the messages of one stream together from their fragments, wherever the bytes were cut."""

    _bytes: bytearray = field(default_factory=bytearray)
    _parts: dict[int, list[bytes]] = field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. Raises FramingError for a fragment out of order."""
        self._bytes += data
        at = 0
        while len(self._bytes) - at >= _FRAGMENT.size:
            object_id, number, flags, length = _FRAGMENT.unpack_from(self._bytes, at)
            end = at + _FRAGMENT.size + length
            if end > len(self._bytes):
                break
            parts = self._parts.setdefault(object_id, [])
            if number != len(parts):
                raise FramingError(f"fragment {number} of object {object_id} where {len(parts)} was due")
            parts.append(bytes(self._bytes[at + _FRAGMENT.size : end]))
            at = end
            if flags & 2:
                yield _message(b"".join(self._parts.pop(object_id)))
        del self._bytes[:at]


def _message(raw: bytes) -> Message:
    if len(raw) < _MESSAGE.size:
        raise FramingError(f"a message of {len(raw)} bytes")
    _, kind, _, pipeline = _MESSAGE.unpack_from(raw)
    return Message(kind, uuid.UUID(bytes_le=pipeline), raw[_MESSAGE.size :].removeprefix(b"\xef\xbb\xbf"), raw)


def one_fragment(raw: bytes, object_id: int) -> bytes:
    """A whole message as a single fragment."""
    return _FRAGMENT.pack(object_id, 0, 3, len(raw)) + raw


def client_message(kind: int, pool: uuid.UUID, pipeline: uuid.UUID, data: bytes) -> bytes:
    """A message from the client to the server."""
    return _MESSAGE.pack(_SERVER, kind, pool.bytes_le, pipeline.bytes_le) + data


def fragments(raw: bytes, object_id: int, limit: int) -> Iterator[bytes]:
    """The message cut so that each fragment, with its header, has at most ``limit`` bytes."""
    room = limit - _FRAGMENT.size
    for number, at in enumerate(range(0, len(raw), room)):
        part = raw[at : at + room]
        flags = (at == 0) | (at + room >= len(raw)) << 1
        yield _FRAGMENT.pack(object_id, number, flags, len(part)) + part
