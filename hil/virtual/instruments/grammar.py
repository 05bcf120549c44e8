"""The language of SCPI messages: headers in long and short form, arguments, channel lists, units. Strict.

IEEE 488.2 sections 7 and 8; SCPI-99 volume 1, chapters 6 (headers) and 7 (parameters), 21.8 (error numbers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TEXT = {
    -102: "Syntax error", -103: "Invalid separator", -104: "Data type error", -108: "Parameter not allowed",
    -109: "Missing parameter", -113: "Undefined header", -121: "Invalid character in number", -131: "Invalid suffix",
    -171: "Invalid expression", -200: "Execution error", -221: "Settings conflict", -222: "Data out of range",
    -224: "Illegal parameter value", -241: "Hardware missing", -350: "Queue overflow", -363: "Input buffer overrun",
    -410: "Query INTERRUPTED", -420: "Query UNTERMINATED",
}  # fmt: skip
_HEADER = re.compile(r"(:?[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z][A-Za-z0-9_]*)*|\*[A-Za-z]+)(\??)")
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?)\s*([A-Za-z]*)")
_MOST_CHANNELS = 1000


class ScpiError(Exception):
    """What goes to the error queue."""

    def __init__(self, number: int, text: str = "") -> None:
        self.number, self.text = number, text or _TEXT[number]
        super().__init__(f'{number},"{self.text}"')


@dataclass(frozen=True)
class Unit:
    """One program message unit. ``words`` are the header's mnemonics as sent, upper case, from the root."""

    words: tuple[str, ...]
    query: bool
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class _Mnemonic:
    long: str
    optional: bool
    numbered: bool

    def suffix(self, word: str) -> int | None:
        """The numeric suffix (1 when left out) if ``word`` is this mnemonic, else None."""
        name = word.rstrip("0123456789") if self.numbered else word
        short = self.long.rstrip("abcdefghijklmnopqrstuvwxyz")
        return int(word[len(name) :] or 1) if name in (self.long.upper(), short) else None


class Header:
    """A command as manuals write it: ``[SOURce:]VOLTage[:LEVel]``, ``NUMeric[:NORMal]:ITEM<n>``, ``*IDN``."""

    def __init__(self, written: str) -> None:
        self._mnemonics = tuple(
            _Mnemonic(found[2], bool(found[1]), bool(found[3]))
            for found in re.finditer(r"(\[)?:?(\*?[A-Za-z]+)(<n>)?:?\]?", written)
        )

    def match(self, words: tuple[str, ...]) -> tuple[int, ...] | None:
        """The numeric suffixes of the numbered mnemonics, or None when ``words`` is another command."""
        return self._match(self._mnemonics, words)

    def _match(self, mnemonics: tuple[_Mnemonic, ...], words: tuple[str, ...]) -> tuple[int, ...] | None:
        if not mnemonics:
            return () if not words else None
        first, rest = mnemonics[0], mnemonics[1:]
        suffix = first.suffix(words[0]) if words else None
        if suffix is not None and (found := self._match(rest, words[1:])) is not None:
            return ((suffix, *found)) if first.numbered else found
        if first.optional and (found := self._match(rest, words)) is not None:
            return ((1, *found)) if first.numbered else found
        return None


def units(message: str) -> Iterator[Unit]:
    """The units of a message, headers resolved by the path rule (SCPI-99 6.2.4). Raises ScpiError where it stops."""
    path: tuple[str, ...] = ()
    for text in _split(message, ";"):
        found = _HEADER.match(text.strip())
        if found is None:
            raise ScpiError(-102 if text.strip() else -103)
        header, query, rest = found[1].upper(), bool(found[2]), text.strip()[found.end() :]
        if rest and not rest[0].isspace():
            raise ScpiError(-103)
        words = tuple(header.lstrip(":").split(":"))
        if not header.startswith("*"):
            words = words if header.startswith(":") else path + words
            path = words[:-1]
        yield Unit(words, query, tuple(part.strip() for part in _split(rest.strip(), ",")) if rest.strip() else ())


def boolean(text: str) -> bool:
    word = text.upper()
    if word in ("ON", "OFF"):
        return word == "ON"
    return round(number(text)) != 0


def number(text: str, suffixes: Mapping[str, float] | None = None) -> float:
    """A decimal number, with one of the ``suffixes`` (unit, upper case, and its factor) or none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ScpiError(-121 if text[:1] in "+-.0123456789" else -104)
    if found[2] and found[2].upper() not in (suffixes or {}):
        raise ScpiError(-131)
    return float(found[1]) * ((suffixes or {})[found[2].upper()] if found[2] else 1.0)


def choice(text: str, *allowed: str) -> str:
    """Character data in long or short form, given as manuals write it; returns the long form."""
    for long in allowed:
        if text.upper() in (long.upper(), "".join(re.findall(r"[A-Z0-9]", long))):
            return long
    raise ScpiError(-224)


def channels(text: str) -> tuple[int, ...]:
    """A channel list, ``(@101,103:105)``."""
    found = re.fullmatch(r"\(@\s*(\d+(?:\s*:\s*\d+)?(?:\s*,\s*\d+(?:\s*:\s*\d+)?)*)\s*\)", text)
    if found is None:
        raise ScpiError(-171)
    listed: list[int] = []
    for part in found[1].split(","):
        first, _, last = (piece.strip() for piece in part.partition(":"))
        span = range(int(first), int(last or first) + 1)
        if not 0 < len(span) <= _MOST_CHANNELS:
            raise ScpiError(-222)
        listed.extend(span)
    return tuple(listed)


def _split(text: str, separator: str) -> Iterator[str]:
    """Pieces between separators that stand outside quotes and parentheses."""
    piece, quote, depth = "", "", 0
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
        if character == separator and not quote and depth <= 0:
            yield piece
            piece = ""
        else:
            piece += character
    yield piece
