"""Values of parameters and pipeline input, as psrpcore serializes them with the .NET type that PowerShell expects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from psrpcore.types import PSCustomObject, PSDouble, add_note_property
from psrpcore.types import PSObject as RemoteObject

from hil.remote.objects import PSEnum, PSObject


def to_remote(value: object) -> Any:
    """None, bool, int (Int32, or Int64 when it is large), str, bytes, datetime, UUID and Decimal go as they are."""
    if isinstance(value, float):
        return PSDouble(value)
    if isinstance(value, PSEnum):
        return value.text
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, PSObject):
        made: RemoteObject = PSCustomObject()
        made.PSObject.type_names = [f"Deserialized.{name}" for name in value.type_names] or made.PSObject.type_names
        for name, item in value.properties.items():
            add_note_property(made, name, to_remote(item))
        return made
    if isinstance(value, Mapping):
        return {str(key): to_remote(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_remote(item) for item in value]
    return value
