"""Facts of a Windows executable image: machine, checksum, version, sections, and the hash that Authenticode signs.

What the linker put into its tables (imports, load configuration, debug) is read by :mod:`hil.package.linkage`.

Sources: Microsoft, "PE Format" and "Windows Authenticode Portable Executable Signature Format".
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

from hil.errors import UsageError

_SECURITY_DIRECTORY = 4
_DIRECTORIES = 16
_CHECKSUM_AT = 64
"""Offset of CheckSum in the optional header, of both kinds."""
_FIXED_FILE_INFO = struct.pack("<II", 0xFEEF04BD, 0x00010000)


class MachineType(IntEnum):
    """IMAGE_FILE_HEADER.Machine."""

    UNKNOWN = 0
    I386 = 0x14C
    ARMNT = 0x1C4
    AMD64 = 0x8664
    ARM64 = 0xAA64


class Subsystem(IntEnum):
    """IMAGE_OPTIONAL_HEADER.Subsystem, those that matter here."""

    OTHER = 0
    NATIVE = 1
    WINDOWS_GUI = 2
    WINDOWS_CUI = 3


def is_pe(data: bytes) -> bool:
    """Whether ``data`` starts as an executable image does; such files are hashed the Authenticode way."""
    if len(data) < 64 or data[:2] != b"MZ":
        return False
    at = int.from_bytes(data[60:64], "little")
    return data[at : at + 4] == b"PE\0\0"


@dataclass(frozen=True)
class ImageSection:
    """One entry of the section table; sizes and places in bytes."""

    name: str
    size: int
    address: int
    raw_size: int
    raw_at: int
    flags: int
    """IMAGE_SCN_*."""


@dataclass(frozen=True)
class Pe:
    """One image. Offsets are in bytes from the start of the file."""

    machine: MachineType
    subsystem: Subsystem
    is_dll: bool
    dll_characteristics: int
    timestamp: int
    """TimeDateStamp; a hash instead of a time in reproducible builds."""
    checksum: int
    """As the header says; 0 when not set."""
    computed_checksum: int
    table: tuple[ImageSection, ...]
    """The section table."""
    signature_offset: int
    """Where the embedded signature starts, 0 without one."""
    signature_size: int
    file_version: str
    """From the version resource, ``2.1.0.0``; empty without one."""
    checksum_offset: int
    security_entry_offset: int
    """Of the security directory's entry; 0 when the header has no such entry."""
    directories: tuple[tuple[int, int], ...] = ()
    """Address and size of each data directory."""
    is_64: bool = True
    section_alignment: int = 0x1000
    image_base: int = 0

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the sections."""
        return tuple(section.name for section in self.table)

    def offset(self, address: int) -> int | None:
        """Where in the file an address relative to the image's start is; None when it is in no section's file part."""
        for section in self.table:
            if section.address <= address < section.address + section.raw_size:
                return section.raw_at + address - section.address
        return None

    @classmethod
    def parse(cls, data: bytes, name: str) -> Pe:
        """Raises UsageError when ``data`` is no whole executable image."""
        if not is_pe(data):
            raise UsageError("an executable image", seen=f"{len(data)} bytes that do not start as one", where=name)
        try:
            return _parse(data)
        except (struct.error, ValueError) as error:
            raise UsageError("a whole executable image", seen=str(error), where=name) from error

    def authenticode_hash(self, data: bytes, algorithm: str = "sha256") -> bytes:
        """Digest over the file without checksum, security directory entry and signature, padded to 8 bytes."""
        end = self.signature_offset or len(data)
        digest = hashlib.new(algorithm)
        digest.update(data[: self.checksum_offset])
        if self.security_entry_offset:
            digest.update(data[self.checksum_offset + 4 : self.security_entry_offset])
            digest.update(data[self.security_entry_offset + 8 : end])
        else:
            digest.update(data[self.checksum_offset + 4 : end])
        rest = data[end + self.signature_size :]
        digest.update(rest)
        digest.update(bytes(-(end + len(rest)) % 8))
        return digest.digest()


def _parse(data: bytes) -> Pe:
    coff = int.from_bytes(data[60:64], "little") + 4
    machine, section_count, timestamp, _, _, optional_size, characteristics = struct.unpack_from("<HHIIIHH", data, coff)
    optional = coff + 20
    magic = struct.unpack_from("<H", data, optional)[0]
    if magic not in (0x10B, 0x20B):
        raise ValueError(f"optional header magic {magic:#x}")
    directories = optional + (96 if magic == 0x10B else 112)
    checksum, subsystem, dll_characteristics = struct.unpack_from("<IHH", data, optional + _CHECKSUM_AT)
    directory_count = struct.unpack_from("<I", data, directories - 4)[0]
    entry = directories + 8 * _SECURITY_DIRECTORY
    has_entry = directory_count > _SECURITY_DIRECTORY and entry + 8 <= optional + optional_size
    signature = struct.unpack_from("<II", data, entry) if has_entry else (0, 0)
    if signature[0] and not optional + optional_size <= signature[0] <= signature[0] + signature[1] <= len(data):
        raise ValueError("the signature lies outside the file")
    table = tuple(_section(data, optional + optional_size + 40 * index) for index in range(section_count))
    if any(section.raw_size and section.raw_at + section.raw_size > len(data) for section in table):
        raise ValueError("a section ends behind the end of the file")
    resources = next((section for section in table if section.name == ".rsrc"), None)
    is_64 = magic == 0x20B
    present = min(directory_count, _DIRECTORIES, (optional + optional_size - directories) // 8)
    return Pe(
        machine=MachineType(machine) if machine in set(MachineType) else MachineType.UNKNOWN,
        subsystem=Subsystem(subsystem) if subsystem in set(Subsystem) else Subsystem.OTHER,
        is_dll=bool(characteristics & 0x2000), dll_characteristics=dll_characteristics, timestamp=timestamp,
        checksum=checksum, computed_checksum=image_checksum(data, optional + _CHECKSUM_AT),
        table=table, is_64=is_64,
        signature_offset=signature[0], signature_size=signature[1] if signature[0] else 0,
        file_version=_file_version(data[resources.raw_at :][: resources.raw_size]) if resources else "",
        checksum_offset=optional + _CHECKSUM_AT, security_entry_offset=entry if has_entry else 0,
        directories=tuple(struct.unpack_from("<II", data, directories + 8 * index) for index in range(present)),
        section_alignment=struct.unpack_from("<I", data, optional + 32)[0],
        image_base=struct.unpack_from("<Q" if is_64 else "<I", data, optional + (24 if is_64 else 28))[0],
    )  # fmt: skip


def _section(data: bytes, at: int) -> ImageSection:
    name, size, address, raw_size, raw_at, flags = struct.unpack_from("<8sIIII12xI", data, at)
    return ImageSection(name.rstrip(b"\0").decode("ascii", "replace"), size, address, raw_size, raw_at, flags)


def _file_version(resources: bytes) -> str:
    """FileVersion of the VS_FIXEDFILEINFO in a resource section."""
    at = resources.find(_FIXED_FILE_INFO)
    if at < 0 or len(resources) < at + 16:
        return ""
    minor, major, revision, build = struct.unpack_from("<HHHH", resources, at + 8)
    return f"{major}.{minor}.{build}.{revision}"


def image_checksum(data: bytes, checksum_offset: int) -> int:
    """What IMAGE_OPTIONAL_HEADER.CheckSum must be: 16-bit sum with carries of all but itself, plus the length."""
    blank = data[:checksum_offset] + bytes(4) + data[checksum_offset + 4 :] + bytes(-len(data) % 4)
    # 2**32 is 1 modulo 2**16 - 1: the sum of words with end-around carry is the value of the whole modulo 0xFFFF
    total = int.from_bytes(blank, "little")
    folded = total % 0xFFFF if total else 0
    if total and not folded:
        folded = 0xFFFF
    return folded + len(data) & 0xFFFFFFFF
