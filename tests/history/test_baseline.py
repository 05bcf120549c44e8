"""A figure is compared with what is usual on its own bench: a loss is found, and noise is not called one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from a_run import a_run, a_test
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.history import baseline, queries
from hil.history.baseline import LEAST, MOST, Baseline
from hil.history.importing import import_run
from hil.history.store import History
from hil.results.model import Measurement

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
TEST = "suites/test_pnp.py::test_tcp"
FIGURES = st.lists(st.floats(1, 1e5), min_size=LEAST, max_size=MOST).map(tuple)


def earlier(history: History, bench: str = "desk@lab", **options: bool) -> tuple[float, ...]:
    with history.reading() as connection:
        found = baseline.earlier(connection, bench, TEST, "tcp", "Mbit/s", **options)
    return found.values if found else ()


def put(history: History, folder: Path, values: list[float], *, verdict: str = "passed", day: int = 0, **more) -> None:
    """A run a day with one figure each."""
    facts, verifier = more.pop("facts", {}), more.pop("verifier", "")
    for number, value in enumerate(values):
        test = a_test("test_tcp", verdict, measurements=(Measurement("tcp", value, "Mbit/s"),), verifier=verifier)
        started = (BEGIN + timedelta(days=day + number)).isoformat()
        place = folder / f"{day + number}-{verdict}"
        import_run(history, a_run(place, [test], started=started, controller="lab", facts=facts, **more))


def test_what_counts_for_a_baseline(history, tmp_path):
    """Passes on this bench, as many as make a baseline; not failures, nor faults, nor runs with Driver Verifier."""
    put(history, tmp_path, [941.0 + number for number in range(LEAST - 1)])
    put(history, tmp_path, [700.0, 710.0], verdict="failed")
    put(history, tmp_path / "faults", [500.0], facts={"faults": "x:Y"})
    put(history, tmp_path / "verified", [600.0], verifier="standard on hilnic.sys")
    assert earlier(history) == ()
    put(history, tmp_path, [950.0], day=20)
    assert earlier(history) == (950.0, *(941.0 + number for number in reversed(range(LEAST - 1))))
    assert earlier(history, "desk@elsewhere") == earlier(history, verified=True) == ()


def test_a_run_that_repeats_is_one_run(history, tmp_path):
    """What one night repeated is no season: within it figures scatter less than from night to night."""
    put(history, tmp_path, [900.0 + 10 * number for number in range(LEAST - 1)])
    tests = [
        a_test(f"test_tcp#{number}", "passed", measurements=(Measurement("tcp", 940.0 + number, "Mbit/s"),))
        for number in range(1, MOST + 2)
    ]
    started = (BEGIN + timedelta(days=20)).isoformat()
    import_run(history, a_run(tmp_path / "repeated", tests, started=started, controller="lab"))
    assert earlier(history) == (961.0, *(900.0 + 10 * number for number in reversed(range(LEAST - 1))))


def test_a_new_baseline_is_accepted(history, tmp_path):
    """After a change that is meant, older runs are out; with who said so and why, and only for what is known."""
    put(history, tmp_path, [941.0] * LEAST)
    with history.writing() as connection:
        since = queries.the_run(connection, "3-passed").started
        baseline.accept(connection, "desk", TEST, "tcp", since=since, who="ada", why="new cable")
    assert earlier(history) == ()
    put(history, tmp_path, [870.0] * 3, day=LEAST)
    assert earlier(history) == (870.0,) * 3 + (941.0,) * 5
    with history.writing() as connection, pytest.raises(UsageError, match="no 'udp' of"):
        baseline.accept(connection, "desk", TEST, "udp", since=since, who="ada", why="")


def test_old_seasons_are_forgotten(history, tmp_path):
    """Only the newest runs count, so that a bench that was rebuilt has its own usual again after some weeks."""
    put(history, tmp_path, [900.0] * 3)
    put(history, tmp_path, [941.0] * MOST, day=3)
    assert earlier(history) == (941.0,) * MOST


def test_the_sum():
    """941 with a noise of 1: the margin counts. 600 with a noise of 10: the noise counts, with k for eight runs."""
    steady = Baseline((940.0, 942.0, 941.0, 941.0, 941.0, 942.0, 940.0, 941.0))
    assert steady.least() == pytest.approx(0.95 * 941)
    noisy = Baseline((590.0, 610.0, 600.0, 620.0, 580.0, 590.0, 610.0, 600.0))
    assert noisy.noise == pytest.approx(14.826) and noisy.k == 18.0
    assert noisy.least() == pytest.approx(600 - 18 * 14.826)
    assert "median 600 of the newest 8 passes here, less the greater of 5% of it (30) and 18 times" in noisy.explained()


@pytest.mark.parametrize("runs", [8, 40])
def test_one_good_figure_in_ten_thousand_is_called_too_low(runs):
    """More alarms would teach people to ignore them; far fewer would hide a loss. Without the margin: noise alone."""
    chance = random.Random(runs)
    trials = 10_000
    alarms = 0
    for _ in range(trials):
        usual = Baseline(tuple(chance.gauss(100, 1) for _ in range(runs)))
        alarms += chance.gauss(100, 1) < usual.least(margin=0)
    # of a true rate of 1 in 10,000, nine and more in 10,000 are seen once in a million times
    assert alarms <= 8


@given(FIGURES)
def test_no_figure_that_is_usual_is_too_low(values):
    """Whatever the history: the median itself passes, the demand is never above it, and it is a number."""
    usual = Baseline(values)
    assert usual.least() <= usual.median
    assert usual.least() == usual.least()
    assert usual.explained()
