"""INF files as Windows' SetupAPI reads them: sections, entries, strings, and where each stands in the file.

Sources: Microsoft, "INF Version section", "INF Strings section" (windows-driver-docs); the grammar is in
:mod:`hil.package.entries`.
What an install section means is in :mod:`hil.package.install`, which models section counts in :mod:`hil.package.models`
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hil.errors import UsageError
from hil.package import entries
from hil.package.entries import Line, Section

MAX_BYTES = 8 << 20
"""Longer files are not INF files; the longest that Windows itself carries are below 1 MB."""
ENGLISH = 0x0409

_STRING_KEY = re.compile(r"%([^%]*)%")
_PRIMARY = 0x3FF
"""Mask of the primary language in a LANGID."""
_STRINGS = re.compile(r"strings(?:\.([0-9a-f]{4}))?", re.IGNORECASE)


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
        raw = entries.sections(text, name)
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
        if (key is None or "%" not in key) and "%" not in "".join(values):
            return line
        return Line(key and self.text(key, number), tuple(self.text(value, number) for value in values), number)

    def text(self, text: str, number: int) -> str:
        def replaced(found: re.Match[str]) -> str:
            token = found[1]
            if token and token.lower() not in self.strings and not token.isdigit():
                self.undefined.append((token, number))
            return self.strings.get(token.lower(), found[0]) if token else "%"

        return _STRING_KEY.sub(replaced, text) if "%" in text else text
