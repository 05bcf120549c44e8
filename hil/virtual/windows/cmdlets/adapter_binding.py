"""NetAdapter module, bindings: Get-, Set-, Enable- and Disable-NetAdapterBinding (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSUInt

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows.bindings import CLASS_GUIDS, COMPONENTS, Component
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.adapter_objects import setting_base
from hil.virtual.windows.cmdlets.netadapter import Description, InputObject, Name, WantedName, chosen

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetAdapter", cdxml=True)

CLASS = "MSFT_NetAdapterBindingSettingData"

ComponentID = list[str] | None
DisplayName = list[str] | None


def _object(adapter: Adapter, component: Component) -> PSRecord:
    properties = setting_base(adapter, f"{adapter.guid}::{component.component_id}") | {
        "Enabled": adapter.windows.network.bindings.of(adapter.guid)[component.component_id],
        "DisplayName": component.display_name, "ComponentID": component.component_id,
        "BindName": component.component_id.removeprefix("ms_"), "ComponentClassName": component.class_name,
        "ComponentClassGuid": CLASS_GUIDS[component.class_name],
        "Characteristics": PSUInt(component.characteristics), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(CLASS, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData"), properties, CLASS)


def _pairs(
    call: Call, name: list[str] | None, description: list[str] | None, objects: list[object] | None,
    ids: list[str] | None, shown: list[str] | None, *, hidden: bool,
) -> list[tuple[Adapter, Component]]:  # fmt: skip
    """Adapter and component as the parameters (or the objects through the pipe) name them."""
    if objects is not None:
        piped = [item.properties for item in objects if isinstance(item, PSRecord)]
        name, ids = [str(one["Name"]) for one in piped], ids or [str(one["ComponentID"]) for one in piped]
    pairs = [(adapter, component) for adapter in chosen(call, CLASS, None, hidden=hidden) for component in COMPONENTS]
    filters = {"Name": name, "InterfaceDescription": description, "ComponentID": ids, "DisplayName": shown}
    return cdxml.select(call, CLASS, pairs, filters, _read)


def _read(pair: tuple[Adapter, Component], name: str) -> str:
    adapter, component = pair
    return {
        "Name": adapter.name, "InterfaceDescription": adapter.description, "ComponentID": component.component_id,
        "DisplayName": component.display_name,
    }[name]  # fmt: skip


@cmdlets.cmdlet("Get-NetAdapterBinding", default_set="ByName")
def get_binding(
    call: Call,
    Name: Name = None,
    InterfaceDescription: Description = None,
    ComponentID: ComponentID = None,
    DisplayName: DisplayName = None,
    AllBindings: Switch = False,
    IncludeHidden: Switch = False,
) -> Iterator[PSRecord]:
    found = _pairs(call, Name, InterfaceDescription, None, ComponentID, DisplayName, hidden=IncludeHidden)
    yield from (_object(adapter, component) for adapter, component in found)


def _write(call: Call, pairs: list[tuple[Adapter, Component]], bound: bool, *, passes: bool) -> Iterator[PSRecord]:
    """Binding restarts no adapter: only the component is attached or detached."""
    for adapter, component in pairs:
        if cdxml.refused(call):
            return
        adapter.windows.network.bindings.set(adapter.guid, component.component_id, bound)
        adapter.windows.network.apply(adapter)
        if passes:
            yield _object(adapter, component)


@cmdlets.cmdlet("Set-NetAdapterBinding", default_set="ByName", should_process=True)
def set_binding(
    call: Call,
    Name: WantedName = None,
    InterfaceDescription: Description = None,
    InputObject: InputObject = None,
    ComponentID: ComponentID = None,
    DisplayName: DisplayName = None,
    Enabled: Annotated[bool | None, Param()] = None,
    AllBindings: Switch = False,
    IncludeHidden: Switch = False,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    found = _pairs(call, Name, InterfaceDescription, InputObject, ComponentID, DisplayName, hidden=IncludeHidden)
    if Enabled is not None:
        yield from _write(call, found, Enabled, passes=PassThru)


def _switching(verb: str, bound: bool) -> None:
    @cmdlets.cmdlet(f"{verb}-NetAdapterBinding", default_set="ByName", should_process=True)
    def switch_binding(
        call: Call,
        Name: WantedName = None,
        InterfaceDescription: Description = None,
        InputObject: InputObject = None,
        ComponentID: ComponentID = None,
        DisplayName: DisplayName = None,
        AllBindings: Switch = False,
        IncludeHidden: Switch = False,
        PassThru: Switch = False,
    ) -> Iterator[PSRecord]:
        found = _pairs(call, Name, InterfaceDescription, InputObject, ComponentID, DisplayName, hidden=IncludeHidden)
        yield from _write(call, found, bound, passes=PassThru)


_switching("Enable", True)
_switching("Disable", False)
