"""Cmdlets of PowerShell itself, that need nothing of the machine: choosing, counting and shaping objects, modules.

Sources: learn.microsoft.com, modules Microsoft.PowerShell.Core and Microsoft.PowerShell.Utility (version 7.5 and 5.1).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from hil.virtual.conversion import text
from hil.virtual.powershell import Call, Cmdlet, CmdletError, Module, Param, PSRecord, Switch
from hil.virtual.windows.cmdlets.comparison import fits, get, names_of, sort_key
from hil.virtual.windows.cmdlets.json_text import to_json

cmdlets = Module("Microsoft.PowerShell.Utility")
CUSTOM_OBJECT = ("System.Management.Automation.PSCustomObject", "System.Object")
_FUNCTION = re.compile(r"^\s*function\s+([A-Za-z]+-[A-Za-z0-9]+)", re.IGNORECASE | re.MULTILINE)
_TYPE = "Microsoft.PowerShell.Commands"

Names = list[str] | None


@cmdlets.cmdlet("Select-Object", default_set="DefaultParameter", implemented_by=f"{_TYPE}.SelectObjectCommand")
async def select_object(
    call: Call,
    Property: Annotated[list[object] | None, Param(position=0)] = None,
    ExcludeProperty: Names = None,
    ExpandProperty: str | None = None,
    First: int | None = None,
    Last: int | None = None,
    Skip: int = 0,
    Unique: Switch = False,
    InputObject: list[object] | None = None,
) -> AsyncIterator[object]:
    """The chosen properties as ``Selected.*`` objects; -First stops the commands before it."""
    items = _limited(call.input if InputObject is None else _each(InputObject), First, Last, Skip)
    seen: set[str] = set()
    async for item in items:
        if ExpandProperty is not None:
            for part in _expand(call, item, ExpandProperty):
                yield part
            continue
        chosen = _selected(item, Property, ExcludeProperty) if Property or ExcludeProperty else item
        if Unique:
            mark = to_json(chosen, depth=2)
            if mark in seen:
                continue
            seen.add(mark)
        yield chosen


async def _each(items: Iterable[object]) -> AsyncIterator[object]:
    for item in items:
        yield item


async def _limited(
    source: AsyncIterator[object], first: int | None, last: int | None, skip: int
) -> AsyncIterator[object]:
    if last is not None:
        everything = [item async for item in source]
        for item in everything[max(0, len(everything) - last) :] if last else []:
            yield item
        return
    passed = 0
    if first is not None and first <= 0:
        return
    async for item in source:
        passed += 1
        if passed > skip:
            yield item
        if first is not None and passed >= skip + first:
            return


def _selected(item: object, wanted: list[object] | None, excluded: Names) -> PSRecord:
    members: dict[str, object] = {}
    for choice in wanted or ["*"]:
        if isinstance(choice, dict):  # @{Name = "New"; Expression = "Old"}
            given = {str(key).lower()[:1]: value for key, value in choice.items()}
            members[text(given.get("n", given.get("l", given.get("e"))))] = get(item, text(given.get("e")))
            continue
        pattern = text(choice)
        found = [name for name in names_of(item) if fnmatch.fnmatchcase(name.lower(), pattern.lower())]
        for name in found if found or set(pattern) & set("*?[") else [pattern]:
            members[name] = get(item, name)
    for pattern in excluded or []:
        members = {k: v for k, v in members.items() if not fnmatch.fnmatchcase(k.lower(), pattern.lower())}
    base = item.type_names[0] if isinstance(item, PSRecord) else "System." + type(item).__name__.capitalize()
    return PSRecord((f"Selected.{base}", *CUSTOM_OBJECT), members, _shown(members))


def _shown(members: Mapping[str, object]) -> str:
    return "@{" + "; ".join(f"{name}={text(value)}" for name, value in members.items()) + "}"


def _expand(call: Call, item: object, name: str) -> Iterable[object]:
    if name.lower() not in (each.lower() for each in names_of(item)):
        call.write_error(CmdletError(
            f'Property "{name}" cannot be found.', error_id=f"ExpandPropertyNotFound,{_TYPE}.SelectObjectCommand",
            category="InvalidArgument", target=item, exception="System.Management.Automation.PSArgumentException",
        ))  # fmt: skip
        return []
    value = get(item, name)
    return value if isinstance(value, list | tuple) else [value]


@cmdlets.cmdlet("Where-Object", implemented_by=f"{_TYPE}.WhereObjectCommand")
async def where_object(
    call: Call,
    Property: Annotated[str, Param(position=0, mandatory=True)],
    Value: Annotated[object, Param(position=1)] = None,
    EQ: Switch = False,
    NE: Switch = False,
    GT: Switch = False,
    GE: Switch = False,
    LT: Switch = False,
    LE: Switch = False,
    Like: Switch = False,
    NotLike: Switch = False,
    Match: Switch = False,
    NotMatch: Switch = False,
    In: Switch = False,
    NotIn: Switch = False,
    Contains: Switch = False,
    Not: Switch = False,
) -> AsyncIterator[object]:
    """The property form; a script block has no place in a structured pipeline."""
    operators = {name.lower() for name in call.bound if name not in ("Property", "Value")}
    async for item in call.input:
        if fits(get(item, Property), Value, next(iter(operators), "eq" if "Value" in call.bound else "")):
            yield item


@cmdlets.cmdlet("Sort-Object", implemented_by=f"{_TYPE}.SortObjectCommand")
async def sort_object(
    call: Call, Property: Annotated[Names, Param(position=0)] = None, Descending: Switch = False, Unique: Switch = False
) -> list[object]:
    def key(item: object) -> list[tuple[int, Any]]:
        return [sort_key(get(item, name)) for name in Property] if Property else [sort_key(item)]

    ordered = sorted([item async for item in call.input], key=key, reverse=Descending)
    return [item for at, item in enumerate(ordered) if not Unique or at == 0 or key(item) != key(ordered[at - 1])]


@cmdlets.cmdlet("Measure-Object", implemented_by=f"{_TYPE}.MeasureObjectCommand")
async def measure_object(
    call: Call,
    Property: Annotated[Names, Param(position=0)] = None,
    Sum: Switch = False,
    Average: Switch = False,
    Minimum: Switch = False,
    Maximum: Switch = False,
) -> AsyncIterator[PSRecord]:
    items = [item async for item in call.input]
    for name in Property or [None]:  # type: ignore[list-item]
        values = [value for value in (get(item, name) if name else item for item in items) if value is not None]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        yield PSRecord(
            (f"{_TYPE}.GenericMeasureInfo", f"{_TYPE}.MeasureInfo", "System.Object"),
            {
                "Count": len(values),
                "Average": sum(numbers) / len(numbers) if Average and numbers else None,
                "Sum": sum(numbers) if Sum else None,
                "Maximum": max(numbers) if Maximum and numbers else None,
                "Minimum": min(numbers) if Minimum and numbers else None,
                "StandardDeviation": None,
                "Property": name,
            },
            f"{_TYPE}.GenericMeasureInfo",
        )


@cmdlets.cmdlet("ConvertTo-Json", implemented_by=f"{_TYPE}.ConvertToJsonCommand")
async def convert_to_json(
    call: Call,
    InputObject: Annotated[object, Param(position=0)] = None,
    Depth: int = 2,
    Compress: Switch = False,
    AsArray: Switch = False,
    EnumsAsStrings: Switch = False,
) -> str:
    items = [InputObject] if "InputObject" in call.bound else [item async for item in call.input]
    value = items if AsArray or len(items) != 1 else items[0]
    old_dates = call.runspace.host.far_end == "powershell"
    return to_json(value, depth=Depth, compress=Compress, enum_text=EnumsAsStrings, old_dates=old_dates)


@cmdlets.cmdlet("Out-String", implemented_by=f"{_TYPE}.OutStringCommand")
async def out_string(call: Call, Width: int = 120, Stream: Switch = False) -> AsyncIterator[str]:
    """Objects as a list of their properties; for people, so its layout is not that of the formatting engine."""
    lines: list[str] = []
    async for item in call.input:
        names = list(names_of(item))
        width = max(map(len, names), default=0)
        shown = [f"{name:{width}} : {text(get(item, name))}" for name in names] or [text(item)]
        lines += [*shown, ""] if names else shown
    if Stream:
        for line in lines:
            yield line
    elif lines:
        yield "".join(f"{line}\r\n" for line in lines)


@cmdlets.cmdlet("Out-Null", implemented_by=f"{_TYPE}.OutNullCommand")
async def out_null(call: Call) -> None:
    async for _ in call.input:
        pass


@cmdlets.cmdlet("Write-Output", implemented_by=f"{_TYPE}.WriteOutputCommand")
async def write_output(
    call: Call, InputObject: Annotated[list[object] | None, Param(position=0, pipeline="value")] = None
) -> list[object]:
    return InputObject or []


@cmdlets.cmdlet("Get-Date", implemented_by=f"{_TYPE}.GetDateCommand")
def get_date(call: Call, Date: Annotated[datetime | None, Param(position=0)] = None, AsUTC: Switch = False) -> datetime:
    """The machine's clock, not that of this computer."""
    now: datetime = call.host.now()
    return (Date or now).astimezone(UTC)


