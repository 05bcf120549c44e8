"""What a DDInstall section does: files copied, registry written, services added, and the settings that it offers.

Sources: Microsoft, "INF DDInstall section", "INF AddReg directive", "INF AddService directive", "INF CopyFiles
directive", "INF DestinationDirs section", "INF SourceDisksFiles section".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hil.errors import UsageError
from hil.package.entries import Line
from hil.package.inf import Inf
from hil.package.models import Model, Target

DIRID_DRIVER_STORE = 13
SPSVCINST_ASSOCSERVICE = 0x2
"""AddService flag: this service is the device's function driver."""

NETWORK_ENTRIES = ("Characteristics", "BusType", "*IfType", "*MediaType", "*PhysicalMediaType")
_NO_CLOBBER, _DELETE, _KEY_ONLY = 0x2, 0x4, 0x10
_KINDS = {
    0x00000: "REG_SZ", 0x00001: "REG_BINARY", 0x10000: "REG_MULTI_SZ", 0x20000: "REG_EXPAND_SZ",
    0x10001: "REG_DWORD", 0x20001: "REG_NONE", 0xB0001: "REG_QWORD",
}  # fmt: skip
_KIND_MASK = 0xFFFF0001


class AddReg(NamedTuple):
    """One value of an add-registry section; the root ``HKR`` is the key of what the section installs."""

    root: str
    subkey: str
    name: str
    kind: str
    data: str | int | bytes | tuple[str, ...]
    number: int
    keeps: bool = False
    """FLG_ADDREG_NOCLOBBER: a value that is there already stays as it is."""


class CopyFile(NamedTuple):
    """One file that the section copies, and where to: a directory id with a folder below it."""

    target: str
    source: str
    dirid: int
    folder: str
    number: int


@dataclass(frozen=True)
class Service:
    """One AddService. ``binary`` keeps its directory id, as ``%13%\\hilnic.sys``."""

    name: str
    flags: int
    binary: str
    service_type: int
    start_type: int
    error_control: int
    display_name: str
    group: str
    event_log: bool
    """Whether an error log install section is named."""
    number: int
    section: str = ""
    """Its service-install section, as written."""
    event_log_section: str = ""
    registry: tuple[AddReg, ...] = ()
    """Relative to the service's key."""
    event_log_registry: tuple[AddReg, ...] = ()
    """Relative to the event source's key."""

    @property
    def function_driver(self) -> bool:
        return bool(self.flags & SPSVCINST_ASSOCSERVICE)

    @property
    def image_name(self) -> str:
        return self.binary.replace("/", "\\").rsplit("\\", 1)[-1]


@dataclass(frozen=True)
class Install:
    """The DDInstall section that counts for a model."""

    section: str
    number: int
    network: tuple[tuple[str, int], ...]
    """Entries that the network class installer reads: Characteristics, BusType, *IfType, *MediaType ..."""
    registry: tuple[AddReg, ...]
    copies: tuple[CopyFile, ...]
    services: tuple[Service, ...]
    includes: tuple[str, ...]
    needs: tuple[str, ...]
    directives: tuple[Line, ...] = ()
    """All entries of the section, those of needed sections in this file too."""
    hardware: tuple[AddReg, ...] = ()
    """Registry of the .HW section, relative to the device's hardware key."""
    deletions: tuple[Line, ...] = ()
    """Entries of all DelReg sections."""

    @property
    def whole(self) -> bool:
        """Whether all of it stands in this file: it needs nothing of an INF of Windows."""
        return not self.includes

    @property
    def function_driver(self) -> Service | None:
        return next((service for service in self.services if service.function_driver), None)


def read(inf: Inf, model: Model, target: Target) -> Install:
    """The decorated section that Windows takes (.NTamd64, .NT, plain), with its Needs in this file.

    Raises UsageError when no such section exists, or an entry in it cannot be understood.
    """
    return Reader(inf, target).install(model)


