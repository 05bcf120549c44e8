r"""Advanced properties of an adapter: what its INF declares under Ndi\params, and what the driver key holds now.

Source of the layout: Microsoft Learn, "Specifying configuration parameters for the Advanced properties page".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hil.virtual.windows.registry import Registry

CLASS_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Class"
NOT_SET = "--"
"""What Windows shows, as registry and as display value, of an optional property that nobody has set."""
TYPES = {"int": 1, "long": 2, "word": 3, "dword": 4, "enum": 5, "edit": 6}


@dataclass(frozen=True)
class Setting:
    keyword: str
    display_name: str
    type: str
    """int, long, word, dword, enum or edit"""
    default: str
    value: str
    choices: Mapping[str, str] = field(default_factory=dict)
    """Registry value to display value, for an enum."""
    minimum: str = ""
    maximum: str = ""
    step: str = ""
    base: str = "10"
    optional: bool = False
    present: bool = True
    """The driver key holds a value, not only the INF a default."""

    @property
    def shown_value(self) -> str:
        return self.value if self.present or not self.optional else NOT_SET

    @property
    def display_value(self) -> str:
        return self.choices.get(self.shown_value, self.shown_value)

    @property
    def default_display_value(self) -> str:
        return self.choices.get(self.default, self.default)

    def registry_value(self, display_value: str) -> str | None:
        """The registry value behind a display value, whatever its case; None when there is none such."""
        if self.type != "enum":
            return display_value
        wanted = display_value.lower()
        return next((value for value, text in self.choices.items() if text.lower() == wanted), None)

    def accepts(self, value: str) -> bool:
        """Whether Windows takes this registry value."""
        if self.type == "enum":
            return value in self.choices
        if self.type == "edit":
            return True
        try:
            number = int(value, 16 if self.base == "16" else 10)
        except ValueError:
            return False
        lowest, highest = int(self.minimum or 0), int(self.maximum or 0xFFFFFFFF)
        return lowest <= number <= highest and (number - lowest) % int(self.step or 1) == 0


def read(registry: Registry, driver_key: str) -> dict[str, Setting]:
    r"""Keyword to setting, in the INF's order; ``driver_key`` as ``{guid}\0001``."""
    path = f"{CLASS_KEY}\\{driver_key}"
    key, declared = registry.key(path), registry.key(f"{path}\\Ndi\\params")
    found: dict[str, Setting] = {}
    for param in declared.subkeys.values() if declared and key else ():
        texts = {name: str(value.data) for name, value in param.values.items()}
        choices = param.subkeys.get("enum")
        current = key.values.get(param.name.lower()) if key else None
        found[param.name] = Setting(
            keyword=param.name,
            display_name=texts.get("paramdesc", param.name),
            type=texts.get("type", "int").lower(),
            default=texts.get("default", ""),
            value=str(current.data) if current else texts.get("default", ""),
            choices={value.name: str(value.data) for value in choices.values.values()} if choices else {},
            minimum=texts.get("min", ""), maximum=texts.get("max", ""), step=texts.get("step", ""),
            base=texts.get("base", "10"), optional=texts.get("optional", "0") == "1", present=current is not None,
        )  # fmt: skip
    return found


def write(registry: Registry, driver_key: str, keyword: str, value: str) -> None:
    registry.set(f"{CLASS_KEY}\\{driver_key}", keyword, value, "REG_SZ")
