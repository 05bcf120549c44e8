"""What all cmdlets that are made of CIM classes have in common: wildcards, errors for what is not found, access.

Source: reference windows/cmdlets.json, ``meta.cdxml_engine`` (PowerShell, cmdletization: clientSideQuery.cs).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from hil.virtual.conversion import text
from hil.virtual.powershell import Call, CmdletError

T = TypeVar("T")
Filters = Mapping[str, Sequence[object] | None]
"""CIM property to the values that were asked for."""

CIM_JOB = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
CIM_ERROR = "Microsoft.Management.Infrastructure.CimException"


def matches(pattern: object, value: object) -> bool:
    """PowerShell's wildcards ``* ? [ ]``, without case; a bare value must be equal."""
    return fnmatch.fnmatchcase(text(value).lower(), text(pattern).lower().replace("[!", "[[]!"))


def is_pattern(value: object) -> bool:
    return isinstance(value, str) and any(char in value for char in "*?[")


def select(
    call: Call, class_name: str, items: Iterable[T], filters: Filters, read: Callable[[T, str], object]
) -> list[T]:
    """The items that match every filter; writes an error for each plain value that nothing matches."""
    given = {name: list(values) for name, values in filters.items() if values is not None}
    found = list(items)
    for name, values in given.items():
        kept: list[T] = []
        for value in values:
            hits = [item for item in found if matches(value, read(item, name))]
            kept += [item for item in hits if item not in kept]
            if not hits and not is_pattern(value):
                call.write_error(_not_found(call, class_name, name, value, single=len(given) == 1))
        found = kept
    return found


def _not_found(call: Call, class_name: str, name: str, value: object, *, single: bool) -> CmdletError:
    if single:
        message = f"No {class_name} objects found with property '{name}' equal to '{text(value)}'.  "
        message += "Verify the value of the property and retry."
        error_id = f"CmdletizationQuery_NotFound_{name},{call.command}"
    else:
        message = (
            f"No matching {class_name} objects found by CIM query for instances of the {class_name} class on the  "
        )
        message += f"CIM server: SELECT * FROM {class_name}  WHERE {name} LIKE '{text(value)}'. "
        message += "Verify query parameters and retry."
        error_id = f"CmdletizationQuery_NotFound,{call.command}"
    return CmdletError(message, error_id=error_id, category="ObjectNotFound", target=value, exception=CIM_JOB)


def windows_error(
    call: Call, number: int, message: str, category: str = "InvalidArgument", target: object = None
) -> CmdletError:
    """What a StandardCimv2 provider gives back: ``Windows System Error <n>``."""
    error_id = f"Windows System Error {number},{call.command}"
    return CmdletError(message, error_id=error_id, category=category, target=target, exception=CIM_ERROR)


def refused(call: Call, target: object = None) -> bool:
    """Write "Access is denied." when the token is not elevated."""
    if call.host.elevated:
        return False
    call.write_error(windows_error(call, 5, "Access is denied. ", "PermissionDenied", target))
    return True


def types(class_name: str, namespace: str = "ROOT/StandardCimv2", *bases: str) -> tuple[str, ...]:
    """Type names of a CIM instance, as PowerShell lists them."""
    infrastructure = "Microsoft.Management.Infrastructure.CimInstance"
    names = (class_name, *bases)
    return (*(f"{infrastructure}#{namespace}/{name}" for name in names), infrastructure, "System.Object")
