"""ItemProperty cmdlets (Microsoft.PowerShell.Management): the values of registry keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows.cmdlets import registry_items
from hil.virtual.windows.cmdlets.file_items import file_object
from hil.virtual.windows.cmdlets.items import LiteralPath, WantedPath, host_paths, plain

cmdlets = Module("Microsoft.PowerShell.Management")

_TYPE = "Microsoft.PowerShell.Commands"


@cmdlets.cmdlet("Get-ItemProperty", default_set="Path", implemented_by=f"{_TYPE}.GetItemPropertyCommand")
def get_item_property(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Name: Annotated[list[str] | None, Param(position=1, aliases=("PSProperty",))] = None,
) -> Iterator[PSRecord]:
    command = "GetItemPropertyCommand"
    for given in map(plain, LiteralPath or Path or []):
        if registry_items.is_registry_path(given):
            yield from registry_items.properties(call, given, Name, command)
        else:
            yield from (file_object(call.host.files, found) for found in host_paths(call, given, command))


@cmdlets.cmdlet("Get-ItemPropertyValue", default_set="Path", implemented_by=f"{_TYPE}.GetItemPropertyValueCommand")
def get_item_property_value(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Name: Annotated[list[str] | None, Param(position=1, mandatory=True)] = None,
) -> Iterator[object]:
    for given in map(plain, LiteralPath or Path or []):
        for record in registry_items.properties(call, given, Name, "GetItemPropertyValueCommand"):
            yield from (record.properties[name] for name in record.properties if not name.startswith("PS"))


@cmdlets.cmdlet(
    "Set-ItemProperty", default_set="Path", should_process=True, implemented_by=f"{_TYPE}.SetItemPropertyCommand"
)
def set_item_property(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Name: Annotated[str, Param(position=1, mandatory=True)] = "",
    Value: Annotated[object, Param(position=2, mandatory=True)] = None,
    Type: Annotated[str | None, Param(choices=registry_items.KINDS)] = None,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    for given in map(plain, LiteralPath or Path or []):
        registry_items.write(call, given, Name, Value, Type, "SetItemPropertyCommand", fresh=False, force=True)
    yield from ()


@cmdlets.cmdlet(
    "New-ItemProperty", default_set="Path", should_process=True, implemented_by=f"{_TYPE}.NewItemPropertyCommand"
)
def new_item_property(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Name: Annotated[str, Param(position=1, mandatory=True, aliases=("PSProperty",))] = "",
    Value: object = None,
    PropertyType: Annotated[str | None, Param(aliases=("Type",), choices=registry_items.KINDS)] = None,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    command = "NewItemPropertyCommand"
    for given in map(plain, LiteralPath or Path or []):
        if registry_items.write(call, given, Name, Value, PropertyType, command, fresh=True, force=Force):
            yield from registry_items.properties(call, given, [Name], command)


@cmdlets.cmdlet(
    "Remove-ItemProperty", default_set="Path", should_process=True, implemented_by=f"{_TYPE}.RemoveItemPropertyCommand"
)
def remove_item_property(
    call: Call,
    Path: WantedPath = None,
    LiteralPath: LiteralPath = None,
    Name: Annotated[list[str] | None, Param(position=1, mandatory=True, aliases=("PSProperty",))] = None,
    Force: Switch = False,
) -> Iterator[PSRecord]:
    for given in map(plain, LiteralPath or Path or []):
        registry_items.remove_values(call, given, Name or [], "RemoveItemPropertyCommand")
    yield from ()
