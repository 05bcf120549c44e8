"""Keys and values of the registry as PowerShell's Registry provider shows and changes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from psrpcore.types import PSInt, PSInt64

from hil.virtual.conversion import text
from hil.virtual.powershell import Call, CmdletError, PSRecord
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.core import CUSTOM_OBJECT
from hil.virtual.windows.files import expanded
from hil.virtual.windows.registry import Data, Key, Value, normal

if TYPE_CHECKING:
    from hil.virtual.windows.registry import Registry

_PATH = re.compile(r"^(?:registry::(?:hkey_\w+|hk\w+)|hklm:|hkcu:)(?:[\\/]|$)", re.IGNORECASE)
_TYPE = "Microsoft.PowerShell.Commands"
_LONG = {"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS"}
_REG = {
    "String": "REG_SZ", "ExpandString": "REG_EXPAND_SZ", "Binary": "REG_BINARY", "DWord": "REG_DWORD",
    "MultiString": "REG_MULTI_SZ", "QWord": "REG_QWORD",
}  # fmt: skip
KINDS = tuple(_REG)
"""RegistryValueKind, as -PropertyType takes it."""


def is_registry_path(path: str) -> bool:
    return _PATH.match(path) is not None


def _long(path: str) -> str:
    root, _, rest = normal(path).partition("\\")
    return f"{_LONG[root]}\\{rest}" if rest else _LONG[root]


def _ps(path: str) -> dict[str, object]:
    long = _long(path)
    provider = "Microsoft.PowerShell.Core\\Registry"
    return {
        "PSPath": f"{provider}::{long}", "PSParentPath": f"{provider}::{long.rpartition(chr(92))[0]}",
        "PSChildName": long.rpartition("\\")[2],
        "PSDrive": PSRecord(("System.Management.Automation.PSDriveInfo",), {"Name": "HKLM"}, "HKLM"),
        "PSProvider": PSRecord(("System.Management.Automation.ProviderInfo",), {"Name": "Registry"}, provider),
    }  # fmt: skip


def _key_object(path: str, key: Key) -> PSRecord:
    names = [value.name or "(default)" for value in key.values.values()]
    properties = {
        **_ps(path), "PSIsContainer": True, "Property": names, "Name": _long(path),
        "SubKeyCount": PSInt(len(key.subkeys)), "ValueCount": PSInt(len(key.values)),
    }  # fmt: skip
    return PSRecord(("Microsoft.Win32.RegistryKey", "System.Object"), properties, _long(path))


def exists(call: Call, path: str) -> bool:
    return call.host.registry.key(path) is not None


def _key(call: Call, path: str, command: str) -> Key | None:
    registry: Registry = call.host.registry
    key = registry.key(path)
    if key is None:
        call.write_error(
            CmdletError(
                f"Cannot find path '{_long(path)}' because it does not exist.",
                target=path,
                category="ObjectNotFound",
                error_id=f"PathNotFound,{_TYPE}.{command}",
                exception="System.Management.Automation.ItemNotFoundException",
            )
        )
    return key


def _may_write(call: Call, path: str, command: str) -> bool:
    if call.host.elevated or normal(path).startswith("HKCU"):
        return True
    call.write_error(
        CmdletError(
            "Requested registry access is not allowed.",
            target=_long(path),
            category="PermissionDenied",
            error_id=f"System.Security.SecurityException,{_TYPE}.{command}",
            exception="System.Security.SecurityException",
        )
    )
    return False


def children(call: Call, path: str) -> Iterator[PSRecord]:
    key = _key(call, path, "GetChildItemCommand")
    for subkey in key.subkeys.values() if key else ():
        yield _key_object(f"{normal(path)}\\{subkey.name}", subkey)


def item(call: Call, path: str, command: str) -> Iterator[PSRecord]:
    key = _key(call, path, command)
    if key:
        yield _key_object(path, key)


def create(call: Call, path: str, *, force: bool) -> Iterator[PSRecord]:
    command = "NewItemCommand"
    if not _may_write(call, path, command):
        return
    parent = normal(path).rpartition("\\")[0]
    if exists(call, path) and not force:
        call.write_error(
            CmdletError(
                "A key in this path already exists.",
                category="ResourceExists",
                target=_long(path),
                error_id=f"System.IO.IOException,{_TYPE}.{command}",
                exception="System.IO.IOException",
            )
        )
    elif not exists(call, parent) and not force:
        call.write_error(
            CmdletError(
                "The registry key at the specified path does not exist.",
                category="InvalidArgument",
                target=_long(path),
                error_id=f"System.ArgumentException,{_TYPE}.{command}",
                exception="System.ArgumentException",
            )
        )
    else:
        call.host.registry.delete_key(path)  # -Force empties a key that is there
        yield _key_object(path, call.host.registry.create(path))


def remove(call: Call, path: str, command: str) -> None:
    if _key(call, path, command) is not None and _may_write(call, path, command):
        call.host.registry.delete_key(path)


def _shown(value: Value) -> object:
    """With the .NET type that the provider gives: a DWORD is a signed Int32."""
    if value.kind == "REG_DWORD" and isinstance(value.data, int):
        return PSInt(value.data - 2**32 if value.data >= 2**31 else value.data)
    if value.kind == "REG_QWORD" and isinstance(value.data, int):
        return PSInt64(value.data - 2**64 if value.data >= 2**63 else value.data)
    if value.kind == "REG_EXPAND_SZ":
        return expanded(str(value.data))
    return value.data


def properties(call: Call, path: str, names: Sequence[str] | None, command: str) -> Iterator[PSRecord]:
    """One object with the key's values; writes an error for a plain name that is not there."""
    key = _key(call, path, command)
    if key is None:
        return
    chosen: dict[str, object] = {}
    for name in names or ["*"]:
        hits = [value for value in key.values.values() if cdxml.matches(name, value.name or "(default)")]
        chosen |= {value.name or "(default)": _shown(value) for value in hits}
        if not hits and not cdxml.is_pattern(name):
            call.write_error(_no_property(name, path, command))
    if chosen:
        yield PSRecord(CUSTOM_OBJECT, chosen | _ps(path))


