"""Two sides side by side: what differs stands first, and what few runs cannot tell is told as such."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from hil.history.compare import FigureChange, Side, compare, noise_of
from hil.history.model import Figure, Tally

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def tallies(**tests: str) -> list[Tally]:
    """A test by its name and a letter for each of its ends."""
    words = {"P": "passed", "F": "failed", "E": "error", "S": "skipped"}
    return [
        Tally(test, "desk", "AA", "1.0", words[letter], word.count(letter), 1.0, NOW)
        for test, word in tests.items()
        for letter in sorted(set(word))
    ]


def figures(values: list[float], name: str = "tcp", bench: str = "desk", at_least: float | None = 900) -> list[Figure]:
    return [Figure("a::test", name, "Mbit/s", bench, run, value, at_least, None) for run, value in enumerate(values)]


def only(first: list[float], second: list[float], **more: object) -> FigureChange:
    (found,) = compare(Side("1", [], figures(first)), Side("2", [], figures(second)), **more).figures  # type: ignore[arg-type]
    return found


def test_outcomes_by_what_matters() -> None:
    """New failures stand first, then what is worse, what is lost, and only then good news; equals are left out."""
    before = tallies(broke="PPP", same="PPF", mended="FFF", lost="PP", gone="P", worse="P" * 19 + "F", skipped="S")
    after = tallies(broke="FFF", same="PPF", mended="PPP", lost="EE", added="P", worse="F" * 15 + "P" * 5, skipped="S")
    found = compare(Side("1.0", before, []), Side("2.0", after, []))
    assert [(one.test, one.kind) for one in found.outcomes] == [
        ("broke", "newly failing"), ("worse", "fails more often"), ("lost", "no answer any more"), ("gone", "gone"),
        ("mended", "newly passing"), ("added", "new"),
    ]  # fmt: skip
    assert found.tests == 8


def test_few_runs_are_not_sure() -> None:
    """One pass then one failure may be chance and is told so; fifteen of twenty after one of twenty is sure."""
    found = compare(Side("a", tallies(x="P", y="P" * 20), []), Side("b", tallies(x="F", y="F" * 15 + "P" * 5), []))
    assert {one.test: one.sure for one in found.outcomes} == {"x": False, "y": True}


def test_a_slower_driver() -> None:
    """Ten runs of each driver, ten per cent apart: a regression with both medians, and the reverse is a progression."""
    seed = random.Random(1)
    fast, slow = ([seed.gauss(mean, 5) for _ in range(10)] for mean in (940, 846))
    found = only(fast, slow)
    assert (found.kind, found.by_noise, found.first_runs, found.second_runs) == ("regression", False, 10, 10)
    assert -0.12 < found.share < -0.08
    assert found.chance < 0.001
    assert only(slow, fast).kind == "progression"


def test_noise_is_no_difference() -> None:
    """The same driver twice does not differ; three runs of each cannot tell, however far apart."""
    seed = random.Random(2)
    assert only(*([seed.gauss(940, 5) for _ in range(10)] for _ in "ab")).kind == "no difference"
    assert only([940, 941, 942], [100, 101, 102]).kind == "too few runs"


def test_single_runs_are_compared_with_the_noise_there_was() -> None:
    """One run against one: beyond the noise of earlier nights it is told, within it is not, without it nobody knows."""
    seed = random.Random(3)
    noise = noise_of(figures([seed.gauss(940, 5) for _ in range(20)]))
    assert 3 < noise["a::test", "tcp", "Mbit/s", "desk"] < 8
    assert [only([940], [value], noise=noise).kind for value in (850, 930, 990)] == [
        "regression", "no difference", "progression",
    ]  # fmt: skip
    assert only([940], [850], noise=noise).by_noise
    assert only([940], [850]).kind == "too few runs"
    assert noise_of(figures([940.0] * 5)) == {}


def test_benches() -> None:
    """Figures of one bench stand beside those of the same bench, unless benches are what is compared."""
    desk, rack = figures([940.0] * 8), figures([700.0] * 8, bench="rack")
    assert compare(Side("desk", [], desk), Side("rack", [], rack)).figures == ()
    (found,) = compare(Side("desk", [], desk), Side("rack", [], rack), benches=True).figures
    assert (found.kind, found.bench) == ("regression", "")


def test_largest_regression_first() -> None:
    """A page of 200 figures starts with the one that lost most."""
    before = figures([100.0] * 6, "a") + figures([100.0] * 6, "b") + figures([100.0] * 6, "c")
    after = figures([90.0] * 6, "a") + figures([50.0] * 6, "b") + figures([150.0] * 6, "c")
    found = compare(Side("1", [], before), Side("2", [], after)).figures
    assert [one.measurement for one in found] == ["b", "a", "c"]


def test_from_zero() -> None:
    """A figure that was 0 has no share to tell; nothing is divided by it."""
    assert only([0.0] * 6, [1.0] * 6).share == float("inf")
    assert only([0.0] * 6, [0.0] * 6).share == 0
