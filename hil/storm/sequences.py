"""Random sequences of operations, by a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from hil.storm.operations import BY_NAME, OPERATIONS, SET, State, Step, after, allowed, closed

_LOADED = 0.3
"""Share of the steps that meet traffic, of those that could."""


class Sequences:
    """Yields sequences without end. Each step is one that was seldom seen so far after the two before it: what depends
    on an order of three is met much sooner than by the throw of a die.

    ``capabilities`` are the bench's; ``settings`` the values to choose from, by keyword.
    """

    def __init__(self, seed: int, capabilities: Collection[str], settings: Mapping[str, Sequence[str]]) -> None:
        self._chance = random.Random(seed)
        self._possible = [one.name for one in OPERATIONS if one.needs <= set(capabilities)]
        self._settings, self._loaded = settings, "partner" in capabilities
        self._seen: Counter[tuple[str, ...]] = Counter()

    def next(self, length: int) -> tuple[Step, ...]:
        """A sequence that makes sense from its first step to its last, after which the adapter is up again."""
        state, steps = State(), list[Step]()
        while len(steps) < length:
            step = self._step(tuple(one.operation for one in steps[-2:]), state)
            steps.append(step)
            state = after(step, state)
        return closed(steps)

    def _step(self, before: tuple[str, ...], state: State) -> Step:
        offered = [(keyword, value) for keyword, values in sorted(self._settings.items()) for value in values]
        settings = [step for pair in offered if allowed(step := Step(SET, False, *pair), state)]
        names = [name for name in self._possible if allowed(Step(name), state) and (name != SET or settings)]
        least = min(self._seen[(*before, name)] for name in names)
        name = self._chance.choice([name for name in names if self._seen[(*before, name)] == least])
        self._seen[(*before, name)] += 1
        loaded = self._loaded and state.up and BY_NAME[name].stops and self._chance.random() < _LOADED
        step = self._chance.choice(settings) if name == SET else Step(name)
        return replace(step, under_load=loaded)
