"""Steps are found where a figure moved, and not where it is noisy: simulated runs with fixed seeds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hil.clock import thread_s
from hil.history.steps import LEAST_RUNS, Group, change, groups, judged

NOISES: dict[str, Callable[[random.Random], float]] = {
    "gaussian": lambda seed: seed.gauss(940, 5),
    "one outlier in twenty": lambda seed: seed.gauss(940, 60 if seed.random() < 0.05 else 5),
    "one slump in ten": lambda seed: seed.gauss(940, 5) - (seed.uniform(50, 500) if seed.random() < 0.1 else 0),
    "heavy tails": lambda seed: seed.gauss(0, 1) / (seed.gauss(0, 1) or 1),
    "only upwards": lambda seed: seed.expovariate(1),
    "two states": lambda seed: seed.choice((900, 940)) + seed.gauss(0, 1),
    "few values": lambda seed: float(seed.randint(0, 2)),
    "mostly the same": lambda seed: float(seed.random() < 0.1),
}
SERIES = 250

figures = st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3)), min_size=1, max_size=60)


def steps(values: list[float]) -> list[int]:
    return [group.start for group in groups(values)[1:]]


def shifted(seed: random.Random, before: int, after: int, deviations: float) -> list[float]:
    return [seed.gauss(940, 5) for _ in range(before)] + [seed.gauss(940 - 5 * deviations, 5) for _ in range(after)]


@pytest.mark.parametrize("runs", [LEAST_RUNS, 20, 60, 100])
def test_noise_raises_no_alarm(runs: int) -> None:
    """At most 1 series in 100 has a step where nothing moved, whatever the noise: alarms without cause get ignored."""
    alarms = {name: 0 for name in NOISES}
    for name, noise in NOISES.items():
        seed = random.Random(f"{name} {runs}")
        alarms[name] = sum(bool(steps([noise(seed) for _ in range(runs)])) for _ in range(SERIES))
    assert sum(alarms.values()) <= SERIES * len(NOISES) / 100
    # of one kind so many by chance alone, if each alarms 1 time in 100
    assert max(alarms.values()) <= 9, alarms


@pytest.mark.parametrize("correlation", [0.2, 0.3, 0.5])
def test_runs_that_resemble_the_run_before(correlation: float) -> None:
    """Noise that wanders, as with the warmth of a room, raises at most 6 alarms in 100 series of 100 runs."""
    seed = random.Random(correlation)
    alarms = 0
    for _ in range(SERIES):
        values = [0.0]
        for _ in range(99):
            values.append(correlation * values[-1] + seed.gauss(0, 1))
        alarms += bool(steps(values))
    assert alarms <= 0.06 * SERIES


@pytest.mark.parametrize("before", [20, 60, 200])
def test_three_deviations_are_found_within_eight_runs(before: int) -> None:
    """9 of 10 such shifts are known after eight runs, at most a run beside the right one: a week will do."""
    seed = random.Random(before)
    found = [steps(shifted(seed, before, 8, 3)) for _ in range(100)]
    assert sum(any(abs(step - before) <= 1 for step in one) for one in found) >= 90
    assert sum(before in one for one in found) >= 70


@pytest.mark.parametrize(("before", "after"), [(9, 3), (9, 6), (20, 6), (60, 6)])
def test_a_large_shift_is_found_early_at_the_very_run(before: int, after: int) -> None:
    """Fifteen deviations are known after three to six runs, at the run where they began: its driver is guilty."""
    seed = random.Random(before)
    assert sum(steps(shifted(seed, before, after, 15)) == [before] for _ in range(100)) >= 97


def test_what_was_mended_is_two_steps() -> None:
    """A regression that ten runs had and later ones have not is seen at both its ends, not averaged away."""
    seed = random.Random(7)
    found = [steps(shifted(seed, 60, 10, 4) + [seed.gauss(940, 5) for _ in range(60)]) for _ in range(100)]
    assert sum(len(one) == 2 and abs(one[0] - 60) <= 1 and abs(one[1] - 70) <= 1 for one in found) >= 90


def test_stairs() -> None:
    """Each of several steps is found: one change does not hide the next."""
    seed = random.Random(8)
    found = [steps([seed.gauss(level, 1) for level in (0, 4, 8, 4) for _ in range(30)]) for _ in range(100)]
    assert sum([round(step, -1) for step in one] == [30, 60, 90] for one in found) >= 90


def test_a_shift_among_outliers() -> None:
    """Runs that went wrong altogether do not hide a real shift, nor move it."""
    seed = random.Random(9)
    found = []
    for _ in range(100):
        values = shifted(seed, 40, 12, 5)
        for place in seed.sample(range(52), 3):
            values[place] = seed.uniform(0, 2000)
        found.append(steps(values))
    assert sum(any(abs(step - 40) <= 1 for step in one) for one in found) >= 80


@given(figures)
def test_groups_are_all_runs_in_order(values: list[float]) -> None:
    """Every run is in just one group, and the mean is that of its runs: a chart has no gap, a table no wrong figure."""
    found = groups(values)
    assert [group.start for group in found] == [0, *(group.end for group in found[:-1])]
    assert found[-1].end == len(values)
    for group in found:
        assert group.mean == pytest.approx(fmean(values[group.start : group.end]))
        assert group.stdev >= 0


@given(figures, st.sampled_from([0.25, 8.0, 1024.0]), st.integers(-9, 9))
def test_the_unit_is_no_matter(values: list[float], factor: float, offset: int) -> None:
    """The same runs in Mbit/s and in bit/s have the same steps."""
    values = [float(round(value)) for value in values]
    assert steps([value * factor + offset * factor for value in values]) == steps(values)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), st.integers(1, 100))
@example(3002399751580331.0, 3)  # whose mean, computed, is another figure
def test_a_figure_that_never_moves(value: float, runs: int) -> None:
    """A constant is one group: no division by a noise of 0."""
    (only,) = groups([value] * runs)
    assert (only.start, only.end, only.stdev) == (0, runs, 0)


def test_a_constant_that_moves() -> None:
    """A figure without noise that moves for good is a step at once: three runs prove it."""
    assert steps([5.0] * 9 + [6.0] * 3) == [9]


def test_no_run_has_no_group() -> None:
    """An empty series is empty, not an error."""
    assert groups([]) == []


def test_too_few_runs_are_never_a_step() -> None:
    """Eleven runs say nothing, and nothing is said, however far they are apart."""
    assert steps([1.0] * 8 + [100.0] * 3) == []


def test_a_thousand_runs_are_quick() -> None:
    """Three years of nights take far less than a second of processor time: 7 ms where nothing else runs."""
    seed = random.Random(10)
    values = [seed.gauss(level, 1) for level in (0, 3, 1, 4, 2) for _ in range(200)]
    before_s = thread_s()
    found = steps(values)
    assert thread_s() - before_s < 0.5
    assert [round(step, -1) for step in found] == [200, 400, 600, 800]


def test_better_and_worse() -> None:
    """Less throughput is a regression, less latency a progression, and where nobody said it is neither."""
    less = Group(0, 10, 100.0, 1.0), Group(10, 20, 90.0, 1.0)
    more = less[::-1]
    assert [judged(*less, better) for better in (True, False, None)] == ["regression", "progression", "change"]
    assert [judged(*more, better) for better in (True, False, None)] == ["progression", "regression", "change"]
    assert change(*less) == pytest.approx(-0.1)
    assert change(Group(0, 1, 0.0, 0.0), less[0]) == math.inf