class Reader:
    """Reads install sections of one INF for one Windows; a registry section that many share is read once."""

    def __init__(self, inf: Inf, target: Target) -> None:
        self.inf, self.target = inf, target
        self._sections: dict[str, tuple[AddReg, ...]] = {}
        self._joined: dict[tuple[str, ...], tuple[AddReg, ...]] = {}

    def install(self, model: Model) -> Install:
        """As :func:`read`."""
        inf, name = self.inf, decorated(self.inf, model.install_section, self.target)
        if name is None:
            raise UsageError(
                f"a section [{model.install_section}] or its decorated form", seen="none of that name",
                where=inf.where(model.number),
            )  # fmt: skip
        lines = tuple(_with_needs(inf, name, frozenset()))
        services = tuple(_with_needs(inf, f"{name}.Services", frozenset()))
        hardware = tuple(_with_needs(inf, f"{name}.HW", frozenset()))
        return Install(
            section=name,
            number=inf.line_of(name),
            network=tuple((key, _integer(inf, line, 0)) for key in NETWORK_ENTRIES if (line := _first(lines, key))),
            registry=self.registry(lines),
            copies=tuple(_copies(inf, lines)),
            services=tuple(self._service(line) for line in services if _is(line, "AddService") and line.value(0)),
            includes=_values((*lines, *services, *hardware), "Include"),
            needs=_values(lines, "Needs"),
            directives=lines,
            hardware=self.registry(hardware),
            deletions=tuple(_named(inf, lines, "DelReg")),
        )

    def registry(self, lines: tuple[Line, ...]) -> tuple[AddReg, ...]:
        """What all AddReg directives among ``lines`` write; the same object for the same sections.

        Raises UsageError for data that fits no type.
        """
        names = _values(lines, "AddReg")
        if names not in self._joined:
            self._joined[names] = tuple(entry for name in names for entry in self._section(name))
        return self._joined[names]

    def _section(self, name: str) -> tuple[AddReg, ...]:
        if name not in self._sections:
            entries = (entry for line in self.inf.lines(name) for entry in _registry(self.inf, line))
            self._sections[name] = tuple(entries)
        return self._sections[name]

    def _service(self, line: Line) -> Service:
        inf, section = self.inf, self.inf.section(line.value(2))

        def entry(key: str) -> Line | None:
            return section.first(key) if section else None

        def number(key: str) -> int:
            return _integer(inf, entry(key), 0)

        def text(key: str) -> str:
            found = entry(key)
            return found.value(0) if found else ""

        return Service(
            name=line.value(0), flags=_integer(inf, line, 1), binary=text("ServiceBinary"),
            service_type=number("ServiceType"), start_type=number("StartType"),
            error_control=number("ErrorControl"), display_name=text("DisplayName"),
            group=text("LoadOrderGroup"), event_log=bool(line.value(3)), number=line.number,
            section=line.value(2), event_log_section=line.value(3), registry=self.registry(inf.lines(line.value(2))),
            event_log_registry=self.registry(inf.lines(line.value(3))),
        )  # fmt: skip


def decorated(inf: Inf, section: str, target: Target) -> str | None:
    """The form of a DDInstall section's name that exists and is most specific; None when there is none."""
    names = (f"{section}.NT{target.architecture}", f"{section}.NT", section)
    return next((name for name in names if inf.section(name)), None)


def _with_needs(inf: Inf, section: str, seen: frozenset[str]) -> Iterator[Line]:
    """Entries of a section and of the sections it needs, each at most once on a path."""
    if section.lower() in seen:
        return
    for line in inf.lines(section):
        yield line
        if _is(line, "Needs"):
            for needed in line.values:
                yield from _with_needs(inf, needed, seen | {section.lower()})


def _is(line: Line, key: str) -> bool:
    return line.key is not None and line.key.lower() == key.lower()


def _first(lines: tuple[Line, ...], key: str) -> Line | None:
    return next((line for line in lines if _is(line, key)), None)


def _values(lines: tuple[Line, ...], key: str) -> tuple[str, ...]:
    return tuple(value for line in lines if _is(line, key) for value in line.values if value)


