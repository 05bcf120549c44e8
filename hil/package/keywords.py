r"""Settings of a network INF: what ``Ndi\params`` offers to the Advanced page and to Get-NetAdapterAdvancedProperty.

Sources: Microsoft, "Specifying Configuration Parameters for the Advanced Properties Page", "Standardized INF Keywords".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from hil.package.install import AddReg

Kind = Literal["enum", "int", "long", "word", "dword", "edit"]

HARMLESS = ("*ReceiveBuffers", "*TransmitBuffers", "*InterruptModeration", "*PriorityVLANTag", "*FlowControl")
"""Standardized keywords that a test may turn at no cost to link, rate and wake, the least noticeable first."""

_PARAMS = re.compile(r"ndi\\params\\([^\\]+)(\\enum)?", re.IGNORECASE)
_KINDS = ("enum", "int", "long", "word", "dword", "edit")


@dataclass(frozen=True)
class Keyword:
    r"""One advanced property. Numbers in ``minimum``, ``maximum`` and ``step`` are in base ``base`` in the INF."""

    name: str
    """Registry keyword, standardized ones with their asterisk: ``*JumboPacket``."""
    description: str
    kind: Kind
    default: str
    """Registry value (always a string there); empty for an optional one that is not set."""
    choices: tuple[tuple[str, str], ...] = ()
    """Of an enum: registry value and displayed text."""
    minimum: int | None = None
    maximum: int | None = None
    step: int | None = None
    base: int = 10
    optional: bool = False
    limit_text: int | None = None
    """Of an edit: most characters."""
    upper_case: bool = False
    number: int = 0
    """Line of its first entry in the INF."""

    def accepts(self, value: str) -> bool:
        """Whether ``value`` may be written to the registry for this keyword."""
        if value == "" and self.optional:
            return True
        if self.kind == "enum":
            return value in dict(self.choices)
        if self.kind == "edit":
            return self.limit_text is None or len(value) <= self.limit_text
        try:
            number = int(value, self.base)
        except ValueError:
            return False
        low = self.minimum if self.minimum is not None else number
        high = self.maximum if self.maximum is not None else number
        return low <= number <= high and not (self.step and (number - low) % self.step)

    def boundary_values(self) -> tuple[str, ...]:
        """What a test writes: each choice of an enum; of a number both ends, their neighbours and the default.

        Nothing of an edit: what its text may be, only the driver knows.
        """
        if self.kind == "enum":
            return tuple(dict(self.choices))
        if self.kind == "edit" or self.minimum is None or self.maximum is None:
            return ()
        step = self.step or 1
        ends = (self.minimum, self.minimum + step, self.maximum - step, self.maximum)
        return tuple(dict.fromkeys(value for value in (*map(self._text, ends), self.default) if self.accepts(value)))

    def off_default(self) -> str | None:
        """A value that is allowed, moderate, and not the default: of a number half more, as near as range and steps
        allow; of an enum the first other choice. None when there is none, or nothing is known of a default."""
        if self.kind == "enum":
            return next((value for value in self.boundary_values() if value != self.default), None)
        if self.kind == "edit" or self.minimum is None or self.maximum is None:
            return None
        if not self.default or not self.accepts(self.default):
            return None
        default, low, step = int(self.default, self.base), self.minimum, self.step or 1
        most = (self.maximum - low) // step
        wanted = min(max((default + default // 2 - low) // step, 0), most)
        near = [low + place * step for place in (wanted, wanted + 1, wanted - 1) if 0 <= place <= most]
        return next((self._text(number) for number in near if number != default), None)

    def values_outside(self) -> tuple[str, ...]:
        """What must be refused: beyond both ends, between two steps, no number, and no choice of an enum."""
        if self.kind == "edit":
            return ()
        numbers = [int(value) for value, _ in self.choices if value.isdecimal()]
        low, high = (self.minimum, self.maximum) if self.kind != "enum" else (None, max(numbers, default=0))
        beyond = [low - (self.step or 1)] if low else []
        beyond += [high + (self.step or 1)] if high is not None else []
        beyond += [low + 1] if low is not None and (self.step or 1) > 1 else []
        return tuple(value for value in (*map(self._text, beyond), "many") if not self.accepts(value))

    def _text(self, number: int) -> str:
        return f"{number:x}" if self.base == 16 else str(number)


def harmless(offered: Iterable[Keyword]) -> tuple[Keyword, ...]:
    """Those of ``offered`` that are :data:`HARMLESS` and can be moved off their default; the first one suits best."""
    ranks = {name.lower(): rank for rank, name in enumerate(HARMLESS)}
    movable = [keyword for keyword in offered if keyword.name.lower() in ranks and keyword.off_default() is not None]
    return tuple(sorted(movable, key=lambda keyword: ranks[keyword.name.lower()]))


def read(registry: Iterable[AddReg]) -> tuple[Keyword, ...]:
    r"""Keywords of the ``HKR,Ndi\params`` entries, in the order of the INF."""
    fields: dict[str, dict[str, AddReg]] = {}
    choices: dict[str, dict[str, str]] = {}
    for entry in registry:
        found = _PARAMS.fullmatch(entry.subkey) if entry.root == "HKR" else None
        if found and found[2]:
            choices.setdefault(found[1], {})[entry.name] = str(entry.data)
        elif found:
            fields.setdefault(found[1], {}).setdefault(entry.name.lower(), entry)
    return tuple(_keyword(name, entries, choices.get(name, {})) for name, entries in fields.items())


def _keyword(name: str, entries: dict[str, AddReg], choices: dict[str, str]) -> Keyword:
    def text(key: str) -> str:
        return str(entries[key].data) if key in entries else ""

    kind = text("type").lower()
    base = _number(text("base"), 10) or 10
    base = base if base in (10, 16) else 10
    return Keyword(
        name=name, description=text("paramdesc"), kind=cast(Kind, kind if kind in _KINDS else "edit"),
        default=text("default"), choices=tuple(choices.items()), minimum=_number(text("min"), base),
        maximum=_number(text("max"), base), step=_number(text("step"), base), base=base,
        optional=text("optional") == "1", limit_text=_number(text("limittext"), 10),
        upper_case=text("uppercase") == "1", number=min(entry.number for entry in entries.values()),
    )  # fmt: skip


def _number(text: str, base: int) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None
