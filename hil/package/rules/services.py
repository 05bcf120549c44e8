"""Services of the driver, their event log, and what of old Windows is left in the INF."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hil.package.entries import Line
from hil.package.install import Service
from hil.package.rules.rule import Seen, error, note, warning
from hil.package.subject import Subject, Variant

_KERNEL_DRIVER, _DISABLED = 1, 4
_REQUIRED = ("ServiceType", "StartType", "ErrorControl", "ServiceBinary")
_CLEANING = ("delfiles", "renfiles", "delreg", "delproperty", "bitreg", "logconfig", "profileitems", "updateinis",
             "updateinifields", "ini2reg", "registerdlls", "unregisterdlls")  # fmt: skip
_GLOBAL_ROOTS = ("HKLM", "HKCR", "HKCU", "HKU")
_DRIVER_STORE = 13


def _services(subject: Subject) -> Iterator[tuple[Variant, Service]]:
    for variant in subject.variants:
        for service in variant.install.services:
            yield variant, service


def _directives(subject: Subject) -> Iterator[Line]:
    for variant in subject.variants:
        yield from variant.install.directives


@error("one AddService with flag 0x2 in each .Services section", "add AddService = name, 0x2, section to [x.Services]")
def one_function_driver(subject: Subject) -> Iterator[Seen]:
    """Each adapter has exactly one service that is its function driver.

    Source: INF AddService Directive; INF Validation Errors and Warnings, codes 1211, 1296.
    """
    for variant in subject.whole_adapters:
        services = subject.inf.lines(f"{variant.install.section}.Services")
        named = [service.name for service in variant.install.services if service.function_driver]
        none_wanted = any(line.key and line.key.lower() == "addservice" and not line.value(0) for line in services)
        if len(set(map(str.lower, named))) > 1:
            yield Seen(variant.install.number, f"[{variant.install.section}.Services] has {', '.join(named)}")
        elif not named and not none_wanted:
            yield Seen(variant.install.number, f"[{variant.install.section}.Services] has none")


@error("ServiceType, StartType, ErrorControl and ServiceBinary", "add what is missing")
def service_incomplete(subject: Subject) -> Iterator[Seen]:
    """A service-install section has its required entries.

    Source: INF AddService Directive; INF Validation Errors and Warnings, code 1289.
    """
    for _, service in _services(subject):
        section = subject.inf.section(service.section)
        missing = [key for key in _REQUIRED if section and not section.first(key)]
        if section and missing:
            yield Seen(section.number, f"[{section.name}] lacks {', '.join(missing)}")


@error("ServiceBinary as a path below a directory id", "ServiceBinary = %13%\\name.sys")
def service_binary_path(subject: Subject) -> Iterator[Seen]:
    """The image's path starts with a directory id.

    Source: INF Validation Errors and Warnings, code 2085.
    """
    for _, service in _services(subject):
        if service.binary and not re.match(r'"?%\d+%\\', service.binary):
            yield Seen(_entry(subject, service, "ServiceBinary"), f"ServiceBinary = {service.binary}")


@warning("a ServiceBinary that CopyFiles brings", "copy the file, or correct its name or directory id")
def service_binary_not_copied(subject: Subject) -> Iterator[Seen]:
    """The service's image is one of the files that the section copies, and in that place.

    Source: INF Validation Errors and Warnings, code 2084.
    """
    for variant, service in _services(subject):
        if not variant.install.whole or not re.match(r"%\d+%\\", service.binary):
            continue
        copied = {f"%{copy.dirid}%\\{copy.folder}\\{copy.target}".replace("\\\\", "\\").lower()
                  for copy in variant.install.copies}  # fmt: skip
        if service.binary.lower() not in copied:
            yield Seen(_entry(subject, service, "ServiceBinary"), f"{service.binary} is not copied")


@error("a kernel driver (ServiceType = 1) as function driver of an adapter", "ServiceType = 1")
def service_type(subject: Subject) -> Iterator[Seen]:
    """An adapter's function driver is a kernel driver.

    Source: INF AddService Directive; DDInstall.Services Section in a Network INF File.
    """
    for variant in subject.adapters:
        service = variant.install.function_driver
        if service and service.service_type not in (0, _KERNEL_DRIVER):
            line = _entry(subject, service, "ServiceType")
            yield Seen(line, f"ServiceType = {service.service_type:#x}")


@warning("a function driver that is not disabled", "StartType = 3")
def service_disabled(subject: Subject) -> Iterator[Seen]:
    """The device's own service is not installed as disabled.

    Source: INF Validation Errors and Warnings, code 1251.
    """
    for _, service in _services(subject):
        if service.function_driver and service.start_type == _DISABLED:
            yield Seen(_entry(subject, service, "StartType"), "StartType = 4")


@warning("EventMessageFile as REG_EXPAND_SZ and TypesSupported as REG_DWORD", "see netevent.dll in Microsoft's sample")
def event_log_values(subject: Subject) -> Iterator[Seen]:
    """An event source says where its messages are; else they show without text.

    Source: INF AddService Directive; DDInstall.Services Section in a Network INF File.
    """
    wanted = {"eventmessagefile": "REG_EXPAND_SZ", "typessupported": "REG_DWORD"}
    for _, service in _services(subject):
        section = subject.inf.section(service.event_log_section)
        if section:
            found = {entry.name.lower(): entry for entry in service.event_log_registry}
            for name, kind in wanted.items():
                entry = found.get(name)
                if entry is None:
                    yield Seen(section.number, f"no {name}")
                elif entry.kind != kind:
                    yield Seen(entry.number, f"{name} is {entry.kind}")


@note("an event-log section of the function driver", "name it as fourth value of AddService")
def event_log_missing(subject: Subject) -> Iterator[Seen]:
    """The driver's events have a source; it is optional, but a driver that logs needs it.

    Source: DDInstall.Services Section in a Network INF File.
    """
    for variant in subject.adapters:
        service = variant.install.function_driver
        if service and not service.event_log:
            yield Seen(service.number, f"service {service.name} has none")


@error("no co-installer", "move its work into the INF, a component package or a service")
def coinstaller(subject: Subject) -> Iterator[Seen]:
    """Co-installers are not supported by current Windows.

    Source: Removing Co-installers from Driver Packages; INF Validation Errors and Warnings, code 1303.
    """
    for variant in subject.variants:
        section = subject.inf.section(f"{variant.install.section}.CoInstallers")
        if section and any((line.key or "").lower() in ("addreg", "copyfiles") for line in section.lines):
            yield Seen(section.number, f"[{section.name}]")


@error("no [ClassInstall32] for a class of Microsoft's", "remove the section")
def class_install(subject: Subject) -> Iterator[Seen]:
    """A vendor's INF does not install the class Net.

    Source: INF Validation Errors and Warnings, code 1285.
    """
    for key, section in subject.inf.sections.items():
        if subject.network and key.split(".")[0] == "classinstall32" and section.lines:
            yield Seen(section.number, f"[{section.name}]")


@warning("an INF that only adds", "remove the directive: Windows cleans up when the package goes")
def legacy_directive(subject: Subject) -> Iterator[Seen]:
    """Nothing is deleted, renamed or registered while installing.

    Source: INF Validation Errors and Warnings, codes 1307 to 1309; Using a Universal INF File.
    """
    for line in _directives(subject):
        if (line.key or "").lower() in _CLEANING:
            yield Seen(line.number, f"{line.key} = {', '.join(line.values)}")


@warning("files that stay in the driver store (directory id 13)", "13 in [DestinationDirs], %13% in ServiceBinary")
def not_run_from_driver_store(subject: Subject) -> Iterator[Seen]:
    """Driver files are run from where they were staged.

    Source: Driver Package Isolation, "Run from driver store"; INF Validation Errors and Warnings, code 1322.
    """
    elsewhere: dict[int, list[str]] = {}
    for variant in subject.variants:
        for copy in variant.install.copies:
            if copy.dirid != _DRIVER_STORE:
                elsewhere.setdefault(copy.dirid, []).append(copy.target.lower())
    directories = subject.inf.line_of("DestinationDirs")
    for dirid, files in elsewhere.items():
        names = list(dict.fromkeys(files))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield Seen(directories, f"{', '.join(names[:3])}{more} to directory {dirid}")


@warning("registry state below HKR", "write relative to the device, the service (Parameters) or the event source")
def registry_not_isolated(subject: Subject) -> Iterator[Seen]:
    """The INF writes no global registry state.

    Source: Driver Package Isolation, "Registry state"; INF Validation Errors and Warnings, codes 1320, 1321.
    """
    for variant in subject.variants:
        services = (entry for service in variant.install.services for entry in service.registry)
        for entry in (*variant.install.registry, *variant.install.hardware, *services):
            if entry.root in _GLOBAL_ROOTS:
                yield Seen(entry.number, f"{entry.root}\\{entry.subkey}")


@warning("a service's own values below Parameters", "HKR, Parameters, name, flags, value")
def service_registry_not_isolated(subject: Subject) -> Iterator[Seen]:
    """Values of a service stand in its Parameters key.

    Source: Driver Package Isolation, "Service registry state"; INF Validation Errors and Warnings, code 1323.
    """
    for _, service in _services(subject):
        for entry in service.registry:
            if entry.root == "HKR" and entry.subkey.lower().partition("\\")[0] != "parameters":
                yield Seen(entry.number, f"HKR\\{entry.subkey}, value {entry.name}")


@warning("filters in a [x.Filters] section", "AddFilter instead of UpperFilters and LowerFilters")
def filters_by_registry(subject: Subject) -> Iterator[Seen]:
    """Device filters are added by directive.

    Source: INF Validation Errors and Warnings, code 1329.
    """
    for variant in subject.variants:
        for entry in variant.install.hardware:
            if entry.root == "HKR" and not entry.subkey and entry.name.lower() in ("upperfilters", "lowerfilters"):
                yield Seen(entry.number, entry.name)


def _entry(subject: Subject, service: Service, key: str) -> int:
    section = subject.inf.section(service.section)
    found = section.first(key) if section else None
    return found.number if found else service.number


RULES = (
    one_function_driver, service_incomplete, service_binary_path, service_binary_not_copied, service_type,
    service_disabled, event_log_values, event_log_missing, coinstaller, class_install,
    legacy_directive, not_run_from_driver_store, registry_not_isolated, service_registry_not_isolated,
    filters_by_registry,
)  # fmt: skip
