"""What the linker wrote into an image: imports, load configuration, debug information.

Source: Microsoft, "PE Format" (import directory, load configuration, debug directory); CodeView RSDS record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from hil.errors import UsageError
from hil.package.pe import Pe

_IMPORT, _DEBUG, _LOAD_CONFIG = 1, 6, 10
_CODE_VIEW = 2
_COOKIE = {True: 88, False: 60}
"""Offset of SecurityCookie in the load configuration, by whether the image is 64 bits wide."""
_GUARD_FLAGS = {True: 144, False: 88}
_GUARD_INSTRUMENTED = 0x100
_MOST = 4096
"""Imports of one library, libraries of one image: more is damage."""


@dataclass(frozen=True)
class Pdb:
    """Identity of the symbols that belong to an image, as a debugger looks them up."""

    guid: UUID
    age: int
    path: str

    @property
    def key(self) -> str:
        """Folder name in a symbol store."""
        return f"{self.guid.hex.upper()}{self.age:X}"


@dataclass(frozen=True)
class Linkage:
    """Facts from an image's tables."""

    imports: tuple[tuple[str, tuple[str, ...]], ...]
    """Library, as written, and the functions taken from it; ``#7`` for one by number."""
    security_cookie: bool
    """Whether stack buffers are guarded (/GS)."""
    control_flow_guard: bool
    """Whether indirect calls are guarded (/guard:cf)."""
    pdb: Pdb | None

    @classmethod
    def read(cls, image: Pe, data: bytes, name: str) -> Linkage:
        """Raises UsageError when a table points to nowhere."""
        try:
            return _read(image, data)
        except (struct.error, ValueError, IndexError) as error:
            raise UsageError("an image whose tables can be read", seen=str(error), where=name) from error


def _read(image: Pe, data: bytes) -> Linkage:
    configuration = _directory(image, _LOAD_CONFIG)
    cookie = guard = 0
    if configuration is not None:
        wide = image.is_64
        size = struct.unpack_from("<I", data, configuration)[0]
        if size >= _COOKIE[wide] + 8:
            cookie = struct.unpack_from("<Q" if wide else "<I", data, configuration + _COOKIE[wide])[0]
        if size >= _GUARD_FLAGS[wide] + 4:
            guard = struct.unpack_from("<I", data, configuration + _GUARD_FLAGS[wide])[0]
    return Linkage(tuple(_imports(image, data)), bool(cookie), bool(guard & _GUARD_INSTRUMENTED), _pdb(image, data))


def _directory(image: Pe, index: int) -> int | None:
    """Where in the file a directory's table starts; None without one. Raises ValueError for one outside."""
    address, size = image.directories[index] if index < len(image.directories) else (0, 0)
    return _place(image, address) if address and size else None


def _place(image: Pe, address: int) -> int:
    found = image.offset(address)
    if found is None:
        raise ValueError(f"address {address:#x} is in no section")
    return found


def _imports(image: Pe, data: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    at = _directory(image, _IMPORT)
    for index in range(_MOST if at is not None else 0):
        names, _, _, library, addresses = struct.unpack_from("<5I", data, (at or 0) + 20 * index)
        if not library:
            return
        yield _text(data, _place(image, library)), tuple(_functions(image, data, names or addresses))


def _functions(image: Pe, data: bytes, address: int) -> Iterator[str]:
    at, width = _place(image, address), 8 if image.is_64 else 4
    for index in range(_MOST):
        thunk = int.from_bytes(data[at + width * index :][:width], "little")
        if not thunk:
            return
        by_number = thunk >> (8 * width - 1)
        yield f"#{thunk & 0xFFFF}" if by_number else _text(data, _place(image, thunk & 0x7FFFFFFF) + 2)


def _pdb(image: Pe, data: bytes) -> Pdb | None:
    at = _directory(image, _DEBUG)
    for index in range(image.directories[_DEBUG][1] // 28 if at is not None else 0):
        kind, size, _, place = struct.unpack_from("<4I", data, (at or 0) + 28 * index + 12)
        if kind == _CODE_VIEW and data[place : place + 4] == b"RSDS":
            guid, age = struct.unpack_from("<16sI", data, place + 4)
            path = data[place + 24 : place + size].split(b"\0", 1)[0].decode("utf-8", "replace")
            return Pdb(UUID(bytes_le=guid), age, path)
    return None


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("ascii", "replace")
