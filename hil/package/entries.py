"""The text of an INF taken apart: sections and entries, with the line of each.

Source of the grammar: Microsoft, "General syntax rules for INF files" (windows-driver-docs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from hil.errors import UsageError

_TOKEN = re.compile(r'"(?:[^"]|"")*"?|[,;=\\]|[^",;=\\]+')
_QUOTED = "\x01"
"""Stands for a quoted piece that was set aside; no INF has this character."""
_STRING_LINE = re.compile(r'([^"=,;\\]*[^"=,;\\\s])\s*=\s*"([^"]*)"')


class Line(NamedTuple):
    """One entry of a section, ``key = value, value`` or values alone; strings are substituted, quotes are gone."""

    key: str | None
    values: tuple[str, ...]
    number: int
    """Line in the file, from 1; the first one of a continued entry."""

    def value(self, index: int) -> str:
        """The value at ``index`` from 0; empty when the entry is shorter."""
        return self.values[index] if index < len(self.values) else ""


@dataclass(frozen=True)
class Section:
    """All entries under one name; sections of the same name are merged, as SetupAPI does."""

    name: str
    headers: tuple[int, ...]
    """Lines of its headers; more than one when sections were merged."""
    lines: tuple[Line, ...]

    @property
    def number(self) -> int:
        """Line of its first header."""
        return self.headers[0]

    @cached_property
    def _first_of(self) -> dict[str, Line]:
        return {line.key.lower(): line for line in reversed(self.lines) if line.key is not None}

    def all(self, key: str) -> tuple[Line, ...]:
        """Entries with this key, any case, in order."""
        return tuple(line for line in self.lines if line.key is not None and line.key.lower() == key.lower())

    def first(self, key: str) -> Line | None:
        return self._first_of.get(key.lower())


def sections(text: str, name: str) -> dict[str, Section]:
    """All sections by lower-case name; ``name`` is the file's. Raises UsageError for a header without its bracket."""
    found: dict[str, tuple[str, list[int], list[Line]]] = {}
    current: list[Line] | None = None
    lines = enumerate(text.replace("\0", " ").replace(_QUOTED, " ").split("\x1a", 1)[0].split("\n"), start=1)
    for number, raw in lines:
        stripped = raw.strip()
        if stripped.startswith("["):
            title, closed, _ = stripped[1:].partition("]")
            if not closed:
                raise UsageError("a section name that ends with ]", seen=stripped[:80], where=f"{name}:{number}")
            title = title.strip().strip('"')
            _, headers, current = found.setdefault(title.lower(), (title, [], []))
            headers.append(number)
        elif stripped and not stripped.startswith(";") and current is not None:
            line = _plain_entry(stripped, number) or _entry(raw, number, lines)
            if line.key is not None or any(line.values):
                current.append(line)
    return {key: Section(title, tuple(headers), tuple(entries)) for key, (title, headers, entries) in found.items()}


def _plain_entry(text: str, number: int) -> Line | None:
    """An entry on one line without doubled or open quotes; None for the others. Much faster than the general way.

    Quoted pieces are set aside, so that commas, signs and comments are looked for in the rest only. Half the lines of
    a vendor's INF are translated strings, ``KEY = "text"``, which need not even that.
    """
    if simple := _STRING_LINE.fullmatch(text):
        return Line(simple[1], (simple[2],), number)
    if '"' not in text:
        body, quoted = text, iter("")
    elif '""' in text or text.count('"') % 2:
        return None
    else:
        pieces = text.split('"')
        body, quoted = _QUOTED.join(pieces[::2]), iter(pieces[1::2])
    if ";" in body:
        body = body.partition(";")[0].rstrip()
    if body.endswith("\\"):
        return None
    key, sign, rest = body.partition("=")
    has_key = bool(sign) and "," not in key
    fields = [key, *rest.split(",")] if has_key else body.split(",")
    texts = [_with_quoted(field.strip(), quoted) if _QUOTED in field else field.strip() for field in fields]
    values = tuple(texts[has_key:])
    nothing = not rest.strip() if has_key else not body
    return Line(texts[0] if has_key else None, () if nothing else values, number)


def _with_quoted(field: str, quoted: Iterator[str]) -> str:
    first, *others = field.split(_QUOTED)
    return first + "".join(next(quoted) + other for other in others)


def _entry(text: str, number: int, lines: Iterator[tuple[int, str]]) -> Line:
    """Read one entry; takes further physical lines while it is continued by a backslash."""
    key: str | None = None
    values: list[str] = []
    field = _Field()
    continued = True
    while continued:
        continued = False
        for token in _TOKEN.finditer(text):
            piece = token[0]
            if piece == ";":
                break
            if piece == "\\" and not text[token.end() :].partition(";")[0].strip():
                continued = True
                break
            if piece == "=" and key is None and not values:
                key, field = field.text(), _Field()
            elif piece == ",":
                values.append(field.text())
                field = _Field()
            elif piece.startswith('"'):
                field.add(_unquoted(piece[1:]), quoted=True)
            else:
                field.add(piece, quoted=False)
        if continued:
            text = next(lines, (number, ""))[1]
    if field.pieces or values:
        values.append(field.text())
    return Line(key, tuple(values), number)


def _unquoted(body: str) -> str:
    """What stands after an opening quote; a quote that is never closed ends with the line."""
    body = body[:-1] if body.count('"') % 2 else body.rstrip()
    return body.replace('""', '"')


class _Field:
    """A value in the making: blanks around it count only inside quotes."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bool]] = []

    def add(self, piece: str, *, quoted: bool) -> None:
        if quoted or piece.strip() or self.pieces:
            self.pieces.append((piece, quoted) if quoted or self.pieces else (piece.lstrip(), False))

    def text(self) -> str:
        kept = list(self.pieces)
        while kept and not kept[-1][1] and not kept[-1][0].strip():
            kept.pop()
        if kept and not kept[-1][1]:
            kept[-1] = (kept[-1][0].rstrip(), False)
        return "".join(piece for piece, _ in kept)
