"""The INF as a whole: sections that refer to each other, strings, targets, models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from hil.package.install import decorated
from hil.package.models import DECORATION
from hil.package.rules.rule import Seen, error, warning
from hil.package.subject import ARCHITECTURES, Subject

_REFERRING = frozenset(
    "addreg delreg bitreg copyfiles delfiles renfiles addproperty delproperty updateinis updateinifields ini2reg "
    "logconfig profileitems registerdlls unregisterdlls".split()
)
"""Directives whose values are names of sections."""
_PARTS = ("services", "hw", "coinstallers", "interfaces", "components", "events", "filters", "software", "com", "wmi")
_SYSTEM = re.compile(
    r"(version|manufacturer|strings(\.[0-9a-f]{4})?|sourcedisks(names|files)(\.\w+)?|destinationdirs|controlflags|"
    r"(classinstall32|defaultinstall|defaultuninstall|deviceinstall32|interfaceinstall32)(\..+)?|signatureattributes.*|"
    r"optional ?components|.*\.(security|factdef|logconfigoverride|wdf|winsock|remove(\..+)?)|beginqs.*)"
)
_NUMBERED_FROM = 14310
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
    """Sections that directives refer to exist.

    Source: INF Validation Errors and Warnings, codes 1203, 2006.
    """
    inf = subject.inf
    found = []
    for variant in subject.variants:
        for line in variant.install.directives:
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


@error("the models sections that [Manufacturer] names", "add the section, empty where nothing is to be installed")
def models_not_found(subject: Subject) -> Iterator[Seen]:
    """Each decoration in [Manufacturer] has its models section.

    Source: INF Manufacturer Section; INF Validation Errors and Warnings, code 1203.
    """
    for line in subject.inf.lines("Manufacturer"):
        base, *decorations = line.values or (line.key or "",)
        names = [f"{base}.{decoration}" for decoration in decorations if decoration] or [base]
        for name in names:
            if not subject.inf.section(name):
                yield Seen(line.number, f"no section [{name}]")


@error("a TargetOSVersion of the form NTamd64.10.0...19041", "correct it; Windows ignores what it cannot read")
def target_decoration(subject: Subject) -> Iterator[Seen]:
    """Decorations in [Manufacturer] can be read, and build numbers start with Windows 10 1607.

    Source: INF Manufacturer Section; INF Validation Errors and Warnings, codes 1287, 1288.
    """
    for line in subject.inf.lines("Manufacturer"):
        for decoration in line.values[1:]:
            if not decoration or "$" in decoration:
                continue
            if not DECORATION.fullmatch(decoration):
                yield Seen(line.number, f"decoration {decoration}")
                continue
            fields = decoration.split(".")
            if len(fields) > 5 and fields[5].isdigit() and int(fields[5]) < _NUMBERED_FROM:
                yield Seen(line.number, f"build {fields[5]} in {decoration}")


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


@error("install sections that models lead to", "add the section, or correct its name in the models section")
def install_section_not_found(subject: Subject) -> Iterator[Seen]:
    """Each model's install section exists for the architecture.

    Source: INF Models Section; INF Validation Errors and Warnings, codes 1261, 1271.
    """
    for architecture in ARCHITECTURES:
        target = replace(subject.target, architecture=architecture)
        for model in subject.offered(target):
            if decorated(subject.inf, model.install_section, target) is None:
                yield Seen(model.number, f"no section [{model.install_section}] for {architecture}")


@error("models for this Windows", "add a models section whose decoration fits, such as NTamd64.10.0")
def nothing_offered(subject: Subject) -> Iterator[Seen]:
    """A driver's INF offers at least one device to the Windows that is asked for.

    Source: INF Models Section; INF Validation Errors and Warnings, code 1297.
    """
    manufacturer = subject.inf.section("Manufacturer")
    if manufacturer and not subject.variants and not subject.problems:
        yield Seen(manufacturer.number, f"nothing for build {subject.target.build} on {', '.join(ARCHITECTURES)}")


@error("hardware ids as the bus makes them", "copy the id from the device's properties")
def hardware_id_form(subject: Subject) -> Iterator[Seen]:
    r"""PCI and USB ids have their fields with the right number of digits.

    Source: Identifiers for PCI Devices; Standard USB Identifiers.
    """
    seen = set()
    for variant in subject.variants:
        for model in variant.models:
            for identifier in model.ids:
                if (model.number, identifier) not in seen and not _well_formed(identifier.upper()):
                    seen.add((model.number, identifier))
                    yield Seen(model.number, f"hardware id {identifier}")


def _well_formed(identifier: str) -> bool:
    digits = {"VEN": 4, "DEV": 4, "SUBSYS": 8, "REV": 2, "VID": 4, "PID": 4, "MI": 2}
    bus, _, rest = identifier.partition("\\")
    if bus not in ("PCI", "USB") or not re.match(r"(VEN|VID)_", rest):
        return True
    for field in rest.split("&"):
        name, mark, value = field.partition("_")
        allowed = {digits[name], 4} if mark and name in ("REV",) else {digits.get(name, len(value))}
        if mark and name in digits and not (len(value) in allowed and re.fullmatch(r"[0-9A-F]+", value)):
            return False
    return True


@warning("one install section for a hardware id", "keep one of the lines; Windows takes the first")
def hardware_id_twice(subject: Subject) -> Iterator[Seen]:
    """A hardware id leads to one install section only.

    Source: INF Models Section.
    """
    first: dict[tuple[str, str], tuple[str, int]] = {}
    told = set()
    for variant in subject.variants:
        for model in variant.models:
            key = (model.section.lower(), "&&".join(model.ids).upper())
            section, number = first.setdefault(key, (model.install_section.lower(), model.number))
            if section != model.install_section.lower() and model.number not in told:
                told.add(model.number)
                yield Seen(model.number, f"{model.hardware_id} stands in line {number} with another install section")


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
    for section in sections if plain else ():
        missing = {(line.key or "").lower() for line in plain.lines if plain} - {
            (line.key or "").lower() for line in section.lines
        }
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
        if not (_SYSTEM.fullmatch(key) or key in mentioned or _stem_mentioned(key, mentioned)):
            yield Seen(section.number, f"[{section.name}]")


def _stem_mentioned(key: str, mentioned: set[str]) -> bool:
    """Whether the name without decorations and parts (``.NTamd64.Services``) is referred to."""
    while "." in key:
        key = key.rpartition(".")[0]
        if key in mentioned:
            return True
    return False


@error("Needs of a section with the same ending", "in [x.Services] need a section [y.Services]")
def needs_other_part(subject: Subject) -> Iterator[Seen]:
    """A .Services section needs .Services sections, a .HW section .HW sections, and so on.

    Source: INF Validation Errors and Warnings, codes 1310 to 1313.
    """
    for key, section in subject.inf.sections.items():
        own = key.rpartition(".")[2] if key.rpartition(".")[2] in _PARTS else ""
        for line in section.all("Needs"):
            for needed in line.values:
                ending = needed.lower().rpartition(".")[2]
                part = ending if ending in _PARTS else ""
                if needed and part != own and not (part == "com" or own == "com"):
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
    cannot_be_understood, duplicate_section, section_not_found, models_not_found, target_decoration, template_token,
    install_section_not_found, nothing_offered, hardware_id_form, hardware_id_twice, undefined_string, strings_differ,
    unused_section, needs_other_part, needed_section_not_found, field_too_long,
)  # fmt: skip
