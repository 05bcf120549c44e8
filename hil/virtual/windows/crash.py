r"""Crash dumps: the page file keeps a bugcheck until the next boot writes it to disk.

Header of a 64-bit kernel dump: reference power-pnp.md 4.3 (8192 bytes, little endian).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

CRASH_CONTROL = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"
NONE, COMPLETE, KERNEL, SMALL, AUTOMATIC = 0, 1, 2, 3, 7
"""CrashDumpEnabled."""

LIVE_REPORTS = r"C:\Windows\LiveKernelReports"
HEADER_BYTES, AMD64 = 8192, 0x8664
_DUMP_TYPE = {COMPLETE: 1, KERNEL: 6, AUTOMATIC: 6, SMALL: 4}
_BODY_BYTES = {COMPLETE: 1 << 20, KERNEL: 1 << 19, AUTOMATIC: 1 << 19, SMALL: 1 << 17}
_DEFAULTS = {
    "CrashDumpEnabled": AUTOMATIC, "AutoReboot": 1, "LogEvent": 1, "Overwrite": 1, "AlwaysKeepMemoryDump": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Bugcheck:
    code: int
    parameters: tuple[int, int, int, int]
    time: datetime
    up_s: float

    def __str__(self) -> str:
        return f"0x{self.code:08x} (" + ", ".join(f"0x{value:016x}" for value in self.parameters) + ")"


@dataclass(frozen=True)
class Dump:
    """A dump that a boot saved."""

    path: str
    report_id: str


def filetime(time: datetime) -> int:
    """100 ns since 1601."""
    return int((time - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000)


def header(bugcheck: Bugcheck, build: int, dump_type: int, size: int) -> bytes:
    raw = bytearray(HEADER_BYTES)

    def put(offset: int, layout: str, *values: int) -> None:
        struct.pack_into("<" + layout, raw, offset, *values)

    raw[0:8] = b"PAGEDU64"
    put(0x008, "II", 15, build)
    put(0x020, "QQ", 0xFFFFF80412A2C3E0, 0xFFFFF80412A1E1B0)
    put(0x030, "II", AMD64, 8)
    put(0x038, "I", bugcheck.code)
    put(0x040, "4Q", *bugcheck.parameters)
    put(0x080, "Q", 0xFFFFF80412A00B20)
    put(0xF98, "I", dump_type)
    put(0xFA0, "QQ", size, filetime(bugcheck.time))
    put(0x1030, "Q", int(bugcheck.up_s * 10_000_000))
    return bytes(raw)


class CrashControl:
    """What Control\\CrashControl says, and the bugcheck that waits in the page file."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self.pending: Bugcheck | None = None
        """In the page file, complete; written to disk by the next boot."""
        self.pending_kind = NONE
        for name, value in _DEFAULTS.items():
            windows.registry.set(CRASH_CONTROL, name, value)
        self.kind = AUTOMATIC
        """CrashDumpEnabled as the kernel read it at boot."""
        windows.at_boot(self._boot)
        windows.registry.set(CRASH_CONTROL, "DumpFile", r"%SystemRoot%\MEMORY.DMP", "REG_EXPAND_SZ")
        windows.registry.set(CRASH_CONTROL, "MinidumpDir", r"%SystemRoot%\Minidump", "REG_EXPAND_SZ")

    def value(self, name: str) -> int:
        return int(str(self._windows.registry.get(CRASH_CONTROL, name, _DEFAULTS[name])))

    def _boot(self) -> None:
        self.kind = self.value("CrashDumpEnabled")

    @property
    def restarts(self) -> bool:
        return self.value("AutoReboot") == 1

    def keep(self, bugcheck: Bugcheck) -> None:
        """The dump is complete in the page file."""
        self.pending, self.pending_kind = (bugcheck, self.kind) if self.kind != NONE else (None, NONE)

    def save(self) -> Dump | None:
        """At boot: the dump files of the pending bugcheck; None when there is none."""
        bugcheck, kind, self.pending = self.pending, self.pending_kind, None
        if bugcheck is None:
            return None
        files = self._windows.files
        folder = str(self._windows.registry.get(CRASH_CONTROL, "MinidumpDir"))
        number = len(files.listing(folder)) + 1
        name = self._windows.bench.faults.dump_name(f"{bugcheck.time:%m%d%y}-{number * 1000 + 4531}-01.dmp")
        if name is None:
            return None
        small = files.write(f"{folder}\\{name}", self._image(bugcheck, SMALL))
        if kind == SMALL:
            return Dump(small, str(uuid4()))
        large = files.write(str(self._windows.registry.get(CRASH_CONTROL, "DumpFile")), self._image(bugcheck, kind))
        return Dump(large, str(uuid4()))

    def save_live(self, code: int, parameters: tuple[int, int, int, int]) -> str:
        """A live dump: Windows caught a driver, and goes on."""
        now = self._windows.now()
        told = Bugcheck(code, parameters, now, (now - self._windows.last_boot).total_seconds())
        return self._windows.files.write(rf"{LIVE_REPORTS}\NDIS\NDIS-{now:%Y%m%d-%H%M}.dmp", self._image(told, SMALL))

    def _image(self, bugcheck: Bugcheck, kind: int) -> bytes:
        size = HEADER_BYTES + _BODY_BYTES[kind]
        return header(bugcheck, self._windows.build, _DUMP_TYPE[kind], size).ljust(size, b"\0")
