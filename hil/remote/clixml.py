"""Reads CLIXML, PowerShell's form of objects (MS-PSRP 2.2.5), into plain Python values and PSObjects.

psrpcore reads it too; this reader goes straight to the objects that callers get, in a fraction of the time, and reading
is most of what a call costs on an open session (benchmarks/psrp.py).
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

from hil.remote.objects import PSEnum, PSObject

_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SPAN = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")
_DESERIALIZED = "Deserialized."


def read(data: bytes) -> Any:
    """The value in one message. Raises ValueError for what is not CLIXML."""
    try:
        return Reader().value(ElementTree.fromstring(data))
    except (ElementTree.ParseError, KeyError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not CLIXML: {error!r} in {data[:200]!r}") from error


class Reader:
    """Reads one message; objects and type names may refer to earlier ones in it."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}
        self._types: dict[str, tuple[str, ...]] = {}

    def value(self, element: ElementTree.Element) -> Any:
        simple = _SIMPLE.get(element.tag)
        if simple is not None:
            return simple(element.text or "")
        if element.tag == "Ref":
            return self._objects[element.attrib["RefId"]]
        if element.tag != "Obj":
            raise ValueError(f"unknown element {element.tag}")
        value = self._object(element)
        if "RefId" in element.attrib:
            self._objects[element.attrib["RefId"]] = value
        return value

    def _object(self, element: ElementTree.Element) -> Any:
        types: tuple[str, ...] = ()
        shown, members, inner = "", {}, None
        for child in element:
            tag = child.tag
            if tag in ("Props", "MS"):
                for each in child:
                    members[decode_text(each.attrib["N"])] = self.value(each)
            elif tag == "TN":
                types = tuple((each.text or "").removeprefix(_DESERIALIZED) for each in child)
                self._types[child.attrib["RefId"]] = types
            elif tag == "TNRef":
                types = self._types[child.attrib["RefId"]]
            elif tag == "ToString":
                shown = decode_text(child.text or "")
            else:
                inner = child
        if inner is None:
            return PSObject(types, members, shown)
        return self._content(inner, types, shown)

    def _content(self, inner: ElementTree.Element, types: tuple[str, ...], shown: str) -> Any:
        """What an Obj wraps: a container, an enumeration, or a primitive with notes (which are dropped)."""
        if inner.tag in ("LST", "IE", "STK", "QUE"):
            return [self.value(item) for item in inner]
        if inner.tag == "DCT":
            return {self.value(_named(pair, "Key")): self.value(_named(pair, "Value")) for pair in inner}
        value = self.value(inner)
        if isinstance(value, int) and "System.Enum" in types:
            return PSEnum(value, shown or str(value), types[0])
        return value


def _named(pair: ElementTree.Element, name: str) -> ElementTree.Element:
    for each in pair:
        if each.attrib.get("N") == name:
            return each
    raise ValueError(f"a dictionary entry without {name}")


def decode_text(text: str) -> str:
    """_xHHHH_ stands for a UTF-16 unit; pairs of them may be one character."""
    if "_x" not in text:
        return text
    decoded = _CODE.sub(lambda found: chr(int(found[1], 16)), text)
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _moment(text: str) -> datetime:
    """A time without zone stays naive: .NET's Unspecified. Ticks below a microsecond are dropped."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    moment, fraction, zone = found.groups()
    offset = "" if zone is None else "+00:00" if zone == "Z" else zone
    value = datetime.fromisoformat(f"{moment}.{(fraction or '0')[:6]:0<6}{offset}")
    return value.astimezone(UTC) if zone == "Z" else value


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"not a duration: {text!r}")
    sign, days, hours, minutes, seconds = found.groups()
    value = timedelta(int(days or 0), 0, 0, 0, int(minutes or 0), int(hours or 0))
    value += timedelta(microseconds=int(Decimal(seconds or 0) * 1_000_000))
    return -value if sign else value


def _float(text: str) -> float:
    return float(text.replace("INF", "inf"))


_SIMPLE: Mapping[str, Callable[[str], Any]] = {
    "S": decode_text, "Nil": lambda _: None, "B": lambda text: text.lower() == "true",
    "I32": int, "U32": int, "I64": int, "U64": int, "I16": int, "U16": int, "By": int, "SB": int,
    "C": lambda text: chr(int(text)), "Db": _float, "Sg": _float, "D": Decimal, "G": uuid.UUID, "DT": _moment,
    "TS": _span, "BA": base64.b64decode, "URI": decode_text, "Version": str, "XD": decode_text, "SBK": decode_text,
    "SS": str, "ToString": decode_text,
}  # fmt: skip