@cmdlets.cmdlet("Set-Variable", implemented_by=f"{_TYPE}.SetVariableCommand")
def set_variable(
    call: Call,
    Name: Annotated[list[str], Param(position=0, mandatory=True)],
    Value: Annotated[object, Param(position=1)] = None,
    Scope: str | None = None,
) -> None:
    """Preference variables only ($ErrorActionPreference ...): nothing else could read a variable."""
    for name in Name:
        preference = name.lower().removesuffix("preference").removesuffix("action")
        known = {
            "error": "ErrorAction", "warning": "WarningAction", "information": "InformationAction",
            "progress": "ProgressAction", "verbose": "Verbose", "debug": "Debug",
        }  # fmt: skip
        if preference in known:
            call.runspace.preferences[known[preference]] = text(Value)


@cmdlets.cmdlet("Import-Module", implemented_by=f"{_TYPE}.ImportModuleCommand")
def import_module(
    call: Call,
    Name: Annotated[list[str], Param(position=0, mandatory=True, pipeline="value")],
    Force: Switch = False,
    PassThru: Switch = False,
    DisableNameChecking: Switch = False,
) -> Iterator[PSRecord]:
    """A module by name, or by the path of its .psm1 on the machine's disk: the functions that the file defines.

    A function is available when the file defines it and the bench has a model of it.
    """
    for name in Name:
        commands = _module_commands(call, name)
        call.runspace.imported |= {found.name.lower(): found for found in commands}
        if PassThru:
            title = name.replace("\\", "/").rpartition("/")[2].partition(".")[0]
            exported = [found.name for found in commands]
            yield PSRecord(
                ("System.Management.Automation.PSModuleInfo", "System.Object"),
                {"Name": title, "Path": name, "ExportedCommands": exported}, title,
            )  # fmt: skip


