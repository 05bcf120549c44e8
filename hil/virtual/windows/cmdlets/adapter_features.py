"""NetAdapter module, features: Get-, Set-, Enable- and Disable- for each family, made from one table.

Parameters and errors: reference windows/cmdlets.json. Without -NoRestart a change restarts the adapter.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows import setting_store
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.adapter_objects import setting_base
from hil.virtual.windows.cmdlets.netadapter import Description, InputObject, Name, WantedName, chosen
from hil.virtual.windows.features import FEATURES, Feature, Field

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetAdapter", cdxml=True)

_ALIASES = {
    "BaseProcessorGroup": "BaseG", "BaseProcessorNumber": "BaseN", "MaxProcessorGroup": "MaxG",
    "MaxProcessorNumber": "MaxN", "MaxProcessors": "Max", "NumVFs": "Vf",
}  # fmt: skip
_WRITING: dict[str, Any] = {
    "Name": WantedName, "InterfaceDescription": Description, "InputObject": InputObject,
    "IncludeHidden": Switch, "NoRestart": Switch, "PassThru": Switch,
}  # fmt: skip
_ENCAPSULATIONS = ("NVGRE", "VXLAN")
_NOT_SUPPORTED, _INVALID = 50, 87


def _object(feature: Feature, adapter: Adapter) -> PSRecord:
    properties = setting_base(adapter, adapter.guid) | feature.properties(adapter) | {"PSComputerName": None}
    kinds = cdxml.types(feature.class_name, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData")
    return PSRecord(kinds, properties, feature.class_name)


def _with_parameters(function: Callable[..., Any], hints: Mapping[str, Any]) -> Callable[..., Any]:
    """Give a function that takes ``**given`` the parameters that the engine is to bind."""
    kind = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("call", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = [inspect.Parameter(name, kind, default=False if hint is Switch else None) for name, hint in hints.items()]
    function.__signature__ = inspect.Signature([first, *given])  # type: ignore[attr-defined]
    function.__annotations__ = {"call": Call, **hints}
    return function


def _parameter(field: Field) -> Any:
    meta = Param(aliases=(_ALIASES[field.name],) if field.name in _ALIASES else ())
    if field.labels:
        meta = Param(choices=tuple(label for label in field.labels if label))
    return Annotated[str | None if field.labels else field.kind | None, meta]


def _register(feature: Feature) -> None:
    def get(
        call: Call, Name: Name = None, InterfaceDescription: Description = None, IncludeHidden: Switch = False
    ) -> Iterator[PSRecord]:
        adapters = chosen(
            call, feature.class_name, Name, InterfaceDescription, hidden=IncludeHidden, having=feature.on
        )
        yield from (_object(feature, adapter) for adapter in adapters)

    async def change(call: Call, **given: Any) -> AsyncIterator[PSRecord]:
        wanted = [field for field in feature.fields if given.get(field.name) is not None]
        async for item in _write(call, feature, {one: one.registry_value(given[one.name]) for one in wanted}, given):
            yield item

    cmdlets.cmdlet(f"Get-{feature.noun}", default_set="ByName")(get)
    settable = {field.name: _parameter(field) for field in feature.fields if field.parameter}
    cmdlets.cmdlet(f"Set-{feature.noun}", default_set="ByName", should_process=True)(
        _with_parameters(change, {**_WRITING, **settable})
    )
    for verb, on in (("Enable", True), ("Disable", False)):
        _register_switch(feature, verb, on)


def _register_switch(feature: Feature, verb: str, on: bool) -> None:
    """The features that are named, or all that the adapter has."""

    async def turn(call: Call, **given: Any) -> AsyncIterator[PSRecord]:
        named = {given.get("EncapsulationType"), *(name for name, value in given.items() if value is True)}
        flags = [field for field in feature.fields if field.is_flag]
        picked = [field for field in flags if field.switch and field.switch in named]
        wanted = {field: field.turned(on) for field in picked or flags}
        async for item in _write(call, feature, wanted, given, only_declared=not picked):
            yield item

    if feature.encapsulation:
        switches: dict[str, Any] = {"EncapsulationType": Annotated[str | None, Param(choices=_ENCAPSULATIONS)]}
    else:
        switches = {field.switch: Switch for field in feature.fields if field.switch}
    cmdlets.cmdlet(f"{verb}-{feature.noun}", default_set="ByName", should_process=True)(
        _with_parameters(turn, {**_WRITING, **switches})
    )


async def _write(
    call: Call, feature: Feature, wanted: Mapping[Field, str], given: Mapping[str, Any], *, only_declared: bool = False
) -> AsyncIterator[PSRecord]:
    adapters = chosen(
        call, feature.class_name, given.get("Name"), given.get("InterfaceDescription"), given.get("InputObject"),
        hidden=bool(given.get("IncludeHidden")), having=feature.on,
    )  # fmt: skip
    for adapter in adapters:
        if cdxml.refused(call):
            return
        changes = {field: value for field, value in wanted.items() if not only_declared or field.declared(adapter)}
        written = [_write_one(call, adapter, field, value) for field, value in changes.items()]
        if any(written) and not given.get("NoRestart"):
            await call.host.devices.restart(adapter.node)
        if given.get("PassThru"):
            yield _object(feature, adapter)


def _write_one(call: Call, adapter: Adapter, field: Field, value: str) -> bool:
    """Whether it was taken; an error is written otherwise. The two texts are Windows' own for these codes."""
    declared = field.declared(adapter)
    if declared is None and field.is_flag:
        message = "The request is not supported. "
        call.write_error(cdxml.windows_error(call, _NOT_SUPPORTED, message, "NotImplemented", field.name))
        return False
    if declared is not None and not setting_store.accepts(adapter, declared, value):
        message = "The parameter is incorrect. "
        call.write_error(cdxml.windows_error(call, _INVALID, message, target=field.name))
        return False
    setting_store.write(adapter, declared.keyword if declared else field.keyword, value)
    return True


for _feature in FEATURES:
    _register(_feature)
