"""How PowerShell binds arguments to the parameters of a cmdlet, with its own errors.

Source: about_Parameter_Sets, about_CommonParameters, about_Functions_Advanced_Parameters and ParameterBinderBase of
PowerShell: names in any case and by unique prefix, aliases, positions, switches, sets, conversion, mandatory ones.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hil.virtual.binding_errors import ambiguous, binding_error, transformation_error
from hil.virtual.conversion import convert
from hil.virtual.powershell import Cmdlet, Param, PSRecord, SwitchMark

ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend", "Break")

Argument = tuple[str | None, object]
"""A parameter's name as it was given (None: by position) and its value."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a cmdlet, resolved from its annotation."""

    name: str
    hint: Any
    meta: Param
    switch: bool = False
    default: object = None

    @property
    def sets(self) -> tuple[str, ...]:
        return (self.meta.set,) if isinstance(self.meta.set, str) and self.meta.set else tuple(self.meta.set)

    def in_set(self, name: str) -> bool:
        return not self.sets or name in self.sets


@dataclass(frozen=True)
class Bound:
    """The outcome: values for the function's arguments, and the common parameters."""

    values: Mapping[str, object]
    parameter_set: str
    preferences: Mapping[str, str] = field(default_factory=dict)
    from_pipeline: tuple[Parameter, ...] = ()
    """Parameters that take what comes through the pipe."""


def _common(name: str, hint: Any, *aliases: str, switch: bool = False, choices: tuple[str, ...] = ()) -> Parameter:
    return Parameter(name, hint, Param(aliases=aliases, choices=choices), switch=switch)


_PREFERENCES = (
    _common("ErrorAction", str, "ea", choices=ACTIONS),
    _common("WarningAction", str, "wa", choices=ACTIONS),
    _common("InformationAction", str, "infa", choices=ACTIONS),
    _common("ProgressAction", str, "proga", choices=ACTIONS),
    _common("Verbose", bool, "vb", switch=True),
    _common("Debug", bool, "db", switch=True),
)
_IGNORED = (
    _common("ErrorVariable", str, "ev"),
    _common("WarningVariable", str, "wv"),
    _common("InformationVariable", str, "iv"),
    _common("OutVariable", str, "ov"),
    _common("OutBuffer", int, "ob"),
    _common("PipelineVariable", str, "pv"),
)
_SHOULD_PROCESS = (
    _common("WhatIf", bool, "wi", switch=True),
    _common("Confirm", bool, "cf", switch=True),
)
_CIM = (
    _common("CimSession", object, "Session"),
    _common("ThrottleLimit", int),
    _common("AsJob", bool, switch=True),
)


@cache
def parameters_of(cmdlet: Cmdlet) -> tuple[Parameter, ...]:
    """The parameters of the function itself, in order; the first argument is the Call."""
    hints = get_type_hints(cmdlet.function, include_extras=True)
    arguments = list(inspect.signature(cmdlet.function).parameters.values())[1:]
    return tuple(_parameter(argument, hints.get(argument.name, object)) for argument in arguments)


def _parameter(argument: inspect.Parameter, hint: Any) -> Parameter:
    extras: tuple[Any, ...] = ()
    while get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        extras += tuple(more)
    meta = next((extra for extra in extras if isinstance(extra, Param)), Param())
    switch = any(isinstance(extra, SwitchMark) for extra in extras)
    default = None if argument.default is inspect.Parameter.empty else argument.default
    return Parameter(argument.name, hint, meta, switch, default)


@cache
def _common_of(cmdlet: Cmdlet) -> tuple[Parameter, ...]:
    return (
        *_PREFERENCES, *_IGNORED,
        *(_SHOULD_PROCESS if cmdlet.should_process else ()), *(_CIM if cmdlet.module.cdxml else ()),
    )  # fmt: skip


