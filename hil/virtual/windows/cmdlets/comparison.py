"""How PowerShell looks up properties and compares values (about_Comparison_Operators)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hil.virtual.conversion import text
from hil.virtual.powershell import PSEnum, PSRecord


def get(item: object, name: str) -> object:
    """A property's value, whatever the case of its name; None where there is none, as in PowerShell."""
    if isinstance(item, PSRecord | dict):
        members: Mapping[str, object] = item.properties if isinstance(item, PSRecord) else item
        return next((value for key, value in members.items() if str(key).lower() == name.lower()), None)
    return len(item) if name.lower() == "length" and isinstance(item, str) else None


def names_of(item: object) -> Iterable[str]:
    return item.properties if isinstance(item, PSRecord) else map(str, item) if isinstance(item, dict) else ()


def sort_key(value: object) -> tuple[int, Any]:
    """Sorts and compares as PowerShell does: numbers by value, the rest as text without case, nothing first."""
    if isinstance(value, PSEnum):
        return (1, value.value)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, datetime):
        return (2, value.timestamp())
    return (0, "") if value is None else (3, text(value).lower())


def fits(left: object, right: object, operator: str) -> bool:
    if operator.startswith("not") and len(operator) > 3:
        return not fits(left, right, operator[3:])
    if operator in ("", "not"):
        return bool(left) is (operator == "")
    if operator in ("like", "match"):
        pattern = fnmatch.translate(text(right)) if operator == "like" else text(right)
        return re.search(pattern, text(left), re.IGNORECASE) is not None
    if operator in ("in", "contains"):
        one, many = (left, right) if operator == "in" else (right, left)
        return any(_same(one, each) for each in (many if isinstance(many, list | tuple) else [many]))
    if operator in ("eq", "ne"):
        return _same(left, right) is (operator == "eq")
    a, b = sort_key(left), sort_key(_like_the_other(right, left))
    return {"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[operator]


def _same(left: object, right: object) -> bool:
    if isinstance(left, PSEnum) and isinstance(right, str):
        return left.text.lower() == right.lower()
    return sort_key(left) == sort_key(_like_the_other(right, left))


def _like_the_other(value: object, other: object) -> object:
    """PowerShell converts the right side to the type of the left."""
    if isinstance(other, int | float) and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
