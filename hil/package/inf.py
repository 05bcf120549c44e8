"""INF files as Windows' SetupAPI reads them: sections, entries, strings, and where each stands in the file.

Source of the grammar: Microsoft, "General syntax rules for INF files" and "INF Strings section" (windows-driver-docs).
What an install section means is in :mod:`hil.package.install`, which models section counts in :mod:`hil.package.models`
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from hil.errors import UsageError

MAX_BYTES = 8 << 20
"""Longer files are not INF files; the longest that Windows itself carries are below 1 MB."""
ENGLISH = 0x0409

_TOKEN = re.compile(r'"(?:[^"]|"")*"?|[,;=\\]|[^",;=\\]+')
_STRING_KEY = re.compile(r"%([^%]*)%")
_PRIMARY = 0x3FF
"""Mask of the primary language in a LANGID."""
_QUOTED = "\x01"
"""Stands for a quoted piece that was set aside; no INF has this character."""
_STRING_LINE = re.compile(r'([^"=,;\\]*[^"=,;\\\s])\s*=\s*"([^"]*)"')
_STRINGS = re.compile(r"strings(?:\.([0-9a-f]{4}))?", re.IGNORECASE)


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

    def all(self, key: str) -> tuple[Line, ...]:
        """Entries with this key, any case, in order."""
        return tuple(line for line in self.lines if line.key is not None and line.key.lower() == key.lower())

    def first(self, key: str) -> Line | None:
        found = self.all(key)
        return found[0] if found else None


@dataclass(frozen=True)
class Inf:
    """A whole INF file. ``sections`` is keyed by lower-case name."""

    name: str
    """File name, or path, that error messages show."""
    encoding: str
    sections: Mapping[str, Section]
    undefined: tuple[tuple[str, int], ...] = ()
    """String tokens that no [Strings] section defines, with the line of their use; directory ids are none."""

    @classmethod
    def read(cls, path: Path, *, language: int = ENGLISH) -> Inf:
        """Raises UsageError when the file cannot be read, or not as an INF."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError("an INF file that can be read", seen=str(error), where=str(path)) from error
        return cls.parse(data, str(path), language=language)

    @classmethod
    def parse(cls, data: bytes, name: str, *, language: int = ENGLISH) -> Inf:
        """Read ``data``; ``language`` is the LANGID whose [Strings.xxxx] section is preferred.

        Text before the first section counts as comment: Microsoft's own samples open with one. Raises UsageError with
        file and line: too long, a header without ``]``, or no ``Signature`` of Windows in [Version].
        """
        if len(data) > MAX_BYTES:
            raise UsageError(f"an INF file of at most {MAX_BYTES} bytes", seen=f"{len(data)} bytes", where=name)
        text, encoding = decode(data)
        raw = _sections(text, name)
        strings = Substitution(_strings(raw, language))
        sections = {key: strings.section(section) for key, section in raw.items()}
        inf = cls(name, encoding, sections, tuple(strings.undefined))
        signature = inf.version_field("Signature")
        if signature.lower() not in ("$windows nt$", "$windows 95$", "$chicago$"):
            raise UsageError(
                'Signature = "$Windows NT$" in [Version]', seen=repr(signature), where=inf.where(inf.line_of("version"))
            )
        return inf

    def where(self, number: int) -> str:
        """``file:line`` for messages."""
        return f"{self.name}:{number}"

    def section(self, name: str) -> Section | None:
        return self.sections.get(name.lower())

    def line_of(self, section: str) -> int:
        found = self.section(section)
        return found.number if found else 1

    def lines(self, section: str) -> tuple[Line, ...]:
        """Entries of a section, none when it does not exist."""
        found = self.section(section)
        return found.lines if found else ()

    def version_field(self, key: str) -> str:
        """First value of an entry in [Version]; empty when there is none."""
        version = self.section("version")
        line = version.first(key) if version else None
        return line.value(0) if line else ""

    @property
    def provider(self) -> str:
        return self.version_field("Provider")

    @property
    def class_guid(self) -> str:
        return self.version_field("ClassGuid").lower()

    @property
    def class_name(self) -> str:
        return self.version_field("Class")

    @property
    def driver_version(self) -> tuple[date, str]:
        """Date and version of DriverVer; missing version parts count as zero. Raises UsageError on a wrong form."""
        version = self.section("version")
        line = version.first("DriverVer") if version else None
        number = line.number if line else self.line_of("version")
        found = re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", line.value(0)) if line else None
        parts = (line.value(1) if line else "").split(".")
        try:
            if found is None or len(parts) > 4:
                raise ValueError(f"values {line.values!r}" if line else "no DriverVer")
            released = date(int(found[3]), int(found[1]), int(found[2]))
            numbers = [_version_part(part) for part in parts] if parts != [""] else []
        except ValueError as error:
            raise UsageError(
                "DriverVer = mm/dd/yyyy,w.x.y.z in [Version]", seen=str(error), where=self.where(number)
            ) from error
        return released, ".".join(str(part) for part in [*numbers, 0, 0, 0, 0][:4])

    def catalog_file(self, architecture: str) -> str:
        """Name of the catalog; a decorated entry (``CatalogFile.NTamd64``) wins over the plain one; empty for none."""
        keys = (f"CatalogFile.NT{architecture}", "CatalogFile.NT", "CatalogFile")
        return next((name for key in keys if (name := self.version_field(key))), "")


