"""The INF as a whole: sections that refer to each other, and strings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hil.package.rules.rule import Seen, error, warning
from hil.package.subject import Subject

_REFERRING = (
    "addreg", "delreg", "bitreg", "copyfiles", "delfiles", "renfiles", "addproperty", "delproperty", "updateinis",
    "updateinifields", "ini2reg", "logconfig", "profileitems", "registerdlls", "unregisterdlls",
)  # fmt: skip
"""Directives whose values are names of sections."""
_PARTS = ("services", "hw", "coinstallers", "interfaces", "components", "events", "filters", "software")
_SYSTEM = re.compile(
    r"(version|manufacturer|strings(\.[0-9a-f]{4})?|sourcedisks(names|files)(\.\w+)?|destinationdirs|controlflags|"
    r"(classinstall32|defaultinstall|defaultuninstall|deviceinstall32|interfaceinstall32)(\..+)?|signatureattributes.*|"
    r"optional ?components|.*\.(security|factdef|logconfigoverride|wdf|winsock|remove(\..+)?)|beginqs.*)"
)
_DECORATION = re.compile(rf"(\.nt(x86|amd64|arm64|arm|ia64)?[\d.x]*)?(\.({'|'.join(_PARTS)}|com|wmi))?$")
"""What stands behind the name that a model or [Manufacturer] gives: ``.NTamd64.Services``."""
_FIELD_LIMIT = 4095


@error("an INF that can be understood", "correct the entry")
def cannot_be_understood(subject: Subject) -> Iterator[Seen]:
    """Every number and every list of bytes in an install section can be read.

    Source: INF AddReg Directive; INF Validation Errors and Warnings, codes 1267, 1268.
    """
    for problem in subject.problems:
        yield Seen(problem.line, problem.text)


@error("each section once", "join the sections; Windows merges them in the order of the file")
def duplicate_section(subject: Subject) -> Iterator[Seen]:
    """No section is written twice.

    Source: General Syntax Rules for INF Files; INF Validation Errors and Warnings, code 1209.
    """
    for section in subject.inf.sections.values():
        if len(section.headers) > 1 and section.lines:
            yield Seen(section.headers[1], f"[{section.name}] stands in line {section.headers[0]} already")


@error("a section of that name", "add the section or correct the name")
def section_not_found(subject: Subject) -> Iterator[Seen]:
    """Sections that directives refer to exist; those of an included INF of Windows are not looked for.

    Source: INF Validation Errors and Warnings, codes 1203, 2006.
    """
    inf = subject.inf
    found = []
    for variant in subject.variants:
        for line in variant.install.directives if variant.install.whole else ():
            if (line.key or "").lower() in _REFERRING:
                found += [(line.number, name) for name in line.values if name and not name.startswith("@")]
        for service in variant.install.services:
            found.append((service.number, service.section))
            found += [(service.number, service.event_log_section)] if service.event_log_section else []
        hardware = inf.lines(f"{variant.install.section}.HW")
        found += [(line.number, name) for line in hardware if (line.key or "").lower() in _REFERRING
                  for name in line.values if name]  # fmt: skip
    for number, name in dict.fromkeys(found):
        if not inf.section(name):
            yield Seen(number, f"no section [{name}]" if name else "no name of a section")


@error("an INF after stampinf", "run stampinf, which replaces $ARCH$")
def template_token(subject: Subject) -> Iterator[Seen]:
    """No token of the build is left over.

    Source: INF Validation Errors and Warnings, code 1274.
    """
    if b"$" not in subject.raw:
        return
    for section in subject.inf.sections.values():
        if "$arch$" in section.name.lower():
            yield Seen(section.number, f"$ARCH$ in [{section.name}]")
    for line in subject.inf.lines("Manufacturer"):
        if any("$arch$" in value.lower() for value in line.values):
            yield Seen(line.number, "$ARCH$")


@error("string tokens that [Strings] defines", "define the token; write %% for a percent sign")
def undefined_string(subject: Subject) -> Iterator[Seen]:
    """Each %token% has its text.

    Source: INF Strings Section; INF Validation Errors and Warnings, code 1235.
    """
    for token, number in dict.fromkeys(subject.inf.undefined):
        yield Seen(number, f"%{token}%")


@error("the same tokens in each language", "copy the missing tokens: Windows reads one section of strings only")
def strings_differ(subject: Subject) -> Iterator[Seen]:
    """A language's strings are complete.

    Source: INF Strings Section; INF Validation Errors and Warnings, code 1295.
    """
    sections = [section for key, section in subject.inf.sections.items() if re.fullmatch(r"strings\.[0-9a-f]{4}", key)]
    plain = subject.inf.section("Strings")
    wanted = {(line.key or "").lower() for line in plain.lines} if plain else set()
    for section in sections:
        missing = wanted - {(line.key or "").lower() for line in section.lines}
        if missing:
            yield Seen(section.number, f"[{section.name}] lacks {', '.join(sorted(missing)[:5])}")


@warning("sections that something refers to", "remove the section, or refer to it")
def unused_section(subject: Subject) -> Iterator[Seen]:
    """Every section has a use: an unused one is often a misspelt name elsewhere.

    Source: INF Validation Errors and Warnings, code 2083.
    """
    mentioned = {value.lower() for section in subject.inf.sections.values() for line in section.lines
                 for value in (line.key or "", *line.values)}  # fmt: skip
    for key, section in subject.inf.sections.items():
        used = _SYSTEM.fullmatch(key) or key in mentioned or _DECORATION.sub("", key) in mentioned
        if not used and "$arch$" not in key:
            yield Seen(section.number, f"[{section.name}]")


@error("Needs of a section with the same ending", "in [x.Services] need a section [y.Services]")
def needs_other_part(subject: Subject) -> Iterator[Seen]:
    """A .Services section is needed by .Services sections only, and so on for the other parts of an install section.

    Source: INF Validation Errors and Warnings, codes 1310 to 1313.
    """
    for key, section in subject.inf.sections.items():
        own = key.rpartition(".")[2] if key.rpartition(".")[2] in _PARTS else ""
        for line in section.all("Needs"):
            for needed in line.values:
                ending = needed.lower().rpartition(".")[2]
                part = ending if ending in _PARTS else ""
                if part and part != own:
                    yield Seen(line.number, f"[{section.name}] needs [{needed}]")


@error("a section in this file, or an Include that brings it", "add Include = name.inf, or correct the name")
def needed_section_not_found(subject: Subject) -> Iterator[Seen]:
    """A needed section is in this INF, or in one that is included beside.

    Source: INF Validation Errors and Warnings, codes 1315, 1319.
    """
    for section in subject.inf.sections.values():
        if not section.first("Include"):
            for line in section.all("Needs"):
                for needed in line.values:
                    if needed and not subject.inf.section(needed):
                        yield Seen(line.number, f"[{section.name}] needs [{needed}]")


@error(f"fields of at most {_FIELD_LIMIT} characters", "shorten the text")
def field_too_long(subject: Subject) -> Iterator[Seen]:
    """No field is longer than Windows reads.

    Source: General Syntax Rules for INF Files, "INF Size Limits".
    """
    if max(map(len, subject.raw.splitlines()), default=0) <= _FIELD_LIMIT:
        return
    for section in subject.inf.sections.values():
        for line in section.lines:
            if any(len(value) > _FIELD_LIMIT for value in (line.key or "", *line.values)):
                yield Seen(line.number, "a longer field")


RULES = (
    cannot_be_understood, duplicate_section, section_not_found, template_token, undefined_string, strings_differ,
    unused_section, needs_other_part, needed_section_not_found, field_too_long,
)  # fmt: skip
