"""From a failing sequence to a short one that still fails: delta debugging over its steps.

Why not hypothesis: its shrinker replays an example hundreds of times, and each replay here takes a machine seconds to
minutes, through sleep and removal, on a bench that a failure may leave in ruins. Ten steps shrink to three in about ten
attempts this way. A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing Input, IEEE Transactions on
Software Engineering 28 (2002); with the last steps alone as a first guess, since what fails is mostly the work of those
just before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hil.storm.operations import Step, closed, sensible

Steps = tuple[Step, ...]


class OutOfTime(Exception):
    """Raised by the attempt that may not begin any more."""


class Shrinking:
    """``fails(steps)`` tries a sequence, and says after how many of its steps it failed, or 0; it raises OutOfTime when
    no time is left. None is tried twice."""

    def __init__(self, steps: Steps, fails: Callable[[Steps], int]) -> None:
        self.shortest, self._fails = steps, fails
        self.finished = False
        """Whether nothing shorter is left to try; otherwise the time was over."""
        self._tried: set[Steps] = {closed(steps)}

    def run(self) -> Steps:
        """The shortest sequence that was seen to fail."""
        try:
            self._last_steps()
            # without its traffic a step may follow on others than with it
            while self._any_fails(self._without_chunks()) or self._any_fails(self._without_load()):
                pass
            self.finished = True
        except OutOfTime:
            self.finished = False
        return self.shortest

    def _last_steps(self) -> None:
        """Whether the last 2, 3, 5, 8 ... of them do."""
        whole, (few, more) = self.shortest, (2, 3)
        while few < len(whole):
            if self._try(sensible(whole[-few:])):
                return
            few, more = more, few + more

    def _without_chunks(self) -> Iterator[Steps]:
        """Halves left out first, single steps last."""
        whole = self.shortest
        size = len(whole) // 2
        while size:
            for start in range(0, len(whole), size):
                yield sensible(whole[:start] + whole[start + size :])
            size //= 2

    def _without_load(self) -> Iterator[Steps]:
        for place, step in enumerate(self.shortest):
            if step.under_load:
                yield (*self.shortest[:place], replace(step, under_load=False), *self.shortest[place + 1 :])

    def _any_fails(self, candidates: Iterator[Steps]) -> bool:
        return any(self._try(candidate) for candidate in candidates)

    def _try(self, candidate: Steps) -> bool:
        whole = closed(candidate)
        if not whole or whole in self._tried:
            return False
        self._tried.add(whole)
        done = self._fails(whole)
        self.shortest = whole[:done] if done else self.shortest
        return done > 0
