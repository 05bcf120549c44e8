"""Dump files: where Windows leaves them, and what their header says (reference power-pnp.md 4.2 and 4.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import UsageError
from hil.remote import Command, Pipeline
from hil.remote.transfer import download

if TYPE_CHECKING:
    from hil.remote import Result, SshSession

# Names as in Microsoft's debugger/bug-check-*.md
BUGCHECKS = {
    0x0A: "IRQL_NOT_LESS_OR_EQUAL", 0x19: "BAD_POOL_HEADER", 0x1E: "KMODE_EXCEPTION_NOT_HANDLED",
    0x3B: "SYSTEM_SERVICE_EXCEPTION", 0x50: "PAGE_FAULT_IN_NONPAGED_AREA", 0x7C: "BUGCODE_NDIS_DRIVER",
    0x7E: "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED", 0x9F: "DRIVER_POWER_STATE_FAILURE",
    0xA0: "INTERNAL_POWER_ERROR", 0xC2: "BAD_POOL_CALLER", 0xC4: "DRIVER_VERIFIER_DETECTED_VIOLATION",
    0xC5: "DRIVER_CORRUPTED_EXPOOL", 0xC9: "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
    0xCE: "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS", 0xD1: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
    0xD5: "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", 0xD6: "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
    0xE2: "MANUALLY_INITIATED_CRASH", 0xE6: "DRIVER_VERIFIER_DMA_VIOLATION", 0x101: "CLOCK_WATCHDOG_TIMEOUT",
    0x10D: "WDF_VIOLATION", 0x124: "WHEA_UNCORRECTABLE_ERROR", 0x133: "DPC_WATCHDOG_VIOLATION",
    0x139: "KERNEL_SECURITY_CHECK_FAILURE", 0x15E: "BUGCODE_NDIS_DRIVER_LIVE_DUMP",
}  # fmt: skip

HEADER_BYTES = 8192
LIVE_REPORTS = r"C:\Windows\LiveKernelReports"
_FOLDERS = [r"C:\Windows\Minidump", LIVE_REPORTS]
_SIGNATURE = b"PAGEDU64"
_MACHINES = {0x8664: "amd64", 0xAA64: "arm64"}
_KINDS = {1: "full", 2: "kernel", 4: "small", 5: "full bitmap", 6: "kernel bitmap"}
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def bugcheck_name(code: int) -> str:
    """``0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL``."""
    return f"0x{code:X} {BUGCHECKS.get(code, '')}".rstrip()


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
        return f"{bugcheck_name(self.code)} ({', '.join(f'0x{value:X}' for value in self.parameters)})"


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


def collect(session: SshSession, dump: DumpFile, folder: Path, *, limit_bytes: int) -> CollectedDump:
    """Bring a dump here; of one above ``limit_bytes`` only the header, named ``....header``."""
    folder.mkdir(parents=True, exist_ok=True)
    name = dump.path.rpartition("\\")[2]
    complete = dump.size_bytes <= limit_bytes
    local = folder / (name if complete else f"{name}.header")
    download(session, dump.path, local, limit_bytes=None if complete else HEADER_BYTES)
    with local.open("rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        header = parse_header(head)
    except UsageError:
        header = None
    return CollectedDump(dump.path, local, complete, header)
