"""Objects as CLIXML, as a PowerShell server serializes what a pipeline puts out (MS-PSRP 2.2.5).

psrpcore serializes messages; output objects are written here, because the depth rule of remoting (one level: what lies
deeper travels as its text), enumerations and .NET integer types must come out as Windows has them.
"""

from __future__ import annotations

import base64
import math
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from psrpcore.types import (
    PSByte,
    PSByteArray,
    PSChar,
    PSDateTime,
    PSDecimal,
    PSDouble,
    PSDuration,
    PSGuid,
    PSInt,
    PSInt16,
    PSInt64,
    PSObject,
    PSSByte,
    PSSingle,
    PSString,
    PSUInt,
    PSUInt16,
    PSUInt64,
)

from hil.virtual.conversion import text
from hil.virtual.powershell import PSEnum, PSRecord

_INTEGER_TAGS: Mapping[type, str] = {
    PSByte: "By", PSSByte: "SB", PSInt16: "I16", PSUInt16: "U16", PSInt: "I32", PSUInt: "U32", PSInt64: "I64",
    PSUInt64: "U64", PSChar: "C",
}  # fmt: skip
_UNSAFE = re.compile("_(?=[xX])|[\x00-\x1f\x7f-\x9f\ud800-\udfff\U00010000-\U0010ffff]")
"""What a CLIXML string writes as _xHHHH_ (2.2.5.3.2): controls, surrogates, the underscore that begins such a code."""
_ENUM_BASES = ("System.Enum", "System.ValueType", "System.Object")


def _code(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"_x{units[at : at + 4]}_" for at in range(0, len(units), 4))


def encode_text(value: str) -> str:
    """A string as the content of an element or (quoted) attribute."""
    return escape(_UNSAFE.sub(_code, value), {'"': "&quot;"})


class Writer:
    """Writes one message; RefIds count within it."""

    def __init__(self) -> None:
        self._objects = 0
        self._type_ids: dict[tuple[str, ...], int] = {}

    def write(self, value: object, name: str | None = None, *, depth: int = 1) -> str:
        """CLIXML of ``value``; ``name`` becomes the N attribute. ``depth`` levels of properties are kept."""
        attribute = "" if name is None else f' N="{encode_text(name)}"'
        simple = _simple(value)
        if simple is not None:
            tag, content = simple
            return f"<{tag}{attribute}>{content}</{tag}>" if content else f"<{tag}{attribute} />"
        if isinstance(value, PSEnum):
            types = self._types((value.type_name, *_ENUM_BASES))
            body = f"{types}<ToString>{encode_text(value.text)}</ToString><I32>{value.value}</I32>"
        elif isinstance(value, list | tuple):
            types = self._types(("System.Object[]", "System.Array", "System.Object"))  # before anybody refers to them
            items = "".join(self.write(item, depth=depth) for item in value)
            body = f"{types}<LST>{items}</LST>"
        elif isinstance(value, dict):
            types = self._types(("System.Collections.Hashtable", "System.Object"))
            pairs = "".join(
                f"<En>{self.write(key, 'Key', depth=depth)}{self.write(item, 'Value', depth=depth)}</En>"
                for key, item in value.items()
            )
            body = f"{types}<DCT>{pairs}</DCT>"
        elif isinstance(value, PSRecord):
            if depth < 1:
                return f"<S{attribute}>{encode_text(value.text)}</S>"
            body = self._record(value, depth)
        else:
            raise TypeError(f"{value!r} has no CLIXML form")
        reference, self._objects = self._objects, self._objects + 1
        return f'<Obj{attribute} RefId="{reference}">{body}</Obj>'

    def _record(self, record: PSRecord, depth: int) -> str:
        types = self._types(record.type_names)
        shown = f"<ToString>{encode_text(record.text)}</ToString>" if record.text else ""
        members = "".join(self.write(item, name, depth=depth - 1) for name, item in record.properties.items())
        tag = "MS" if "System.Management.Automation.PSCustomObject" in record.type_names else "Props"
        return f"{types}{shown}<{tag}>{members}</{tag}>"

    def _types(self, names: tuple[str, ...]) -> str:
        known = self._type_ids.get(names)
        if known is not None:
            return f'<TNRef RefId="{known}" />'
        self._type_ids[names] = reference = len(self._type_ids)
        return f'<TN RefId="{reference}">' + "".join(f"<T>{encode_text(name)}</T>" for name in names) + "</TN>"


def serialize(value: object) -> bytes:
    """One output object as the data of a PIPELINE_OUTPUT message."""
    return Writer().write(value).encode()


def _simple(value: object) -> tuple[str, str] | None:
    """Tag and content of a primitive; None for what needs an Obj."""
    kind = type(value)
    writer = _SIMPLE.get(kind)
    if writer is not None:
        return writer(value)
    tag = _INTEGER_TAGS.get(kind)
    if tag is not None:
        return tag, str(int(value))  # type: ignore[call-overload]
    for base, writer in _SIMPLE.items():
        if isinstance(value, base):
            return writer(value)
    return None


def _integer(value: int) -> tuple[str, str]:
    return ("I32" if -(2**31) <= value < 2**31 else "I64" if value < 2**63 else "U64"), str(value)


def _double(value: float) -> tuple[str, str]:
    if math.isfinite(value):
        return "Db", repr(value)
    return "Db", "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"


def _moment(value: datetime) -> tuple[str, str]:
    ticks = f"{value.microsecond:06d}{getattr(value, 'nanosecond', 0) // 100}".rstrip("0")
    zone = "" if value.tzinfo is None else "Z" if value.tzinfo is UTC else value.strftime("%z")
    if len(zone) == 5:
        zone = "Z" if zone in ("+0000", "-0000") else f"{zone[:3]}:{zone[3:]}"
    whole = value.replace(microsecond=0, tzinfo=None).isoformat()  # strftime would not fill the year to four digits
    return "DT", whole + (f".{ticks}" if ticks else "") + zone


def _span(value: timedelta) -> tuple[str, str]:
    sign, micros = ("-", -value) if value < timedelta(0) else ("", value)
    seconds, fraction = micros.seconds, micros.microseconds
    return "TS", f"{sign}P{micros.days}DT{seconds // 3600}H{seconds // 60 % 60}M{seconds % 60}.{fraction:06d}S"


_SIMPLE: dict[type, Callable[[Any], tuple[str, str]]] = {
    type(None): lambda _: ("Nil", ""),
    bool: lambda value: ("B", "true" if value else "false"),
    str: lambda value: ("S", encode_text(value)),
    bytes: lambda value: ("BA", base64.b64encode(value).decode()),
    float: _double,
    Decimal: lambda value: ("D", str(value)),
    datetime: _moment,
    timedelta: _span,
    uuid.UUID: lambda value: ("G", str(value)),
    int: _integer,
}


def from_remote(value: object) -> object:
    """A value that psrpcore read from the client, as cmdlets of the bench take it."""
    if isinstance(value, PSDateTime | PSDuration | PSByteArray) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, PSGuid):
        return uuid.UUID(str(value))
    if isinstance(value, PSString):
        return str.__str__(value)
    if isinstance(value, PSSingle | PSDouble):
        return float(value)
    if isinstance(value, int | PSDecimal):
        return value
    if isinstance(value, Mapping):
        return {from_remote(key): from_remote(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [from_remote(item) for item in value]
    if isinstance(value, PSObject):
        meta = value.PSObject
        properties = (*meta.adapted_properties, *meta.extended_properties)
        members = {each.name: from_remote(each.get_value(value)) for each in properties}
        return PSRecord(tuple(meta.type_names), members, text(meta.to_string or ""))
    return value
