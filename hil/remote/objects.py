"""Objects as they come back from PowerShell."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PSEnum:
    """An enumeration value: its integer and its ToString(). Compares with either: ``state == "Up"``, ``state == 1``."""

    value: int
    text: str
    type_name: str = ""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PSEnum):
            return self.value == other.value
        if isinstance(other, str):
            return self.text.lower() == other.lower()
        return self.value == other if isinstance(other, int) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return self.value

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class PSObject(Mapping[str, object]):
    """An object with properties; names match whatever their case, as in PowerShell.

    ``obj["ifIndex"]`` raises KeyError naming what there is; ``obj.get("ifIndex")`` does not. Values: None, str, bool,
    int, float, Decimal, datetime, timedelta, UUID, bytes, PSEnum, list, dict, PSObject.
    """

    type_names: tuple[str, ...] = ()
    properties: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    """ToString(), when the far end sent it."""

    def __getitem__(self, name: str) -> object:
        try:
            return self.properties[name]
        except KeyError:
            for key, value in self.properties.items():
                if key.lower() == name.lower():
                    return value
        raise KeyError(f"{name} (there is: {', '.join(self.properties)})")

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def __len__(self) -> int:
        return len(self.properties)

    def items(self) -> ItemsView[str, object]:
        return self.properties.items()

    def __str__(self) -> str:
        return self.text or repr(dict(self.properties))

    def in_words(self) -> str:
        """``Name: Ethernet 2, Status: Up``, without what is empty; for people."""
        return ", ".join(f"{name}: {value}" for name, value in self.items() if value not in (None, "", []))
