"""WQL, as far as filters of Get-CimInstance use it (Microsoft Learn, "WQL (SQL for WMI)")."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Mapping[str, object]], bool]

_SELECT = re.compile(
    r"^\s*select\s+(?P<columns>.+?)\s+from\s+(?P<name>\w+)(?:\s+where\s+(?P<where>.+))?\s*$", re.I | re.S
)
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<sign><=|>=|<>|!=|=|<|>|\(|\))|(?P<word>[-\w.]+))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<>": operator.ne, "<": operator.lt, ">": operator.gt,
    "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


def parse_query(query: str) -> tuple[str, list[str], Test]:
    """Class, columns (empty for ``*``) and condition of a SELECT. Raises ValueError."""
    found = _SELECT.match(query)
    if found is None:
        raise ValueError(query)
    columns = [] if found["columns"].strip() == "*" else [name.strip() for name in found["columns"].split(",")]
    return found["name"], columns, parse_filter(found["where"] or "")


def _everything(properties: Mapping[str, object]) -> bool:
    return properties is not None


def parse_filter(condition: str) -> Test:
    """A WHERE clause as a predicate on properties, whose names have any case. Raises ValueError."""
    if not condition.strip():
        return _everything
    tokens: list[str] = []
    place = 0
    while condition[place:].strip():
        found = _TOKEN.match(condition, place)
        if found is None:
            raise ValueError(condition)
        tokens.append(found[0].strip())
        place = found.end()
    test = _either(tokens)
    if tokens:
        raise ValueError(condition)
    return test


def _either(tokens: list[str]) -> Test:
    tests = [_all(tokens)]
    while tokens and tokens[0].lower() == "or":
        tokens.pop(0)
        tests.append(_all(tokens))
    return lambda properties: any(test(properties) for test in tests)


def _all(tokens: list[str]) -> Test:
    tests = [_one(tokens)]
    while tokens and tokens[0].lower() == "and":
        tokens.pop(0)
        tests.append(_one(tokens))
    return lambda properties: all(test(properties) for test in tests)


def _one(tokens: list[str]) -> Test:
    if len(tokens) >= 2 and tokens[0] == "(":
        tokens.pop(0)
        test = _either(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("a parenthesis is open")
        return test
    if len(tokens) >= 2 and tokens[0].lower() == "not":
        tokens.pop(0)
        inner = _one(tokens)
        return lambda properties: not inner(properties)
    if len(tokens) < 3:
        raise ValueError(" ".join(tokens))
    name, sign, literal = tokens.pop(0).lower(), tokens.pop(0).lower(), _literal(tokens.pop(0))
    if sign == "like":
        pattern = fnmatch.translate(str(literal).lower().replace("*", "[*]").replace("%", "*").replace("_", "?"))
        return lambda properties: re.match(pattern, str(_value(properties, name)).lower()) is not None
    if sign not in _COMPARE:
        raise ValueError(sign)
    return lambda properties: _compare(sign, _value(properties, name), literal)


def _literal(token: str) -> object:
    if token[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    known = {"true": True, "false": False, "null": None}
    return known[token.lower()] if token.lower() in known else int(token)


def _value(properties: Mapping[str, object], name: str) -> object:
    return next((value for key, value in properties.items() if key.lower() == name), None)


def _compare(sign: str, left: object, right: object) -> bool:
    if isinstance(left, bool):
        right = bool(right)
    elif isinstance(left, int) and isinstance(right, str):
        right = int(right) if right.isdigit() else right
    left = left.lower() if isinstance(left, str) else left
    right = right.lower() if isinstance(right, str) else right
    try:
        return _COMPARE[sign](left, right)
    except TypeError:
        return False
