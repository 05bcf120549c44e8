"""The cmdlet engine binds arguments and runs pipelines as PowerShell does, errors included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psrpcore.types import PSUInt, PSUInt16

from hil.virtual.binding import Argument, bind, parameters_of
from hil.virtual.pipeline import Invocation, run_statement
from hil.virtual.powershell import (
    Call,
    CmdletError,
    Module,
    Param,
    PowerShellHost,
    Progress,
    PSEnum,
    PSRecord,
    Runspace,
    Switch,
)
from hil.virtual.windows.cmdlets import core

module = Module("Sample", cdxml=True)


@module.cmdlet("Get-Thing", default_set="ByName")
def get_thing(
    call: Call,
    Name: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias",), set="ByName")] = None,
    Index: Annotated[PSUInt | None, Param(mandatory=True, set="ByIndex")] = None,
    IncludeHidden: Switch = False,
    IncludeOld: Switch = False,
) -> Iterator[str]:
    yield f"{call.parameter_set}:{Name or Index}:{IncludeHidden}:{sorted(call.bound)}"


@module.cmdlet("Set-Thing", should_process=True, implemented_by="Sample.SetThingCommand")
def set_thing(
    call: Call,
    InputObject: Annotated[list[object], Param(position=0, mandatory=True, pipeline="value")],
    Speed: Annotated[PSUInt16 | None, Param(position=1)] = None,
    Mode: Annotated[str, Param(choices=("Auto", "Manual"))] = "Auto",
    When: datetime | None = None,
) -> Iterator[object]:
    for item in InputObject:
        if item == "bad":
            call.write_error(CmdletError("bad thing", error_id="Bad,Sample.SetThingCommand", target=item))
        else:
            yield f"{item}={Speed or 0},{Mode}"


@module.cmdlet("Find-Thing")
async def find_thing(
    call: Call, DeviceID: Annotated[list[str], Param(mandatory=True, aliases=("PNPDeviceID",), pipeline="property")]
) -> AsyncIterator[str]:
    for each in DeviceID:
        yield f"found {each}"


@module.cmdlet("Get-Forever")
def get_forever(call: Call) -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


@module.cmdlet("Stop-Thing")
def stop_thing(call: Call, Hard: Switch = False) -> Iterator[str]:
    yield "one"
    raise CmdletError("over", error_id="Over,Stop-Thing", category="InvalidOperation", terminating=Hard)


class Clock:
    """As much of a Windows model as these cmdlets ask for."""

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Seen:
    """Streams that keep what is written."""

    errors: list[CmdletError] = field(default_factory=list)
    texts: list[tuple[str, object]] = field(default_factory=list)

    def error(self, error: CmdletError) -> None:
        self.errors.append(error)

    def warning(self, message: str) -> None:
        self.texts.append(("warning", message))

    def verbose(self, message: str) -> None:
        self.texts.append(("verbose", message))

    def debug(self, message: str) -> None:
        self.texts.append(("debug", message))

    def information(self, data: object, source: str) -> None:
        self.texts.append(("information", data))

    def progress(self, progress: Progress) -> None:
        self.texts.append(("progress", progress))


def run(*commands: tuple[Any, ...], source: list[object] | None = None) -> tuple[list[object], Seen]:
    """``("Get-Thing", "positional", {"Name": value})`` each; what came out, and what was written beside it."""
    bench: Any = None
    host = PowerShellHost(Clock(), bench, (module, core.cmdlets), bytes)
    seen = Seen()

    async def feed(items: list[object]) -> AsyncIterator[object]:
        for item in items:
            yield item

    async def collect() -> list[object]:
        invocations = [Invocation(str(name), tuple(_arguments(rest))) for name, *rest in commands]
        piped = None if source is None else feed(source)
        return [item async for item in run_statement(invocations, Runspace(host), seen, piped)]

    return asyncio.run(collect()), seen


def _arguments(given: list[Any]) -> Iterator[Argument]:
    for each in given:
        yield from each.items() if isinstance(each, dict) else [(None, each)]


def refused(*commands: tuple[Any, ...], source: list[object] | None = None) -> CmdletError:
    with pytest.raises(CmdletError) as caught:
        run(*commands, source=source)
    assert caught.value.terminating
    return caught.value


@pytest.mark.parametrize(
    "arguments",
    [["x"], [{"Name": "x"}], [{"name": "x"}], [{"-Name:": ["x"]}], [{"IFALIAS": "x"}], [{"Na": ["x"]}], [{"ifa": "x"}]],
)
def test_one_parameter_in_all_its_spellings(arguments: list[Any]) -> None:
    """Position, name in any case, alias, and unique beginnings of both: PowerShell takes them all."""
    assert run(("Get-Thing", *arguments))[0] == ["ByName:['x']:False:['Name']"]


def test_module_qualified_names_and_case() -> None:
    """Commands are found whatever their case, and by Module\\Name."""
    assert run(("get-thing", "x"))[0] == run((r"Sample\Get-Thing", "x"))[0]


def test_switches() -> None:
    """A switch is on when named, off with an explicit false, and takes no text."""
    assert ":True:" in str(run(("Get-Thing", {"IncludeHidden": True}))[0])
    assert ":False:" in str(run(("Get-Thing", {"IncludeHidden": False}))[0])
    error = refused(("Get-Thing", {"IncludeHidden": "yes"}))
    assert error.error_id == "ParameterArgumentTransformationError,Get-Thing" and "System.Boolean" in error.message


def test_parameter_sets() -> None:
    """What was named decides the set; the default one is taken when nothing does; a mixture is refused."""
    assert run(("Get-Thing",))[0] == ["ByName:None:False:[]"]
    assert run(("Get-Thing", {"Index": "0x10"}))[0] == ["ByIndex:16:False:['Index']"]
    assert refused(("Get-Thing", {"Index": 1, "Name": "x"})).error_id == "AmbiguousParameterSet,Get-Thing"


@pytest.mark.parametrize(
    ("command", "error_id", "category", "says"),
    [
        (("Get-Nothing",), "CommandNotFoundException", "ObjectNotFound", "'Get-Nothing' is not recognized"),
        (("Get-Thing", {"Nmae": 1}), "NamedParameterNotFound,Get-Thing", "InvalidArgument", "'Nmae'"),
        (("Get-Thing", {"Include": True}), "AmbiguousParameter,Get-Thing", "InvalidArgument", "-IncludeHidden -Inc"),
        (("Get-Thing", "a", "b"), "PositionalParameterNotFound,Get-Thing", "InvalidArgument", "'b'"),
        (("Get-Thing", {"Name": 1}, {"ifAlias": 2}), "ParameterAlreadyBound,Get-Thing", "InvalidArgument", "'Name'"),
        (("Get-Thing", {"Index": "abc"}), "ParameterArgumentTransformationError,Get-Thing", "InvalidData", "UInt32"),
        (("Get-Thing", {"Index": -1}), "ParameterArgumentTransformationError,Get-Thing", "InvalidData", "too small"),
        (("Set-Thing",), "MissingMandatoryParameter,Sample.SetThingCommand", "InvalidArgument", "InputObject"),
        (("Set-Thing", "x", "y"), "CannotConvertArgumentNoMessage,Sample.SetThingCommand", "InvalidArgument", "UInt16"),
        (("Set-Thing", "x", {"Mode": "Other"}), "ParameterArgumentValidationError,Sample.SetThingCommand",
         "InvalidData", '"Auto,Manual"'),
        (("Set-Thing", {"InputObject": None}), "ParameterArgumentValidationErrorNullNotAllowed,Sample.SetThingCommand",
         "InvalidData", "null"),
        (("Set-Thing", "x", {"When": "soon"}), "CannotConvertArgumentNoMessage,Sample.SetThingCommand",
         "InvalidArgument", "DateTime"),
    ],
)  # fmt: skip
def test_mistakes_have_their_own_errors(command: tuple[Any, ...], error_id: str, category: str, says: str) -> None:
    """A misspelt parameter in a suite fails on the virtual bench as it would on Windows, with the same id."""
    error = refused(command)
    assert (error.error_id, error.category) == (error_id, category) and says in error.message


def test_nothing_runs_when_one_command_is_unknown() -> None:
    """All commands of a pipeline are found and bound before the first one acts."""
    assert refused(("Set-Thing", "x"), ("Get-Nothing",)).error_id == "CommandNotFoundException"


def test_choices_are_spelled_as_defined() -> None:
    """A value of a fixed set comes in any case and arrives in one."""
    assert run(("Set-Thing", "x", {"Mode": "MANUAL"}))[0] == ["x=0,Manual"]


def test_pipeline_input_by_value_and_by_property() -> None:
    """Objects of one command become parameters of the next, as a whole or by the name of a property."""
    assert run(("Get-Thing",), ("Set-Thing", {"Speed": 7}))[0] == ["ByName:None:False:[]=7,Auto"]
    assert run(("Set-Thing",), source=["a", "b"])[0] == ["a=0,Auto", "b=0,Auto"]
    things: list[object] = [PSRecord(("T",), {"pnpdeviceid": "P1"}), PSRecord(("T",), {"DeviceID": "P2"})]
    assert run(("Find-Thing",), source=things)[0] == ["found P1", "found P2"]
    assert refused(("Find-Thing",), source=["text"]).error_id == "InputObjectNotBound,Find-Thing"
    assert run(("Find-Thing",), source=[])[0] == []


def test_pipelines_stream_and_stop_early() -> None:
    """Select-Object -First ends an endless command before it."""
    assert run(("Get-Forever",), ("Select-Object", {"First": 3, "Skip": 2}))[0] == [2, 3, 4]


def test_errors_and_error_action() -> None:
    """A written error lets the command go on; Stop makes it the end, SilentlyContinue hides it."""
    output, seen = run(("Set-Thing", ["a", "bad", "b"]))
    assert output == ["a=0,Auto", "b=0,Auto"] and seen.errors[0].error_id == "Bad,Sample.SetThingCommand"
    assert refused(("Set-Thing", ["bad"], {"ErrorAction": "Stop"})).error_id == "Bad,Sample.SetThingCommand"
    output, seen = run(("Set-Thing", ["bad", "b"], {"ea": "silentlycontinue"}))
    assert output == ["b=0,Auto"] and seen.errors == []


def test_a_raised_error_ends_its_command_or_the_pipeline() -> None:
    """Most errors end only the command that met them; a terminating one fails the pipeline."""
    output, seen = run(("Stop-Thing",))
    assert output == ["one"] and [error.error_id for error in seen.errors] == ["Over,Stop-Thing"]
    assert refused(("Stop-Thing", {"Hard": True})).error_id == "Over,Stop-Thing"


def test_common_parameters() -> None:
    """Every cmdlet takes them; CIM functions also CimSession, cmdlets that change things also WhatIf and Confirm."""
    assert run(("Get-Thing", {"CimSession": "x", "ThrottleLimit": 3, "OutVariable": "o"}))[0]
    assert run(("Set-Thing", "x", {"WhatIf": True}))[0] == []
    assert run(("Set-Thing", "x", {"Confirm": False}))[0] == ["x=0,Auto"]
    assert refused(("Get-Thing", {"WhatIf": True})).error_id == "NamedParameterNotFound,Get-Thing"
    assert refused(("Get-Thing", {"ErrorAction": "Maybe"})).error_id == "ParameterArgumentValidationError,Get-Thing"


def test_scripts_are_refused() -> None:
    """There is no PowerShell language here: a script fails with an error that says so, it does not pretend."""

    async def script() -> None:
        bench: Any = None
        host = PowerShellHost(None, bench, (module,), bytes)
        async for _ in run_statement([Invocation("1 + 1", is_script=True)], Runspace(host), Seen()):
            pass

    with pytest.raises(CmdletError, match="no PowerShell language"):
        asyncio.run(script())


names = st.sampled_from(["Name", "Index", "IncludeHidden", "ifAlias", "Include", "x", "", "Verbose", "ea", "AsJob"])
anything = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(st.lists(st.tuples(st.none() | names, anything), max_size=5))
def test_any_arguments_are_bound_or_refused_by_name(arguments: list[Argument]) -> None:
    """Whatever a client sends ends in bound values of the declared types or in a binding error, never in a crash."""
    cmdlet = module.commands["get-thing"]
    try:
        bound = bind(cmdlet, arguments, piped=False)
    except CmdletError as error:
        assert error.terminating and error.error_id.endswith(",Get-Thing")
    else:
        assert set(bound.values) <= {parameter.name for parameter in parameters_of(cmdlet)}
        assert isinstance(bound.values.get("IncludeHidden", False), bool)
        assert isinstance(bound.values.get("Index", PSUInt(0)), PSUInt | None)


# the cmdlets of PowerShell itself

STATE = "Sample.State"
THINGS: list[object] = [
    PSRecord(("T", "System.Object"), {"Name": "b", "Size": 10, "State": PSEnum(STATE, 1, "Up")}, "thing b"),
    PSRecord(("T", "System.Object"), {"Name": "a", "Size": 9, "State": PSEnum(STATE, 2, "Down")}, "thing a"),
    PSRecord(("T", "System.Object"), {"Name": "c", "Size": None, "State": PSEnum(STATE, 1, "Up")}, "thing c"),
]


def chosen(*commands: tuple[Any, ...]) -> list[object]:
    output, _ = run(*commands, source=THINGS)
    return [item.properties["Name"] for item in output if isinstance(item, PSRecord)]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"EQ": True, "Property": "State", "Value": "up"}, "bc"), ({"Property": "State", "Value": "Down"}, "a"),
        ({"NE": True, "Property": "Size", "Value": 9}, "bc"), ({"GT": True, "Property": "Size", "Value": "9"}, "b"),
        ({"LE": True, "Property": "Size", "Value": 9}, "ac"),
        ({"Like": True, "Property": "Name", "Value": "[AB]"}, "ba"),
        ({"Match": True, "Property": "Name", "Value": "^[ab]$"}, "ba"), ({"Property": "Size"}, "ba"),
        ({"NotMatch": True, "Property": "Name", "Value": "A"}, "bc"), ({"Not": True, "Property": "Size"}, "c"),
        ({"In": True, "Property": "Name", "Value": ["a", "c"]}, "ac"), ({"Property": "Nothing"}, ""),
    ],
)  # fmt: skip
def test_where_object(arguments: dict[str, Any], names: str) -> None:
    """The comparison form: enumerations by their text, numbers by value, text without case, nothing before all."""
    assert "".join(map(str, chosen(("Where-Object", arguments)))) == names


def test_select_object() -> None:
    """Chosen properties make Selected.* objects; missing ones are there as nothing; wildcards and renaming work."""
    (first, *_), _ = run(("Select-Object", ["name", "Missing", "S*"]), source=THINGS)
    assert isinstance(first, PSRecord)
    assert first.type_names == ("Selected.T", "System.Management.Automation.PSCustomObject", "System.Object")
    assert dict(first.properties) == {
        "Name": "b", "Missing": None, "Size": 10, "State": PSEnum(STATE, 1, "Up")
    }  # fmt: skip
    assert first.text == "@{Name=b; Missing=; Size=10; State=Up}"
    renamed = run(("Select-Object", [{"Name": "N", "Expression": "Name"}], {"Last": 1}), source=THINGS)[0]
    assert [dict(item.properties) for item in renamed if isinstance(item, PSRecord)] == [{"N": "c"}]
    assert run(("Select-Object", {"ExpandProperty": "Size"}), source=THINGS)[0] == [10, 9, None]
    assert run(("Select-Object", {"Property": "Size", "ExcludeProperty": "S*", "Unique": True}), source=THINGS)[0] == [
        PSRecord(("Selected.T", *core.CUSTOM_OBJECT), {}, "@{}")
    ]
    _, seen = run(("Select-Object", {"ExpandProperty": "None"}), source=THINGS[:1])
    assert seen.errors[0].error_id == "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand"


def test_sort_and_measure() -> None:
    """Numbers sort as numbers with nothing first; counts, sums and extremes come as doubles."""
    assert chosen(("Sort-Object", "Size")) == ["c", "a", "b"]
    assert chosen(("Sort-Object", "Size", {"Descending": True})) == ["b", "a", "c"]
    (measured,) = run(("Measure-Object", "Size", {"Sum": True, "Average": True, "Maximum": True}), source=THINGS)[0]
    assert isinstance(measured, PSRecord)
    assert [measured.properties[name] for name in ("Count", "Sum", "Average", "Maximum")] == [2, 19.0, 9.5, 10.0]


def test_convert_to_json() -> None:
    """One object is an object, several are a list; enumerations are numbers, dates ISO, depth is kept."""
    when = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
    thing = PSRecord(("T",), {"S": PSEnum(STATE, 1, "Up"), "W": when, "I": [PSRecord(("U",), {"x": 1}, "u")]}, "t")
    compressed = {"Compress": True}
    assert run(("ConvertTo-Json", compressed), source=[thing])[0] == [
        '{"S":1,"W":"2026-11-22T13:00:00Z","I":[{"x":1}]}'
    ]
    assert run(("ConvertTo-Json", compressed, {"Depth": 1}), source=[thing])[0] == [
        '{"S":1,"W":"2026-11-22T13:00:00Z","I":["u"]}'
    ]
    assert run(("ConvertTo-Json", compressed), source=[1, "a"])[0] == ['[1,"a"]']
    assert run(("ConvertTo-Json", {"AsArray": True, **compressed}), source=["a"])[0] == ['["a"]']


def test_texts_and_outputs() -> None:
    """Out-String is for people, Out-Null takes all, Write-Output passes through, Get-Command knows what there is."""
    text = str(run(("Out-String",), source=THINGS[:1])[0][0])
    assert "Name  : b\r\n" in text and "State : Up\r\n" in text
    assert run(("Out-Null",), source=THINGS)[0] == []
    assert run(("Write-Output", [1, 2]))[0] == [1, 2]
    assert run(("Get-Date",))[0] == [Clock().now()]
    (found,) = run(("Get-Command", "get-thing"))[0]
    assert isinstance(found, PSRecord) and found.properties["CommandType"] == "Function"
    output, seen = run(("Get-Command", "Get-Nothing"))
    error_id = "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
    assert output == [] and seen.errors[0].error_id == error_id