def _module_commands(call: Call, name: str) -> list[Cmdlet]:
    modules = call.runspace.host.modules
    if name.lower().endswith((".psm1", ".psd1")):
        try:
            source = call.runspace.host.read_file(name).decode("utf-8-sig")
        except FileNotFoundError:
            raise _no_module(name) from None
        defined = {found.lower() for found in _FUNCTION.findall(source)}
        return [found for module in modules for key, found in module.commands.items() if key in defined]
    loaded = [module for module in modules if module.autoload and module.name.lower() == name.lower()]
    if not loaded:
        raise _no_module(name)
    return list(loaded[0].commands.values())


def _no_module(name: str) -> CmdletError:
    return CmdletError(
        f"The specified module '{name}' was not loaded because no valid module file was found in any module directory.",
        error_id=f"Modules_ModuleNotFound,{_TYPE}.ImportModuleCommand", category="ResourceUnavailable", target=name,
        exception="System.IO.FileNotFoundException",
    )  # fmt: skip


@cmdlets.cmdlet("Get-Command", implemented_by=f"{_TYPE}.GetCommandCommand")
def get_command(call: Call, Name: Annotated[Names, Param(position=0)] = None) -> Iterator[PSRecord]:
    runspace = call.runspace
    for name in Name or sorted({*runspace.host.autoloaded, *runspace.imported}):
        try:
            found = runspace.find(name)
        except CmdletError as error:
            error.error_id, error.terminating = f"{error.error_id},{_TYPE}.GetCommandCommand", False
            call.write_error(error)
            continue
        kind = "Function" if found.error_suffix == found.name else "Cmdlet"
        yield PSRecord(
            (f"System.Management.Automation.{kind}Info", "System.Management.Automation.CommandInfo", "System.Object"),
            {"Name": found.name, "CommandType": kind, "Source": found.module.name, "ModuleName": found.module.name},
            found.name,
        )
