"""What can be done to an adapter, when it can be done, what the bench is like afterwards, and how a test writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class State:
    """What the adapter must be like now. ``changed`` are the settings moved from where they were, by keyword."""

    enabled: bool = True
    plugged: bool = True
    connected: bool = True
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def working(self) -> bool:
        """Device and driver, with a link or without."""
        return self.enabled and self.plugged

    @property
    def up(self) -> bool:
        return self.working and self.connected


@dataclass(frozen=True)
class Step:
    """One operation of a sequence; a change of a setting names it, with its new value."""

    operation: str
    under_load: bool = False
    keyword: str = ""
    value: str = ""

    def __str__(self) -> str:
        what = f"set {self.keyword} to {self.value}" if self.keyword else self.operation
        return f"{what} under traffic" if self.under_load else what


@dataclass(frozen=True)
class Operation:
    """``lines`` are what a test says; ``fixtures`` what it asks for, beside the adapter; ``needs`` what the bench has.

    ``stops`` says that it ends the adapter's work, so that traffic may meet it.
    """

    name: str
    allowed: Callable[[State], bool]
    after: Callable[[State], State]
    lines: tuple[str, ...]
    fixtures: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    stops: bool = True


SET = "set"


def _always(_state: State) -> bool:
    return True


def _same(state: State) -> State:
    return state


OPERATIONS = (
    Operation(
        "disable", lambda now: now.working, lambda now: replace(now, enabled=False),
        ("adapter.disable()", "undo(adapter.enable)"), ("undo",),
    ),
    Operation(
        "enable", lambda now: now.plugged and not now.enabled, lambda now: replace(now, enabled=True),
        ("adapter.enable()",), stops=False,
    ),
    Operation("restart", lambda now: now.working, _same, ("adapter.restart()",)),
    Operation(
        "sleep", _always, _same, ("sleep()",), ("sleep",), frozenset({"meter", "button", "sleep"}),
    ),
    Operation(
        "pull the NIC", lambda now: now.plugged, lambda now: replace(now, plugged=False),
        ("slot.pull()", "undo(adapter.wait_present)", "undo(slot.plug)"), ("slot", "undo"), frozenset({"slot"}),
    ),
    Operation(
        "plug the NIC", lambda now: not now.plugged, lambda now: replace(now, plugged=True),
        ("slot.plug()",), ("slot",), frozenset({"slot"}), stops=False,
    ),
    Operation(
        "pull the cable", lambda now: now.connected, lambda now: replace(now, connected=False),
        ("cable.disconnect()", "undo(cable.connect)"), ("cable", "undo"), frozenset({"cable"}),
    ),
    Operation(
        "plug the cable", lambda now: not now.connected, lambda now: replace(now, connected=True),
        ("cable.connect()",), ("cable",), frozenset({"cable"}), stops=False,
    ),
    Operation(SET, lambda now: now.working, _same, ()),
)  # fmt: skip
_BACK = ("plug the NIC", "plug the cable", "enable")
"""What brings the adapter up again, in this order."""
BY_NAME = {one.name: one for one in OPERATIONS}


def allowed(step: Step, state: State) -> bool:
    """Whether the step makes sense now: nobody enables what is enabled, and there is no traffic without a link."""
    operation = BY_NAME[step.operation]
    fresh = not step.keyword or state.changed.get(step.keyword) != step.value
    return operation.allowed(state) and fresh and (state.up or not step.under_load)


def after(step: Step, state: State) -> State:
    changed = {**state.changed, step.keyword: step.value} if step.keyword else state.changed
    return replace(BY_NAME[step.operation].after(state), changed=changed)


def sensible(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Those of the steps that make sense, one after the other: what is left when some are taken out of a sequence."""
    state, kept = State(), list[Step]()
    for step in steps:
        if allowed(step, state):
            kept.append(step)
            state = after(step, state)
    return tuple(kept)


def opened(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Without the end that :func:`closed` gave it."""
    while steps and closed(steps[:-1]) == steps:
        steps = steps[:-1]
    return steps


def closed(steps: Iterable[Step]) -> tuple[Step, ...]:
    """With what brings the adapter up again at its end: a test whose undo meets the defect could not tell."""
    whole, state = tuple(steps), State()
    for step in whole:
        state = after(step, state)
    for step in map(Step, _BACK):
        if allowed(step, state):
            whole, state = (*whole, step), after(step, state)
    return whole
