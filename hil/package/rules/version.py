"""[Version]: what the package says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hil.errors import UsageError
from hil.package.rules.rule import Seen, error, warning
from hil.package.subject import Subject

_CLASSES = {
    "net": "{4d36e972-e325-11ce-bfc1-08002be10318}",
    "netclient": "{4d36e973-e325-11ce-bfc1-08002be10318}",
    "netservice": "{4d36e974-e325-11ce-bfc1-08002be10318}",
    "nettrans": "{4d36e975-e325-11ce-bfc1-08002be10318}",
}
_GUID = re.compile(r"\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}")


def _entry(subject: Subject, key: str) -> tuple[int, str]:
    """Line and first value of an entry; the section's line when there is none."""
    version = subject.inf.section("version")
    line = version.first(key) if version else None
    return (line.number, line.value(0)) if line else (subject.inf.line_of("version"), "")


@error("a file that Windows reads as text in ANSI or UTF-16 LE", "save it as UTF-16 LE with a byte order mark")
def encoding(subject: Subject) -> Iterator[Seen]:
    """The file is ANSI or UTF-16 LE; UTF-8 beyond ASCII shows broken letters.

    Source: INF Validation Errors and Warnings, code 1003.
    """
    if subject.inf.encoding in ("utf-8", "utf-16-be"):
        yield Seen(1, f"the file is {subject.inf.encoding} with a byte order mark")
    elif subject.inf.encoding == "cp1252" and not subject.raw.isascii():
        try:
            subject.raw.decode("utf-8")
        except UnicodeDecodeError:
            return
        number = next(n for n, line in enumerate(subject.raw.split(b"\n"), 1) if not line.isascii())
        yield Seen(number, "UTF-8 without a byte order mark, which Windows reads as ANSI")


@warning('Signature = "$Windows NT$"', "write $Windows NT$")
def signature(subject: Subject) -> Iterator[Seen]:
    """A network INF is for the NT family.

    Source: Version Section in a Network INF File.
    """
    line, seen = _entry(subject, "Signature")
    if subject.network and seen.lower() != "$windows nt$":
        yield Seen(line, f"Signature is {seen}")


@error("Class and ClassGuid of one setup class", "for a network adapter: Class = Net, ClassGuid = " + _CLASSES["net"])
def class_and_guid(subject: Subject) -> Iterator[Seen]:
    """Class and ClassGuid are both there, well formed, and belong together.

    Source: INF Version Section; INF Validation Errors and Warnings, codes 1010, 1234, 1280, 1281.
    """
    name_line, name = _entry(subject, "Class")
    guid_line, guid = _entry(subject, "ClassGuid")
    names = {value: key for key, value in _CLASSES.items()}
    if not guid or not name:
        yield Seen(guid_line if name else name_line, "no ClassGuid" if name else "no Class")
    elif not _GUID.fullmatch(guid.lower()):
        yield Seen(guid_line, f"ClassGuid {guid} is no GUID in braces")
    elif _CLASSES.get(name.lower(), guid.lower()) != guid.lower():
        yield Seen(guid_line, f"Class {name} with ClassGuid {guid}")
    elif names.get(guid.lower(), name.lower()) != name.lower():
        yield Seen(name_line, f"ClassGuid of {names[guid.lower()]} with Class {name}")


@error("a Provider", "name the organisation that wrote the INF")
def provider_missing(subject: Subject) -> Iterator[Seen]:
    """The INF says who wrote it.

    Source: INF Version Section; INF Validation Errors and Warnings, code 1234.
    """
    line, name = _entry(subject, "Provider")
    if not name:
        yield Seen(line, "no Provider")


@warning("a Provider other than Microsoft", "name your own organisation")
def provider_microsoft(subject: Subject) -> Iterator[Seen]:
    """Only Microsoft may name Microsoft as provider.

    Source: INF Validation Errors and Warnings, code 1204.
    """
    line, name = _entry(subject, "Provider")
    if name.lower().startswith("microsoft"):
        yield Seen(line, f"Provider is {name}")


@error("DriverVer = mm/dd/yyyy,w.x.y.z with a version above 0.0.0.0", "let stampinf write it when the driver is built")
def driver_ver(subject: Subject) -> Iterator[Seen]:
    """DriverVer is there and can be read; Windows ranks packages by it.

    Source: INF DriverVer Directive; INF Validation Errors and Warnings, codes 1217, 1218, 1234.
    """
    line, text = _entry(subject, "DriverVer")
    try:
        _, version = subject.inf.driver_version
    except UsageError as problem:
        yield Seen(line, problem.seen if text else "no DriverVer")
        return
    section = subject.inf.section("version")
    entry = section.first("DriverVer") if section else None
    if entry and entry.value(1) and version == "0.0.0.0":
        yield Seen(line, "version 0.0.0.0")