def _no_property(name: str, path: str, command: str) -> CmdletError:
    exception = "System.Management.Automation.PSArgumentException"
    return CmdletError(
        f"Property {name} does not exist at path {_long(path)}.", category="InvalidArgument", target=name,
        error_id=f"{exception},{_TYPE}.{command}", exception=exception,
    )  # fmt: skip


def write(
    call: Call, path: str, name: str, value: object, kind: str | None, command: str, *, fresh: bool, force: bool
) -> bool:
    """Set a value; ``fresh`` refuses to overwrite one unless forced, as New-ItemProperty does."""
    key = _key(call, path, command)
    if key is None or not _may_write(call, path, command):
        return False
    known = key.values.get(name.lower())
    if known and fresh and not force:
        call.write_error(
            CmdletError(
                "The property already exists.",
                category="WriteError",
                target=_long(path),
                error_id=f"System.IO.IOException,{_TYPE}.{command}",
                exception="System.IO.IOException",
            )
        )
        return False
    reg = _REG[kind] if kind else known.kind if known else "REG_DWORD" if isinstance(value, int) else "REG_SZ"
    if not kind and not known and isinstance(value, list):
        reg = "REG_MULTI_SZ"
    call.host.registry.set(path, name, _stored(value, reg), reg)
    return True


def _stored(value: object, reg: str) -> Data:
    if reg in ("REG_DWORD", "REG_QWORD"):
        number = int(text(value) or 0)
        return number & (0xFFFFFFFF if reg == "REG_DWORD" else 0xFFFFFFFFFFFFFFFF)
    if reg == "REG_MULTI_SZ":
        return [text(part) for part in value] if isinstance(value, list | tuple) else [text(value)]
    if reg == "REG_BINARY":
        parts = value if isinstance(value, list | tuple) else [value]
        return bytes(value) if isinstance(value, bytes | bytearray) else bytes(int(text(part)) for part in parts)
    return text(value)


def remove_values(call: Call, path: str, names: Sequence[str], command: str) -> None:
    key = _key(call, path, command)
    if key is None or not _may_write(call, path, command):
        return
    for name in names:
        hits = [value for value in key.values.values() if cdxml.matches(name, value.name)]
        if not hits and not cdxml.is_pattern(name):
            call.write_error(_no_property(name, path, command))
        for value in hits:
            call.host.registry.delete_value(path, value.name)
