"""Small, valid x64 images: a kernel driver that refuses to load, and a program that ends at once.

They are what a linker would write (Microsoft, "PE Format"): headers, code, load configuration with security cookie and
control flow guard, identity of the symbols, a version resource, a right checksum.
"""

from __future__ import annotations

import struct
from datetime import datetime
from uuid import NAMESPACE_DNS, uuid5

from hil.package.pe import image_checksum

_FILE_ALIGNMENT, _SECTION_ALIGNMENT = 0x200, 0x1000
_PE_OFFSET, _OPTIONAL_SIZE = 0x80, 240
_IMAGE_BASE = 0x140000000
_RESOURCE_DIRECTORY, _DEBUG_DIRECTORY, _CONFIGURATION_DIRECTORY = 2, 6, 10
_COOKIE = struct.pack("<Q", 0x2B992DDFA232)
"""What the C runtime's cookie is before it is set."""
_CONFIGURATION_SIZE, _COOKIE_POINTER_AT, _GUARD_FLAGS_AT = 148, 88, 144
_GUARD_INSTRUMENTED = 0x100
_CODE_VIEW = 2
_RT_VERSION, _ENGLISH, _UNICODE = 16, 0x0409, 1200
_DOS_STUB = bytes.fromhex("0e1fba0e00b409cd21b8014ccd21") + b"This program cannot be run in DOS mode.\r\r\n$"
# mov eax, 0xC00000BB (STATUS_NOT_SUPPORTED); ret - and - xor eax, eax; ret
_REFUSE, _END = bytes.fromhex("b8bb0000c0c3"), bytes.fromhex("31c0c3")


def driver(name: str, version: str, description: str, built: datetime) -> bytes:
    """A native image whose entry point answers STATUS_NOT_SUPPORTED; ``version`` is w.x.y.z."""
    # high entropy, dynamic base, NX, WDM driver, control flow guard
    return _image(_REFUSE, 1, 0x6160, name, version, description, built, file_type=3, file_subtype=6)


def program(name: str, version: str, description: str, built: datetime) -> bytes:
    """A console program whose entry point returns 0."""
    return _image(_END, 3, 0xC160, name, version, description, built, file_type=1, file_subtype=0)


def _image(
    code: bytes, subsystem: int, dll_characteristics: int, name: str, version: str, description: str, built: datetime,
    *, file_type: int, file_subtype: int,
) -> bytes:  # fmt: skip
    code_at, constants_at, data_at, resource_at = (index * _SECTION_ALIGNMENT for index in range(1, 5))
    resources = _version_resource(resource_at, name, version, description, file_type, file_subtype)
    symbols = _symbols(name, version)
    # raw data start behind the headers, one unit for code and one each for what follows
    constants = _configuration(data_at) + struct.pack(
        "<IIHHIIII", 0, int(built.timestamp()), 0, 0, _CODE_VIEW, len(symbols),
        constants_at + _CONFIGURATION_SIZE + 28, 3 * _FILE_ALIGNMENT + _CONFIGURATION_SIZE + 28,
    ) + symbols  # fmt: skip
    sections = (
        (b".text", code, code_at, 0x60000020), (b".rdata", constants, constants_at, 0x40000040),
        (b".data", _COOKIE, data_at, 0xC0000040), (b".rsrc", resources, resource_at, 0x40000040),
    )  # fmt: skip
    headers, body, file_at = b"", b"", _FILE_ALIGNMENT * 2
    for title, content, address, flags in sections:
        raw = content.ljust(_aligned(len(content), _FILE_ALIGNMENT), b"\0")
        headers += struct.pack("<8s6I2HI", title, len(content), address, len(raw), file_at, 0, 0, 0, 0, flags)
        body, file_at = body + raw, file_at + len(raw)
    size = resource_at + _aligned(len(resources), _SECTION_ALIGNMENT)
    coff = struct.pack("<HHIIIHH", 0x8664, len(sections), int(built.timestamp()), 0, 0, _OPTIONAL_SIZE, 0x0022)
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 40, _FILE_ALIGNMENT, len(body) - _FILE_ALIGNMENT, 0,
        _SECTION_ALIGNMENT, _SECTION_ALIGNMENT, _IMAGE_BASE, _SECTION_ALIGNMENT, _FILE_ALIGNMENT, 10, 0, 10, 0, 10, 0,
        0, size, _FILE_ALIGNMENT * 2, 0, subsystem, dll_characteristics, 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16,
    )  # fmt: skip
    directories = [(0, 0)] * 16
    directories[_RESOURCE_DIRECTORY] = (resource_at, len(resources))
    directories[_DEBUG_DIRECTORY] = (constants_at + _CONFIGURATION_SIZE, 28)
    directories[_CONFIGURATION_DIRECTORY] = (constants_at, _CONFIGURATION_SIZE)
    optional += b"".join(struct.pack("<II", *entry) for entry in directories)
    dos = struct.pack("<2s58xI", b"MZ", _PE_OFFSET) + _DOS_STUB
    image = dos.ljust(_PE_OFFSET, b"\0") + b"PE\0\0" + coff + optional + headers
    image = image.ljust(_FILE_ALIGNMENT * 2, b"\0") + body
    at = _PE_OFFSET + 24 + 64
    return image[:at] + struct.pack("<I", image_checksum(image, at)) + image[at + 4 :]


