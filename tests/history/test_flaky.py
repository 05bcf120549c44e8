"""Flaky tests are told from broken ones, and benches from devices."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hil.history.confidence import interval
from hil.history.flaky import Flaky, flaky
from hil.history.model import Outcome

START = datetime(2026, 11, 1, tzinfo=UTC)
WORDS = {"P": "passed", "F": "failed", "E": "error", "S": "skipped", "I": "interrupted"}


def outcomes(word: str, test: str = "a::test", bench: str = "desk", driver: str = "AA") -> list[Outcome]:
    """One run for each letter."""
    return [
        Outcome(
            run_id=number, run=f"run-{number}", bench=bench, run_started=START + timedelta(days=number),
            driver_sha256=driver, driver_version="1.0", number=1, test=test, verdict=WORDS[letter], started=START,
            duration_s=1.0, family="", cause=f"cause {letter}", first_error=f"error {letter}", bucket="",
        )
        for number, letter in enumerate(word)
    ]  # fmt: skip


def one(word: str) -> Flaky:
    (found,) = flaky(outcomes(word))
    return found


def test_passes_and_failures_in_turn() -> None:
    """Same driver, same bench, now so and now so: flaky, with the interval that so few runs leave."""
    found = one("PPFPPPFPPP")
    assert (found.side, found.failures, found.runs) == ("device", 2, 10)
    assert (found.low, found.high) == interval(2, 10)
    assert found.last_failure == START + timedelta(days=6)
    assert found.causes == ("error F",)


def test_what_broke_and_stays_broken_is_not_flaky() -> None:
    """One change of answer is news, or a mended test, but no flakiness: nobody shall shrug it off."""
    for word in ("PPPPPPPPPPPPFFF", "PPFF", "FFFFPPPP", "PPPP", "FFFF", "PF", "", "P" * 30 + "F" * 12):
        assert flaky(outcomes(word)) == []


def test_only_runs_since_the_step_count() -> None:
    """Of a test that broke and now passes now and then, the rate is that of today."""
    found = one("P" * 40 + "FFFPFFFFFFPFFFF")
    assert (found.failures, found.runs) == (13, 15)
    assert found.since == START + timedelta(days=40)


def test_another_driver_is_another_matter() -> None:
    """Failing with one driver and passing with the other is no flakiness, and so with benches."""
    same = outcomes("PPPP", driver="AA") + outcomes("FFFF", driver="BB") + outcomes("FFFF", bench="rack")
    assert flaky(same) == []


def test_errors_are_the_benchs() -> None:
    """A bench that now and then cannot ask is told as such, and the device's rate counts answers only."""
    found = {each.side: each for each in flaky(outcomes("PEPPEPFPPEPPFP"))}
    assert (found["device"].failures, found["device"].runs) == (2, 11)
    assert (found["bench"].failures, found["bench"].runs) == (3, 14)
    assert found["bench"].causes == ("error E",)


def test_skips_and_interrupts_are_no_answers() -> None:
    """What was not asked is neither a pass nor a failure."""
    assert (one("PSFSPI").failures, one("PSFSPI").runs) == (1, 3)


def test_surest_first() -> None:
    """Once in three runs stands behind ten in thirty: the rate is the same, but it is known better."""
    few = outcomes("PFP", test="a::few")
    many = outcomes("PFP" * 10, test="a::many")
    assert [each.test for each in flaky(few + many)] == ["a::many", "a::few"]


def test_the_order_of_outcomes_is_no_matter() -> None:
    """Rows may come from a database in any order."""
    rows = outcomes("PPFPPPFPPP")
    shuffled = random.Random(1).sample(rows, len(rows))
    assert flaky(shuffled) == flaky(rows)


def test_the_interval_holds_the_true_rate() -> None:
    """Of simulated tests that fail one time in five, at least 95 of 100 intervals hold that rate."""
    seed = random.Random(2)
    words = ["".join("F" if seed.random() < 0.2 else "P" for _ in range(30)) for _ in range(200)]
    found = [each for word in words for each in flaky(outcomes(word))]
    assert len(found) >= 190
    assert sum(each.low <= 0.2 <= each.high for each in found) >= 0.95 * len(found)