def _named(inf: Inf, lines: tuple[Line, ...], directive: str) -> Iterator[Line]:
    """Entries of all sections that a directive such as AddReg names."""
    for name in _values(lines, directive):
        yield from inf.lines(name)


def _integer(inf: Inf, line: Line | None, index: int) -> int:
    """A number, in C's notations; an entry or value that is not there counts as zero."""
    text = line.value(index) if line else ""
    if line is None or not text:
        return 0
    try:
        return int(text, 16 if text.lower().lstrip("-").startswith("0x") else 10)
    except ValueError as error:
        raise UsageError("a number", seen=repr(text[:80]), where=inf.where(line.number)) from error


def _registry(inf: Inf, line: Line) -> Iterator[AddReg]:
    flags = _integer(inf, line, 3)
    if flags & (_DELETE | _KEY_ONLY) or not line.value(0):
        return
    kind = _KINDS.get(flags & _KIND_MASK, "REG_BINARY")
    data: str | int | bytes | tuple[str, ...] = line.value(4)
    try:
        if kind in ("REG_DWORD", "REG_QWORD") and len(line.values) <= 5:
            data = _integer(inf, line, 4)
        elif kind in ("REG_DWORD", "REG_QWORD"):
            data = int.from_bytes(_bytes(line.values[4:]), "little")
        elif kind in ("REG_BINARY", "REG_NONE"):
            data = _bytes(line.values[4:])
        elif kind == "REG_MULTI_SZ":
            data = tuple(line.values[4:])
    except ValueError as error:
        raise UsageError("bytes in hexadecimal", seen=repr(line.values[4:12]), where=inf.where(line.number)) from error
    keeps = bool(flags & _NO_CLOBBER)
    yield AddReg(line.value(0).upper(), line.value(1).strip("\\"), line.value(2), kind, data, line.number, keeps)


def _bytes(values: tuple[str, ...]) -> bytes:
    return bytes(int(value, 16) for value in values if value)


def _copies(inf: Inf, lines: tuple[Line, ...]) -> Iterator[CopyFile]:
    for line in lines:
        for name in line.values if _is(line, "CopyFiles") else ():
            if name.startswith("@"):
                dirid, folder = _destination(inf, "")
                yield CopyFile(name[1:], name[1:], dirid, folder, line.number)
                continue
            dirid, folder = _destination(inf, name)
            for entry in inf.lines(name):
                target = entry.value(0) or entry.key or ""
                yield CopyFile(target, entry.value(1) or target, dirid, folder, entry.number)


def _destination(inf: Inf, section: str) -> tuple[int, str]:
    directories = inf.section("DestinationDirs")
    line = (directories.first(section) or directories.first("DefaultDestDir")) if directories else None
    return _integer(inf, line, 0), line.value(1) if line else ""


@dataclass(frozen=True)
class SourceFile:
    """One entry of [SourceDisksFiles]: a file of the package, by its path below the INF with ``/``."""

    name: str
    path: str
    number: int


def source_files(inf: Inf, target: Target) -> tuple[SourceFile, ...]:
    """Files that the INF says are on its source disk; the architecture's section wins over the plain one."""
    disks = {line.key: line.value(3) for line in _decorated_lines(inf, "SourceDisksNames", target)}
    found: dict[str, SourceFile] = {}
    for line in _decorated_lines(inf, "SourceDisksFiles", target):
        if line.key and line.key.lower() not in found:
            parts = [*disks.get(line.value(0), "").split("\\"), *line.value(1).split("\\"), line.key]
            path = "/".join(part for part in parts if part not in ("", "."))
            if ".." in path.split("/"):
                raise UsageError("a file inside the package", seen=path, where=inf.where(line.number))
            found[line.key.lower()] = SourceFile(line.key, path, line.number)
    return tuple(found.values())


def _decorated_lines(inf: Inf, section: str, target: Target) -> tuple[Line, ...]:
    return inf.lines(f"{section}.{target.architecture}") + inf.lines(section)
