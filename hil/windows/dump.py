"""Dump files: where Windows leaves them, and what their header says (reference power-pnp.md 4.2 and 4.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hil.clock import Deadline
from hil.errors import UsageError
from hil.remote import Command, ConnectionLost, Pipeline
from hil.remote.transfer import download, fetch
from hil.windows.bugchecks import in_full

if TYPE_CHECKING:
    from hil.remote import Result
    from hil.windows.machine import Machine

HEADER_BYTES = 8192
LIMIT_BYTES = 256 * 2**20
"""A kernel dump of a large PC has gigabytes: too much for each red test of a night."""
_FETCH_S = 1800.0
_TRIES = 5
LIVE_REPORTS = r"C:\Windows\LiveKernelReports"
_FOLDERS = [r"C:\Windows\Minidump", LIVE_REPORTS]
_SIGNATURE = b"PAGEDU64"
_MACHINES = {0x8664: "amd64", 0xAA64: "arm64"}
_KINDS = {1: "full", 2: "kernel", 4: "small", 5: "full bitmap", 6: "kernel bitmap"}
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DumpHeader:
    """What the first 8192 bytes of a 64-bit kernel dump tell; the guilty module needs a debugger."""

    code: int
    parameters: tuple[int, int, int, int]
    build: int
    """MinorVersion, taken for the build number (the reference marks this meaning as unconfirmed)"""
    machine: str
    processors: int
    kind: str
    """full, kernel, small ... or the number of an unknown DumpType"""
    time: datetime | None
    """Of the crash, UTC by the machine's clock; None when the field holds no date."""
    uptime: timedelta

    def __str__(self) -> str:
        return in_full(self.code, self.parameters)


def parse_header(data: bytes) -> DumpHeader:
    """Read the header of a 64-bit kernel dump. Raises UsageError when these bytes are not one."""
    if len(data) < HEADER_BYTES or data[:8] != _SIGNATURE:
        raise UsageError(
            f"a 64-bit kernel dump ({HEADER_BYTES} bytes of header that begin with PAGEDU64)",
            seen=f"{len(data)} bytes that begin with {data[:8]!r}",
        )
    minor, machine, processors, code = _at("<I", data, 0x00C, 0x030, 0x034, 0x038)
    first, second, third, fourth = struct.unpack_from("<4Q", data, 0x040)
    (kind,) = _at("<I", data, 0xF98)
    file_time, uptime = _at("<Q", data, 0xFA8, 0x1030)
    return DumpHeader(
        code=code,
        parameters=(first, second, third, fourth),
        build=minor,
        machine=_MACHINES.get(machine, f"0x{machine:04X}"),
        processors=processors,
        kind=_KINDS.get(kind, str(kind)),
        time=_from_filetime(file_time),
        uptime=timedelta(microseconds=uptime // 10),
    )


def _at(layout: str, data: bytes, *offsets: int) -> list[int]:
    return [struct.unpack_from(layout, data, offset)[0] for offset in offsets]


def _from_filetime(ticks: int) -> datetime | None:
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return None


@dataclass(frozen=True)
class DumpFile:
    """A dump on the machine."""

    path: str
    size_bytes: int
    modified: datetime

    @property
    def live(self) -> bool:
        """A live dump: the machine went on running."""
        return self.path.lower().startswith(LIVE_REPORTS.lower())


@dataclass(frozen=True)
class CollectedDump:
    """A dump on the controller, or its header alone when it was larger than the bound."""

    source: str
    local: Path
    complete: bool
    header: DumpHeader | None
    """None for a file that is not a 64-bit kernel dump (a user-mode or 32-bit one)."""


def queries() -> list[Pipeline]:
    """What to ask for to see every dump; feed the results to :func:`listed`."""
    wanted = Command("Select-Object", Property=["FullName", "Length", "LastWriteTimeUtc"])
    absent_is_fine = {"ErrorAction": "SilentlyContinue"}
    return [
        Command("Get-ChildItem", Path=_FOLDERS, Filter="*.dmp", Recurse=True, File=True, **absent_is_fine) | wanted,
        Command("Get-ChildItem", Path=r"C:\Windows", Filter="MEMORY.DMP", File=True, **absent_is_fine) | wanted,
    ]


def listed(results: list[Result]) -> frozenset[DumpFile]:
    return frozenset(
        DumpFile(str(row["FullName"]), int(row["Length"]), row["LastWriteTimeUtc"]) for rows in results for row in rows
    )


def collect(machine: Machine, dump: DumpFile, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> CollectedDump:
    """Bring a dump here; of one above ``limit_bytes`` only the header, named ``....header``.

    A transfer that breaks off goes on where it was; what arrived has the hash that Windows tells. Raises BenchError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = dump.path.rpartition("\\")[2]
    complete = dump.size_bytes <= limit_bytes
    local = _unused(folder / (name if complete else f"{name}.header"))
    if complete:
        _fetch(machine, dump, local)
    else:
        download(machine.ssh, dump.path, local, limit_bytes=HEADER_BYTES)
    with local.open("rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        header = parse_header(head)
    except UsageError:
        header = None
    return CollectedDump(dump.path, local, complete, header)


def _fetch(machine: Machine, dump: DumpFile, local: Path) -> None:
    """Again after a lost connection: a machine that just crashed may well go down once more."""
    deadline = Deadline(_FETCH_S)
    for left in reversed(range(_TRIES)):
        try:
            asked = Command("Get-FileHash", LiteralPath=dump.path, Algorithm="SHA256")
            digest = str(machine.shell.run(asked, timeout_s=deadline.remaining_s)[0]["Hash"])
            return fetch(machine.ssh, dump.path, local, sha256=digest, timeout_s=deadline.remaining_s)
        except ConnectionLost:
            if not left or deadline.expired:
                raise
            machine.reconnect(min(deadline.remaining_s, machine.settings.boot_timeout_s))


def _unused(path: Path) -> Path:
    """Two crashes in one test both leave a MEMORY.DMP."""
    number = 1
    while (found := path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return found