def _version_part(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 0xFFFF:
        raise ValueError(f"version part {text!r}, not 0 to 65535")
    return int(text)


def decode(data: bytes) -> tuple[str, str]:
    """Text and encoding as Windows decides: a byte order mark, else UTF-16 by its zero bytes, else the ANSI code page.

    UTF-8 without a mark is ANSI to Windows, and so it is here.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):  # fmt: skip
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding
    if len(data) >= 4 and data[1] == 0 and data[3] == 0:
        return data.decode("utf-16-le", "replace"), "utf-16-le"
    return data.decode("cp1252", "replace"), "cp1252"


def _sections(text: str, name: str) -> dict[str, Section]:
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


def _strings(sections: Mapping[str, Section], language: int) -> dict[str, str]:
    """The one section that Windows takes: of the language, its neutral form, its family, else the plain one."""
    forms = {found[1] or "": section for key, section in sections.items() if (found := _STRINGS.fullmatch(key))}
    family = sorted(form for form in forms if form and int(form, 16) & _PRIMARY == language & _PRIMARY)
    wanted = (f"{language:04x}", f"{language & _PRIMARY:04x}", *family, "")
    chosen = next((forms[form] for form in wanted if form in forms), None)
    return {line.key.lower(): ",".join(line.values) for line in chosen.lines if line.key} if chosen else {}


class Substitution:
    """Replaces ``%token%``, and remembers those that are not defined."""

    def __init__(self, strings: Mapping[str, str]) -> None:
        self.strings = strings
        self.undefined: list[tuple[str, int]] = []

    def section(self, section: Section) -> Section:
        if _STRINGS.fullmatch(section.name):
            return section
        return Section(section.name, section.headers, tuple(self.line(line) for line in section.lines))

    def line(self, line: Line) -> Line:
        key, values, number = line
        if (key is None or "%" not in key) and not any("%" in value for value in values):
            return line
        return Line(key and self.text(key, number), tuple(self.text(value, number) for value in values), number)

    def text(self, text: str, number: int) -> str:
        def replaced(found: re.Match[str]) -> str:
            token = found[1]
            if token and token.lower() not in self.strings and not token.isdigit():
                self.undefined.append((token, number))
            return self.strings.get(token.lower(), found[0]) if token else "%"

        return _STRING_KEY.sub(replaced, text) if "%" in text else text