def bind(cmdlet: Cmdlet, arguments: Sequence[Argument], *, piped: bool) -> Bound:
    """Bind ``arguments``; ``piped`` says whether objects will come through the pipe.

    Raises CmdletError (terminating) with PowerShell's ids; each ends with a comma and the cmdlet.
    """
    own, common = parameters_of(cmdlet), _common_of(cmdlet)
    given: dict[str, object] = {}
    preferences: dict[str, str] = {}
    positional: list[object] = []
    for name, value in arguments:
        if name is None:
            positional.append(value)
            continue
        parameter = _find(cmdlet, own, common, name)
        if parameter.name in given or parameter.name in preferences:
            raise binding_error(
                cmdlet, "ParameterAlreadyBound", f"Cannot bind parameter because parameter '{parameter.name}' is "
                "specified more than once. To provide multiple values to parameters that can accept multiple values, "
                'use the array syntax. For example, "-parameter value1,value2,value3".',
            )  # fmt: skip
        if parameter in common:
            preferences[parameter.name] = _preference(cmdlet, parameter, value)
        else:
            given[parameter.name] = _value(cmdlet, parameter, value)
    candidates = _candidate_sets(cmdlet, own, given)
    _bind_positions(cmdlet, own, candidates, given, positional)
    chosen = _choose_set(cmdlet, own, _candidate_sets(cmdlet, own, given), given, piped)
    from_pipeline = tuple(
        p for p in own if piped and p.meta.pipeline and p.name not in given and p.in_set(chosen)
    )  # fmt: skip
    _check_mandatory(cmdlet, own, chosen, given, from_pipeline)
    return Bound(given, chosen, preferences, from_pipeline)


def bind_input(cmdlet: Cmdlet, bound: Bound, objects: Sequence[object]) -> dict[str, object]:
    """Values for the parameters that take pipeline input, from everything that came through the pipe.

    A list-typed parameter gets the values of all objects; another gets that of the last, as after the last
    ProcessRecord. An object that fits no parameter is PowerShell's InputObjectNotBound.
    """
    collected: dict[str, list[object]] = {}
    for item in objects:
        taken = False
        for parameter in bound.from_pipeline:
            for value in _from_object(parameter, item):
                try:
                    converted = convert(value, parameter.hint)
                except ValueError:
                    continue
                several = converted if isinstance(converted, list) else [converted]
                collected.setdefault(parameter.name, []).extend(several)
                taken = True
        if bound.from_pipeline and not taken:
            raise binding_error(
                cmdlet, "InputObjectNotBound", "The input object cannot be bound to any parameters for the command "
                "either because the command does not take pipeline input or the input and its properties do not match "
                "any of the parameters that take pipeline input.", target=item,
            )  # fmt: skip
    hints = {parameter.name: parameter.hint for parameter in bound.from_pipeline}
    return {name: values if _is_list(hints[name]) else values[-1] for name, values in collected.items()}


def _from_object(parameter: Parameter, item: object) -> Iterable[object]:
    if parameter.meta.pipeline == "value":
        return [item]
    if not isinstance(item, PSRecord):
        return []
    wanted = {parameter.name.lower(), *(alias.lower() for alias in parameter.meta.aliases)}
    return [value for name, value in item.properties.items() if name.lower() in wanted][:1]


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(get_origin(part) is list for part in get_args(hint))


def _find(cmdlet: Cmdlet, own: Iterable[Parameter], common: Iterable[Parameter], given: str) -> Parameter:
    wanted = given.lstrip("-").rstrip(":").lower()
    everything = (*own, *common)
    exact = [p for p in everything if wanted in (p.name.lower(), *(a.lower() for a in p.meta.aliases))]
    if exact:
        return exact[0]
    starting = [
        p for p in everything if any(n.lower().startswith(wanted) for n in (p.name, *p.meta.aliases))
    ]  # fmt: skip
    if len(starting) > 1:
        names = " ".join(f"-{p.name}" for p in starting)
        raise binding_error(
            cmdlet, "AmbiguousParameter", f"Parameter cannot be processed because the parameter name '{given}' is "
            f"ambiguous. Possible matches include: {names}.",
        )  # fmt: skip
    if not starting or not wanted:
        raise binding_error(
            cmdlet, "NamedParameterNotFound", f"A parameter cannot be found that matches parameter name '{given}'."
        )
    return starting[0]


def _preference(cmdlet: Cmdlet, parameter: Parameter, value: object) -> str:
    converted = _value(cmdlet, parameter, value)
    return ("Continue" if converted else "SilentlyContinue") if parameter.switch else str(converted)


