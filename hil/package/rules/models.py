"""Models: which devices the INF offers to which Windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from hil.package.install import decorated
from hil.package.models import DECORATION
from hil.package.rules.rule import Seen, error, warning
from hil.package.subject import ARCHITECTURES, Subject

_NUMBERED_FROM = 14310
"""First build that reads build numbers in decorations."""
_HEXADECIMAL = re.compile(r"[0-9A-F]+")
_DIGITS = {"VEN": (4,), "DEV": (4,), "SUBSYS": (8,), "REV": (2, 4), "VID": (4,), "PID": (4,), "MI": (2,)}
"""Digits of a hardware id's fields; USB revisions have four."""


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


@error("install sections that models lead to", "add the section, or correct its name in the models section")
def install_section_not_found(subject: Subject) -> Iterator[Seen]:
    """Each model's install section exists for the architecture.

    Source: INF Models Section; INF Validation Errors and Warnings, codes 1261, 1271.
    """
    for architecture, models in subject.offered.items():
        target = replace(subject.target, architecture=architecture)
        for model in models:
            if decorated(subject.inf, model.install_section, target) is None:
                yield Seen(model.number, f"no section [{model.install_section}] for {architecture}")


@error("models for this Windows", "add a models section whose decoration fits, such as NTamd64.10.0")
def nothing_offered(subject: Subject) -> Iterator[Seen]:
    """A driver's INF offers at least one device to the Windows that is asked for.

    Source: INF Models Section; INF Validation Errors and Warnings, code 1297.
    """
    manufacturer = subject.inf.section("Manufacturer")
    template = b"$arch$" in subject.raw.replace(b"\0", b"").lower()
    if manufacturer and not subject.variants and not subject.problems and not template:
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
    bus, _, rest = identifier.partition("\\")
    if bus not in ("PCI", "USB") or not rest.startswith(("VEN_", "VID_")):
        return True
    fields = (field.partition("_") for field in rest.split("&"))
    return all(
        len(value) in _DIGITS[name] and _HEXADECIMAL.fullmatch(value)
        for name, mark, value in fields if mark and name in _DIGITS
    )  # fmt: skip


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


RULES = (
    models_not_found, target_decoration, install_section_not_found, nothing_offered, hardware_id_form,
    hardware_id_twice,
)  # fmt: skip
