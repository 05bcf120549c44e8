"""Places of values in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def ties(values: Sequence[float]) -> Iterator[tuple[int, list[int]]]:
    """From the least value on: how many values are less, and the places of those that are equal."""
    order = sorted(range(len(values)), key=values.__getitem__)
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and values[order[last]] == values[order[first]]:
            last += 1
        yield first, order[first:last]
        first = last
