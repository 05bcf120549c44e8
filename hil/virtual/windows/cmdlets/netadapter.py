"""NetAdapter module: adapters, advanced properties, counters, place on the bus (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSUInt

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows import setting_store
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.adapter_objects import (
    ADAPTER,
    PROPERTY,
    STATISTICS,
    adapter_object,
    hardware_object,
    property_object,
    statistics_object,
)  # fmt: skip
from hil.virtual.windows.settings import Setting

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetAdapter", cdxml=True)

Name = Annotated[
    list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName", pipeline="property")
]
WantedName = Annotated[
    list[str] | None,
    Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName", mandatory=True, pipeline="property"),
]
Description = Annotated[list[str] | None, Param(aliases=("ifDesc", "InstanceID"), set="ByInstanceID", mandatory=True)]
InputObject = Annotated[list[object] | None, Param(set="InputObject (cdxml)", mandatory=True, pipeline="value")]


def chosen(
    call: Call, class_name: str, name: list[str] | None, description: list[str] | None = None,
    objects: list[object] | None = None, *, hidden: bool = False, having: Callable[[Adapter], bool] = lambda _: True,
) -> list[Adapter]:  # fmt: skip
    """The adapters that a command's parameters name; errors are written for those that are not there.

    ``having`` leaves out adapters that have no object of this class.
    """
    if objects is not None:
        name = [str(item.properties.get("Name", "")) for item in objects if isinstance(item, PSRecord)]
    listed = [adapter for adapter in call.host.devices.adapters if hidden or _listed(adapter)]
    adapters = [adapter for adapter in listed if having(adapter)]
    return cdxml.select(
        call, class_name, adapters, {"Name": name, "InterfaceDescription": description},
        lambda adapter, field: adapter.name if field == "Name" else adapter.description,
    )  # fmt: skip


def _listed(adapter: Adapter) -> bool:
    """A phantom, or a miniport that failed to initialise, is hidden; a disabled one is not."""
    return adapter.node.present and (adapter.node.started or adapter.node.disabled)


@cmdlets.cmdlet("Get-NetAdapter", default_set="ByName")
def get_netadapter(
    call: Call,
    Name: Annotated[
        list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName", pipeline="property")
    ] = None,
    InterfaceDescription: Annotated[
        list[str] | None, Param(aliases=("ifDesc",), set="ByInstanceID", mandatory=True)
    ] = None,
    InterfaceIndex: Annotated[list[PSUInt] | None, Param(aliases=("ifIndex",), set="ByIfIndex", mandatory=True)] = None,
    IncludeHidden: Switch = False,
    Physical: Switch = False,
) -> Iterator[PSRecord]:
    adapters = chosen(call, ADAPTER, Name, InterfaceDescription, hidden=IncludeHidden)
    found = cdxml.select(call, ADAPTER, adapters, {"InterfaceIndex": InterfaceIndex}, lambda adapter, _: adapter.index)
    yield from (adapter_object(adapter) for adapter in found)


async def _act(call: Call, adapters: list[Adapter], verb: str, *, passes: bool) -> AsyncIterator[PSRecord]:
    devices = call.host.devices
    for adapter in adapters:
        if cdxml.refused(call):
            return
        await getattr(devices, verb)(adapter.node)
        if verb != "disable" and not adapter.node.started:
            call.write_error(
                cdxml.windows_error(call, 31, "A device attached to the system is not functioning.", "NotSpecified")
            )
        elif passes:
            yield adapter_object(adapter)


def _acting(verb: str) -> Callable[..., AsyncIterator[PSRecord]]:
    async def act(
        call: Call,
        Name: WantedName = None,
        InterfaceDescription: Description = None,
        InputObject: InputObject = None,
        IncludeHidden: Switch = False,
        PassThru: Switch = False,
    ) -> AsyncIterator[PSRecord]:
        found = chosen(call, ADAPTER, Name, InterfaceDescription, InputObject, hidden=IncludeHidden)
        async for item in _act(call, found, verb, passes=PassThru):
            yield item

    return act


for _verb in ("Enable", "Disable", "Restart"):
    cmdlets.cmdlet(f"{_verb}-NetAdapter", default_set="ByName", should_process=True)(_acting(_verb.lower()))


@cmdlets.cmdlet("Rename-NetAdapter", default_set="ByName", should_process=True)
def rename_netadapter(
    call: Call,
    Name: WantedName = None,
    NewName: Annotated[str, Param(position=1, mandatory=True)] = "",
    InterfaceDescription: Description = None,
    InputObject: InputObject = None,
    IncludeHidden: Switch = False,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    for adapter in chosen(call, ADAPTER, Name, InterfaceDescription, InputObject, hidden=IncludeHidden):
        if cdxml.refused(call):
            return
        taken = any(
            other.name.lower() == NewName.lower() and other is not adapter for other in call.host.devices.adapters
        )
        if taken:
            message = "Cannot create a file when that file already exists."
            call.write_error(cdxml.windows_error(call, 183, message, "ResourceExists", NewName))
            continue
        adapter.name = NewName
        if PassThru:
            yield adapter_object(adapter)


@cmdlets.cmdlet("Get-NetAdapterStatistics", default_set="ByName")
def get_statistics(
    call: Call, Name: Name = None, InterfaceDescription: Description = None, IncludeHidden: Switch = False
) -> Iterator[PSRecord]:
    adapters = chosen(call, STATISTICS, Name, InterfaceDescription, hidden=IncludeHidden)
    yield from (statistics_object(adapter) for adapter in adapters if adapter.node.started)


@cmdlets.cmdlet("Get-NetAdapterHardwareInfo", default_set="ByName")
def get_hardware_info(
    call: Call, Name: Name = None, InterfaceDescription: Description = None, IncludeHidden: Switch = False
) -> Iterator[PSRecord]:
    class_name = "MSFT_NetAdapterHardwareInfoSettingData"
    adapters = chosen(call, class_name, Name, InterfaceDescription, hidden=IncludeHidden)
    yield from (hardware_object(adapter) for adapter in adapters if adapter.node.started)


Keyword = Annotated[list[str] | None, Param(aliases=("RegKey",))]
Display = Annotated[list[str] | None, Param(aliases=("DispN",))]


def _properties(
    call: Call, adapters: list[Adapter], keywords: list[str] | None, names: list[str] | None
) -> list[tuple[Adapter, Setting]]:
    pairs = [(adapter, setting) for adapter in adapters for setting in adapter.settings.values()]
    return cdxml.select(
        call, PROPERTY, pairs, {"RegistryKeyword": keywords, "DisplayName": names},
        lambda pair, field: pair[1].keyword if field == "RegistryKeyword" else pair[1].display_name,
    )  # fmt: skip


@cmdlets.cmdlet("Get-NetAdapterAdvancedProperty", default_set="ByName")
def get_advanced_property(
    call: Call,
    Name: Annotated[
        list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), pipeline="property")
    ] = None,
    InterfaceDescription: Annotated[list[str] | None, Param(aliases=("ifDesc", "InstanceID"))] = None,
    RegistryKeyword: Keyword = None,
    DisplayName: Display = None,
    AllProperties: Switch = False,
    IncludeHidden: Switch = False,
) -> Iterator[PSRecord]:
    adapters = chosen(call, PROPERTY, Name, InterfaceDescription, hidden=IncludeHidden)
    pairs = _properties(call, adapters, RegistryKeyword, DisplayName)
    yield from (property_object(adapter, setting) for adapter, setting in pairs)


@cmdlets.cmdlet("Set-NetAdapterAdvancedProperty", default_set="ByName", should_process=True)
async def set_advanced_property(
    call: Call,
    Name: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName")] = None,
    InterfaceDescription: Description = None,
    InputObject: InputObject = None,
    RegistryKeyword: Keyword = None,
    DisplayName: Display = None,
    RegistryValue: list[str] | None = None,
    DisplayValue: str | None = None,
    AllProperties: Switch = False,
    IncludeHidden: Switch = False,
    NoRestart: Switch = False,
    PassThru: Switch = False,
) -> AsyncIterator[PSRecord]:
    if InputObject is not None and RegistryKeyword is None:
        RegistryKeyword = [
            str(item.properties["RegistryKeyword"]) for item in InputObject if isinstance(item, PSRecord)
        ]
    adapters = chosen(call, PROPERTY, Name, InterfaceDescription, InputObject, hidden=IncludeHidden)
    changed: list[tuple[Adapter, Setting]] = []
    for adapter, setting in _properties(call, adapters, RegistryKeyword, DisplayName):
        if cdxml.refused(call):
            return
        value = setting.registry_value(DisplayValue) if DisplayValue is not None else (RegistryValue or [""])[0]
        if value is None or not setting_store.accepts(adapter, setting, value):
            call.write_error(cdxml.windows_error(call, 87, _invalid(setting, display=DisplayValue is not None)))
            continue
        setting_store.write(adapter, setting.keyword, value)
        changed.append((adapter, setting))
    async for item in _applied(call, changed, restart=not NoRestart, passes=PassThru):
        yield item


@cmdlets.cmdlet("Reset-NetAdapterAdvancedProperty", default_set="ByName", should_process=True)
async def reset_advanced_property(
    call: Call,
    Name: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName")] = None,
    InterfaceDescription: Description = None,
    InputObject: InputObject = None,
    DisplayName: Display = None,
    RegistryKeyword: Keyword = None,
    IncludeHidden: Switch = False,
    NoRestart: Switch = False,
    PassThru: Switch = False,
) -> AsyncIterator[PSRecord]:
    if InputObject is not None:
        RegistryKeyword = [
            str(item.properties["RegistryKeyword"]) for item in InputObject if isinstance(item, PSRecord)
        ]
    adapters = chosen(call, PROPERTY, Name, InterfaceDescription, InputObject, hidden=IncludeHidden)
    changed = _properties(call, adapters, RegistryKeyword, DisplayName)
    for adapter, setting in changed:
        if cdxml.refused(call):
            return
        setting_store.reset(adapter, setting)
    async for item in _applied(call, changed, restart=not NoRestart, passes=PassThru):
        yield item


async def _applied(
    call: Call, changed: list[tuple[Adapter, Setting]], *, restart: bool, passes: bool
) -> AsyncIterator[PSRecord]:
    """Restart each adapter once, so that its driver reads the new values."""
    for adapter in {id(adapter): adapter for adapter, _ in changed}.values():
        if restart and adapter.node.started:
            await call.host.devices.restart(adapter.node)
    if passes:
        for adapter, setting in changed:
            yield property_object(adapter, adapter.settings[setting.keyword])


def _invalid(setting: Setting, *, display: bool) -> str:
    if setting.type != "enum":
        return f"Value is out of range. It must be between {setting.minimum} and {setting.maximum}."
    if display:
        texts = ", ".join(setting.choices.values())
        return f"No matching display value found. The following are valid display values: {texts}"
    return f"No matching keyword value found. The following are valid keyword values: {', '.join(setting.choices)}"
