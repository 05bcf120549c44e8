r"""The registry: keys and typed values, whatever the case, by paths such as ``HKLM\SYSTEM\CurrentControlSet``."""

from __future__ import annotations

from dataclasses import dataclass, field

Data = str | int | bytes | list[str]

_ROOTS = {
    "hkey_local_machine": "HKLM", "hklm": "HKLM", "hklm:": "HKLM",
    "hkey_current_user": "HKCU", "hkcu": "HKCU", "hkcu:": "HKCU",
    "hkey_classes_root": "HKCR", "hkcr": "HKCR", "hkey_users": "HKU", "hku": "HKU",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    name: str
    """Empty for the default value of a key."""
    kind: str
    """REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ, REG_DWORD, REG_QWORD, REG_BINARY"""
    data: Data


@dataclass
class Key:
    name: str
    values: dict[str, Value] = field(default_factory=dict)
    subkeys: dict[str, Key] = field(default_factory=dict)


def normal(path: str) -> str:
    r"""``HKLM\...`` from any spelling of the root: ``HKLM:\``, ``HKEY_LOCAL_MACHINE\``, ``Registry::``. Raises KeyError
    for a root that does not exist."""
    parts = [part for part in path.replace("/", "\\").split("\\") if part]
    head = parts[0].lower().rsplit("::", 1)[-1]
    if head.endswith("registry:"):
        parts, head = parts[1:], parts[1].lower()
    return "\\".join([_ROOTS[head], *parts[1:]])


class Registry:
    """Values of a key keep the order in which they were written."""

    def __init__(self) -> None:
        self._roots = {root: Key(root) for root in ("HKLM", "HKCU", "HKCR", "HKU")}

    def key(self, path: str) -> Key | None:
        root, *names = normal(path).split("\\")
        found: Key | None = self._roots[root]
        for name in names:
            found = found.subkeys.get(name.lower()) if found else None
        return found

    def create(self, path: str) -> Key:
        """The key, made with its parents where they are missing."""
        root, *names = normal(path).split("\\")
        found = self._roots[root]
        for name in names:
            found = found.subkeys.setdefault(name.lower(), Key(name))
        return found

    def get(self, path: str, name: str, default: Data = "") -> Data:
        key = self.key(path)
        value = key.values.get(name.lower()) if key else None
        return value.data if value else default

    def set(self, path: str, name: str, data: Data, kind: str = "") -> None:
        """Write one value; ``kind`` follows from the data when it is not given."""
        kind = kind or {int: "REG_DWORD", bytes: "REG_BINARY", list: "REG_MULTI_SZ"}.get(type(data), "REG_SZ")
        self.create(path).values[name.lower()] = Value(name, kind, data)

    def delete_value(self, path: str, name: str) -> bool:
        key = self.key(path)
        return key is not None and key.values.pop(name.lower(), None) is not None

    def delete_key(self, path: str) -> bool:
        """Remove the key with all below it; False when there is none."""
        parent, _, name = normal(path).rpartition("\\")
        holder = self.key(parent) if parent else None
        return holder is not None and holder.subkeys.pop(name.lower(), None) is not None
