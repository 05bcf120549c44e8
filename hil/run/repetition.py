"""Tests run again and again, to find what fails only sometimes: ``--count``, ``--until-fail``.

A repetition has a node id of its own, ``test_pnp.py::test_removal[send]#3``: a name that is the test's in all else.
Rounds go through all chosen tests in their order, so that a test meets what the others before it left behind.
"""

from __future__ import annotations

from typing import Any

import pytest

MOST_ROUNDS = 200
"""Of ``--until-fail`` without a count: what fails once in 20 times is missed once in thirty thousand."""


def rounds(config: pytest.Config) -> int:
    """How often the chosen tests run. Raises pytest.UsageError."""
    count: int | None = config.getoption("--count")
    if count is not None and count < 1:
        raise pytest.UsageError(f"--count wants a number from 1 on; seen: {count}")
    return count or (MOST_ROUNDS if config.getoption("--until-fail") else 1)


def repeated(items: list[pytest.Item], count: int) -> list[pytest.Item]:
    """Each item ``count`` times, round by round; only one round leaves the names as they are."""
    if count == 1:
        return items
    other = next((item for item in items if not isinstance(item, pytest.Function)), None)
    if other is not None:
        raise pytest.UsageError(f"only test functions can be repeated, which {other.nodeid} is not")
    return [_again(item, number) for number in range(1, count + 1) for item in items]


class _Repetition(pytest.Function):
    """A twin of a test function with fixtures, marks and parameters of its own."""

    def __init__(self, *, number: int, **of_function: Any) -> None:
        self._number = number
        super().__init__(**of_function)

    @property
    def nodeid(self) -> str:
        return f"{super().nodeid}#{self._number}"


def _again(item: pytest.Item, number: int) -> pytest.Item:
    assert isinstance(item, pytest.Function)
    twin: pytest.Function = _Repetition.from_parent(
        item.parent, name=item.name, callspec=getattr(item, "callspec", None), number=number,
        fixtureinfo=item._fixtureinfo, originalname=item.originalname,
    )  # fmt: skip
    # also the marks that conftest files gave to the item
    twin.own_markers = list(item.own_markers)
    twin.keywords.update(item.keywords)
    return twin