def _value(cmdlet: Cmdlet, parameter: Parameter, value: object) -> object:
    if parameter.switch:
        if value is None or isinstance(value, bool | int):
            return bool(value)
        raise transformation_error(cmdlet, parameter.name, f'Cannot convert value "{value}" to type "System.Boolean".')
    if value is None and parameter.meta.mandatory:
        raise binding_error(
            cmdlet, "ParameterArgumentValidationErrorNullNotAllowed", f"Cannot bind argument to parameter "
            f"'{parameter.name}' because it is null.", category="InvalidData",
        )  # fmt: skip
    try:
        converted = convert(value, parameter.hint)
    except ValueError as error:
        raise transformation_error(cmdlet, parameter.name, str(error)) from error
    return _one_of(cmdlet, parameter, converted) if parameter.meta.choices else converted


def _one_of(cmdlet: Cmdlet, parameter: Parameter, value: object) -> object:
    if isinstance(value, list):
        return [_one_of(cmdlet, parameter, item) for item in value]
    if value is None:
        return None
    for choice in parameter.meta.choices:
        if choice.lower() == str(value).lower():
            return choice
    raise binding_error(
        cmdlet, "ParameterArgumentValidationError", f"Cannot validate argument on parameter '{parameter.name}'. The "
        f'argument "{value}" does not belong to the set "{",".join(parameter.meta.choices)}" specified by the '
        "ValidateSet attribute. Supply an argument that is in the set and then try the command again.",
        category="InvalidData",
    )  # fmt: skip


def _candidate_sets(cmdlet: Cmdlet, own: Sequence[Parameter], given: Mapping[str, object]) -> list[str]:
    """Sets in which every given parameter is; the default first. ``""`` stands for "there is only one set"."""
    names = list(dict.fromkeys(name for parameter in own for name in parameter.sets)) or [""]
    names.sort(key=lambda name: name != cmdlet.default_set)
    fitting = [name for name in names if all(p.in_set(name) for p in own if p.name in given)]
    if not fitting:
        raise ambiguous(cmdlet)
    return fitting


def _bind_positions(
    cmdlet: Cmdlet, own: Sequence[Parameter], sets: list[str], given: dict[str, object], values: Sequence[object]
) -> None:
    free = [
        p for p in own if p.meta.position is not None and p.name not in given and any(p.in_set(name) for name in sets)
    ]
    by_position: dict[int, Parameter] = {}
    for parameter in sorted(free, key=lambda p: p.in_set(sets[0])):  # at one position that of the default set wins
        by_position[parameter.meta.position or 0] = parameter
    slots = [by_position[position] for position in sorted(by_position)]
    for value, slot in zip(values, slots, strict=False):
        given[slot.name] = _value(cmdlet, slot, value)
    if len(values) > len(slots):
        raise binding_error(
            cmdlet, "PositionalParameterNotFound",
            f"A positional parameter cannot be found that accepts argument '{values[len(slots)]}'.",
        )  # fmt: skip


def _choose_set(
    cmdlet: Cmdlet, own: Sequence[Parameter], sets: list[str], given: Mapping[str, object], piped: bool
) -> str:
    """The set that remains: complete ones before incomplete ones, the default before others."""

    def complete(name: str) -> bool:
        return all(
            p.name in given or (piped and p.meta.pipeline) for p in own if p.meta.mandatory and p.in_set(name)
        )  # fmt: skip

    whole = [name for name in sets if complete(name)]
    if len(sets) == 1 or not whole:
        return sets[0]
    if whole[0] == cmdlet.default_set or len(whole) == 1:
        return whole[0]
    named = [name for name in whole if any(name in p.sets for p in own if p.name in given)]
    if len(named) != 1:
        raise ambiguous(cmdlet)
    return named[0]


def _check_mandatory(
    cmdlet: Cmdlet, own: Sequence[Parameter], chosen: str, given: Mapping[str, object], piped: Sequence[Parameter]
) -> None:
    missing = [
        p.name for p in own if p.meta.mandatory and p.in_set(chosen) and p.name not in given and p not in piped
    ]  # fmt: skip
    if missing:
        raise binding_error(
            cmdlet, "MissingMandatoryParameter",
            f"Cannot process command because of one or more missing mandatory parameters: {' '.join(missing)}.",
        )  # fmt: skip