@warning("DriverVer with two digits each for month and day, and four parts of version", "write 09/05/2025,1.2.3.4")
def driver_ver_form(subject: Subject) -> Iterator[Seen]:
    """Month and day have two digits, the version four parts.

    Source: INF DriverVer Directive.
    """
    section = subject.inf.section("version")
    entry = section.first("DriverVer") if section else None
    if entry and re.fullmatch(r"\d{1,2}[/-]\d{1,2}[/-]\d{4}", entry.value(0)):
        if not re.fullmatch(r"\d\d[/-]\d\d[/-]\d{4}", entry.value(0)):
            yield Seen(entry.number, f"date {entry.value(0)}")
        if entry.value(1).count(".") < 3:
            yield Seen(entry.number, f"version {entry.value(1)}" if entry.value(1) else "no version")


@error("a DriverVer date that has come", "set the date of the build; stampinf and Inf2Cat must use the same time zone")
def driver_date_in_future(subject: Subject) -> Iterator[Seen]:
    """The driver's date is not in the future: catalogs are refused for it.

    Source: Inf2Cat, "DriverVer set to a date in the future".
    """
    try:
        released, _ = subject.inf.driver_version
    except UsageError:
        return
    if released > subject.today:
        yield Seen(_entry(subject, "DriverVer")[0], f"{released:%m/%d/%Y}, today is {subject.today:%m/%d/%Y}")


@error("a DriverVer above that of the release before", "raise date and version; Windows keeps the better ranked driver")
def not_newer_than_previous(subject: Subject) -> Iterator[Seen]:
    """The package ranks above the previous one: by date, then by version.

    Source: How Windows Ranks Driver Packages; INF DriverVer Directive.
    """
    if subject.previous is None:
        return
    try:
        (released, version), (old_released, old_version) = (
            inf.driver_version for inf in (subject.inf, subject.previous)
        )
    except UsageError:
        return
    if (released, _parts(version)) <= (old_released, _parts(old_version)):
        text = f"{released:%m/%d/%Y},{version}, before: {old_released:%m/%d/%Y},{old_version}"
        yield Seen(_entry(subject, "DriverVer")[0], text)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@error("a CatalogFile", "add CatalogFile = name.cat; without it Windows takes the package as unsigned")
def catalog_missing(subject: Subject) -> Iterator[Seen]:
    """The INF names its catalog.

    Source: INF Version Section; INF Validation Errors and Warnings, code 1233.
    """
    version = subject.inf.section("version")
    names = [line for line in version.lines if (line.key or "").lower().startswith("catalogfile")] if version else []
    if not any(line.value(0) for line in names):
        yield Seen(names[0].number if names else subject.inf.line_of("version"), "no CatalogFile")


@error("a catalog name of the form name.cat", "name the file alone, without a folder")
def catalog_name(subject: Subject) -> Iterator[Seen]:
    """A catalog is a .cat file beside the INF.

    Source: INF Validation Errors and Warnings, code 1214.
    """
    version = subject.inf.section("version")
    for line in version.lines if version else ():
        named = (line.key or "").lower().startswith("catalogfile") and line.value(0)
        if named and not re.fullmatch(r"[^\\/:]+\.cat", line.value(0), re.IGNORECASE):
            yield Seen(line.number, f"{line.key} = {line.value(0)}")


@warning("PnpLockdown = 1", "add it to [Version]: applications then cannot change the driver's files")
def pnp_lockdown(subject: Subject) -> Iterator[Seen]:
    """Installed driver files are protected.

    Source: INF Version Section; INF Validation Errors and Warnings, code 1324.
    """
    line, value = _entry(subject, "PnpLockdown")
    if value.strip() not in ("1", "0x1"):
        yield Seen(line, f"PnpLockdown = {value}" if value else "no PnpLockdown")


RULES = (
    encoding, signature, class_and_guid, provider_missing, provider_microsoft, driver_ver, driver_ver_form,
    driver_date_in_future, not_newer_than_previous, catalog_missing, catalog_name, pnp_lockdown,
)  # fmt: skip