def _configuration(cookie_at: int) -> bytes:
    """IMAGE_LOAD_CONFIG_DIRECTORY64 with the cookie's address, and calls guarded."""
    table = bytearray(_CONFIGURATION_SIZE)
    struct.pack_into("<I", table, 0, _CONFIGURATION_SIZE)
    struct.pack_into("<Q", table, _COOKIE_POINTER_AT, _IMAGE_BASE + cookie_at)
    struct.pack_into("<I", table, _GUARD_FLAGS_AT, _GUARD_INSTRUMENTED)
    return bytes(table)


def _symbols(name: str, version: str) -> bytes:
    """CodeView record: the same identity for the same name and version."""
    identity = uuid5(NAMESPACE_DNS, f"{name} {version}").bytes_le
    return b"RSDS" + identity + struct.pack("<I", 1) + name.rpartition(".")[0].encode("ascii") + b".pdb\0"


def _aligned(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _version_resource(
    address: int, name: str, version: str, description: str, file_type: int, file_subtype: int
) -> bytes:
    """A .rsrc section with one VS_VERSIONINFO, at ``address`` in the image."""
    major, minor, build, revision = (int(part) for part in version.split("."))
    fixed = struct.pack(
        "<II4H4HIIIIIII", 0xFEEF04BD, 0x10000, minor, major, revision, build, minor, major, revision, build,
        0x3F, 0, 0x40004, file_type, file_subtype, 0, 0,
    )  # fmt: skip
    texts = {
        "CompanyName": "HIL Lab", "FileDescription": description, "FileVersion": version, "InternalName": name,
        "OriginalFilename": name, "ProductName": "HIL virtual bench", "ProductVersion": version,
    }  # fmt: skip
    table = _block(f"{_ENGLISH:04x}{_UNICODE:04x}", b"", [_block(key, text, []) for key, text in texts.items()])
    translation = _block("Translation", struct.pack("<HH", _ENGLISH, _UNICODE), [])
    info = _block(
        "VS_VERSION_INFO", fixed, [_block("StringFileInfo", b"", [table]), _block("VarFileInfo", b"", [translation])]
    )
    directory = b""
    for level, identifier in enumerate((_RT_VERSION, 1, _ENGLISH)):
        following = (level + 1) * 24
        child = following | 0x80000000 if level < 2 else following
        directory += struct.pack("<IIHHHHII", 0, 0, 0, 0, 0, 1, identifier, child)
    return directory + struct.pack("<IIII", address + len(directory) + 16, len(info), 0, 0) + info


def _block(key: str, value: bytes | str, children: list[bytes]) -> bytes:
    """One node of VS_VERSIONINFO: length, value length, kind, key, value, children, each on 32 bits."""
    text = isinstance(value, str)
    raw = value.encode("utf-16-le") + b"\0\0" if isinstance(value, str) else value
    head = _padded(bytes(6) + key.encode("utf-16-le") + b"\0\0")
    body = head + raw
    for child in children:
        body = _padded(body) + child
    return struct.pack("<HHH", len(body), len(raw) // 2 if text else len(raw), int(text)) + body[6:]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
