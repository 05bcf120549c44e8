"""Sequences, their shrinking and the tests written from them: all without a bench."""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.storm.operations import OPERATIONS, State, Step, after, allowed, closed, sensible
from hil.storm.sequences import Sequences
from hil.storm.shrink import OutOfTime, Shrinking, Steps
from hil.storm.written_test import write_test

ALL = {"S3", "sleep", "meter", "button", "slot", "cable", "partner"}
VALUES = {"*ReceiveBuffers": ["256", "80"], "*InterruptModeration": ["1", "0"]}
NAMES = [one.name for one in OPERATIONS if one.name != "set"]


def state_after(steps: Sequence[Step]) -> State:
    state = State()
    for step in steps:
        assert allowed(step, state), f"{step} makes no sense in {state}"
        state = after(step, state)
    return state


def holds_order(*wanted: str):
    """Fails after the step with which these operations, in this order, are complete."""

    def fails(steps: Steps) -> int:
        left = list(wanted)
        for number, step in enumerate(steps, 1):
            if left and step.operation == left[0]:
                left.pop(0)
            if not left:
                return number
        return 0

    return fails


@given(st.integers(0, 1 << 32), st.integers(1, 30), st.sets(st.sampled_from(sorted(ALL))))
@settings(max_examples=40)
def test_sequences_make_sense(seed: int, length: int, capabilities: set[str]) -> None:
    """Whatever the seed and the bench: each step can be done, none asks for an instrument that is not there, and the
    adapter is up at the end."""
    steps = Sequences(seed, capabilities, VALUES).next(length)
    assert state_after(steps).up
    assert len(steps) >= length
    needs = {need for step in steps for one in OPERATIONS if one.name == step.operation for need in one.needs}
    assert needs <= capabilities


def test_a_seed_says_it_all() -> None:
    """The same seed gives the same sequences, another one others: a storm that found something can be had again."""

    def some(seed: int) -> list[Steps]:
        sequences = Sequences(seed, ALL, VALUES)
        return [sequences.next(8) for _ in range(5)]

    assert some(3) == some(3) != some(4)


@pytest.mark.parametrize(
    "order", [("disable", "sleep", "enable"), ("set", "restart", "pull the NIC"), ("pull the cable", "sleep", "set")]
)
def test_each_order_of_three_comes_soon(order: tuple[str, ...]) -> None:
    """Three operations in a row are met within 700 steps, whatever the seed: hundreds of such orders are possible."""
    for seed in range(10):
        sequences, done = Sequences(seed, ALL, VALUES), 0
        while not any(
            tuple(step.operation for step in steps[place : place + 3]) == order
            for steps in [sequences.next(10)]
            for place in range(len(steps))
        ):
            done += 10
            assert done < 700, (seed, order)


@given(st.lists(st.sampled_from(NAMES), max_size=25), st.integers(0, 1 << 16))
@settings(max_examples=60)
def test_shrinking_keeps_what_fails(names: list[str], seed: int) -> None:
    """Of a long sequence with three fatal operations in it, what is left still fails, and no step can be left out.

    A report of ten steps says nothing; of three, with each of them needed, it names the bug.
    """
    chance = random.Random(seed)
    planted = [Step("disable"), Step("sleep"), Step("enable")]
    loose = [Step(name, under_load=chance.random() < 0.3) for name in names]
    cut = chance.randrange(len(loose) + 1)
    steps = closed(sensible(loose[:cut]))
    steps = sensible([*steps, *planted, *loose[cut:]])
    fails = holds_order("disable", "sleep", "enable")
    tried: list[Steps] = []

    def attempt(candidate: Steps) -> int:
        assert state_after(candidate).up, "an attempt leaves the adapter up"
        tried.append(candidate)
        return fails(candidate)

    shrinking = Shrinking(steps[: fails(steps)], attempt)
    shortest = shrinking.run()
    assert fails(shortest) == len(shortest)
    assert shrinking.finished
    # the way back that an attempt ends with is put there again
    without_one = {closed(sensible(shortest[:place] + shortest[place + 1 :])) for place in range(len(shortest))}
    assert not any(map(fails, without_one - {shortest}))
    assert len(tried) == len(set(tried)) <= 4 * len(steps)
    assert not any(step.under_load for step in shrinking.shortest)


def test_shrinking_ends_with_its_time() -> None:
    """When the time is over the shortest so far is what there is, and it is said that it may not be the shortest."""
    steps = Sequences(1, ALL, VALUES).next(12)
    left = iter(range(2))

    def attempt(_: Steps) -> int:
        if next(left, None) is None:
            raise OutOfTime
        return 0

    shrinking = Shrinking(steps, attempt)
    assert shrinking.run() == steps
    assert not shrinking.finished


@given(st.integers(0, 1 << 32), st.booleans())
@settings(max_examples=10)
def test_a_written_test_is_whole(seed: int, check_each: bool) -> None:
    """The file is Python with one test, asks for every fixture that it names, defines those that are not hil's, and
    each of its lines is known to be of one step."""
    steps = Sequences(seed, ALL, VALUES).next(6)
    written = write_test(steps, "test_storm_1", 'A story of """quotes""" and C:\\Users.', ALL, check_each=check_each)
    tree = ast.parse(written.text)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    test = functions.pop("test_storm_1")
    asked = {argument.arg for argument in test.args.args}
    assert set(functions) <= asked
    used = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    assert asked - used == set()
    assert used <= asked | {"pytest"}
    assert set(written.step_of.values()) == {-1, *range(len(steps))}
    assert max(len(line) for line in written.text.splitlines()) <= 120


def test_lines_belong_to_their_step() -> None:
    """The step that a failure is told of is the one whose line it was."""
    steps = (Step("disable"), Step("enable"))
    written = write_test(steps, "test_storm_1", "", ALL)
    lines = {step: [] for step in (-1, 0, 1)}
    for line, step in written.step_of.items():
        lines[step].append(written.text.splitlines()[line - 1].strip())
    assert lines[-1] == ["works(settings)"]
    assert lines[0][:2] == ["adapter.disable()", "undo(adapter.enable)"]
    assert lines[1] == ["adapter.enable()", "works(settings)"]
