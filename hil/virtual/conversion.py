"""PowerShell's conversion of argument values to the type of a parameter, as far as cmdlets of the bench need it."""

from __future__ import annotations

import types
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Union, get_args, get_origin

from psrpcore.types import (
    PSByte,
    PSInt,
    PSInt16,
    PSInt64,
    PSSByte,
    PSUInt,
    PSUInt16,
    PSUInt64,
)

from hil.virtual.powershell import PSEnum, PSRecord

_NET_NAMES: Mapping[Any, str] = {
    str: "System.String", int: "System.Int32", bool: "System.Boolean", float: "System.Double", bytes: "System.Byte[]",
    datetime: "System.DateTime", timedelta: "System.TimeSpan", uuid.UUID: "System.Guid",
    dict: "System.Collections.Hashtable", PSByte: "System.Byte", PSSByte: "System.SByte", PSInt16: "System.Int16",
    PSUInt16: "System.UInt16", PSInt: "System.Int32", PSUInt: "System.UInt32", PSInt64: "System.Int64",
    PSUInt64: "System.UInt64",
}  # fmt: skip
_LIMITS: Mapping[Any, tuple[int, int]] = {
    PSByte: (0, 2**8 - 1), PSSByte: (-(2**7), 2**7 - 1), PSInt16: (-(2**15), 2**15 - 1), PSUInt16: (0, 2**16 - 1),
    PSInt: (-(2**31), 2**31 - 1), PSUInt: (0, 2**32 - 1), PSInt64: (-(2**63), 2**63 - 1), PSUInt64: (0, 2**64 - 1),
    int: (-(2**63), 2**64 - 1),
}  # fmt: skip


def type_name(hint: Any) -> str:
    """The .NET name of a parameter's type, as error messages have it."""
    hint = _without_none(hint)
    if get_origin(hint) is list:
        return f"{type_name(get_args(hint)[0])}[]"
    return _NET_NAMES.get(get_origin(hint) or hint, "System.Object")


def convert(value: object, hint: Any) -> Any:
    """``value`` as the parameter's type. Raises ValueError with PowerShell's text (LanguagePrimitives.ConvertTo)."""
    hint = _without_none(hint)
    if value is None:
        return None
    if get_origin(hint) is list:
        items = value if isinstance(value, list | tuple) else [value]
        return [convert(item, get_args(hint)[0]) for item in items]
    if isinstance(hint, type) and issubclass(hint, int) and hint is not bool:
        return _integer(value, hint)
    converter = _CONVERTERS.get(get_origin(hint) or hint)
    return value if converter is None else converter(value)


def text(value: object) -> str:
    """ToString() of a value in the invariant culture."""
    if isinstance(value, bool) or value is None:
        return str(value) if value is not None else ""
    if isinstance(value, PSEnum | PSRecord):
        return value.text
    if isinstance(value, list | tuple):
        return " ".join(map(text, value))
    if isinstance(value, datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    return str(value)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else object
    return hint


def _refused(value: object, target: str, why: str = "") -> ValueError:
    return ValueError(f'Cannot convert value "{text(value)}" to type "{target}".' + (f' Error: "{why}"' if why else ""))


def _integer(value: object, kind: type[int]) -> int:
    name, (low, high) = type_name(kind), _LIMITS.get(kind, _LIMITS[int])
    try:
        if isinstance(value, PSEnum):
            number = value.value
        elif isinstance(value, str):
            stripped = value.strip()
            number = int(stripped, 16 if stripped.lower().startswith(("0x", "-0x")) else 10)
        elif isinstance(value, int | float):
            number = round(value)
        else:
            raise _refused(value, name)
    except (ValueError, OverflowError) as error:
        raise _refused(value, name, "Input string was not in a correct format.") from error
    if not low <= number <= high:
        kind_text = name.rpartition(".")[2]
        raise _refused(value, name, f"Value was either too large or too small for {kind_text}.")
    return kind(number)


def _string(value: object) -> str:
    if isinstance(value, list | tuple | dict):
        raise ValueError("Cannot convert value to type System.String.")
    return text(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise ValueError(
        f'Cannot convert value "{type_name(type(value))}" to type "System.Boolean". Boolean parameters accept only '
        "Boolean values and numbers, such as $True, $False, 1 or 0."
    )


def _float(value: object) -> float:
    try:
        return float(text(value))
    except ValueError as error:
        raise _refused(value, "System.Double", "Input string was not in a correct format.") from error


def _datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y"):
        try:
            return datetime.strptime(text(value), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text(value))
    except ValueError as error:
        raise _refused(value, "System.DateTime", "String was not recognized as a valid DateTime.") from error


def _guid(value: object) -> uuid.UUID:
    try:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(text(value))
    except ValueError as error:
        raise _refused(value, "System.Guid", "Unrecognized Guid format.") from error


def _hashtable(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise _refused(value, "System.Collections.Hashtable")


_CONVERTERS: Mapping[Any, Any] = {
    str: _string, bool: _boolean, float: _float, datetime: _datetime, uuid.UUID: _guid, dict: _hashtable,
}  # fmt: skip
