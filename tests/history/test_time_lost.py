"""What benches cost: errors by cause, tests that never began, and times without any answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hil.history.model import Lost, Run
from hil.history.time_lost import time_lost

START = datetime(2026, 11, 1, tzinfo=UTC)


def run(day: int, passed: int, error: int, bench: str = "desk", skipped: int = 0, collected: int = 10) -> Run:
    return Run(
        id=day, name=f"run-{day}", bench=bench, started=START + timedelta(days=day), ended=None, exit_code=None,
        reason="the relay is stuck" if not passed else "", driver_sha256="", driver_version="", windows="", firmware="",
        verifier="", seed="", hil="", faults="", collected=collected, passed=passed, failed=0, error=error,
        skipped=skipped, interrupted=0, tests_s=100.0,
    )  # fmt: skip


def lost(bench: str, cause: str, duration_s: float, count: int = 1) -> Lost:
    return Lost(bench, "bench", cause, cause, count, duration_s, START)


def test_errors_by_cause() -> None:
    """The dearest bench and its dearest cause stand first: that is what to mend."""
    runs = [run(1, 8, 2), run(1, 9, 1, "rack")]
    found = time_lost(runs, [lost("desk", "relay", 5), lost("desk", "meter", 30, 2), lost("rack", "ssh", 60)])
    assert [(one.bench, one.errors_s, one.errors) for one in found] == [("rack", 60, 1), ("desk", 35, 3)]
    assert [cause.cause for cause in found[1].causes] == ["meter", "relay"]
    assert found[0].share == 0.6


def test_outages() -> None:
    """From the first run without any answer to the next with one; the last goes on until now."""
    runs = [run(1, 8, 2), run(2, 0, 10), run(3, 0, 0), run(5, 10, 0), run(8, 0, 1)]
    (found,) = time_lost(reversed(runs), [])
    mended, lasting = found.outages
    assert (mended.begin, mended.end, mended.runs) == (START + timedelta(days=2), START + timedelta(days=5), 2)
    assert mended.reason == "the relay is stuck"
    assert mended.hours(START) == 72
    assert lasting.end is None
    assert lasting.hours(START + timedelta(days=9)) == 24
    assert found.never_began == 10 + 9


def test_a_run_that_only_skipped_is_no_outage() -> None:
    """Where nothing was asked, the bench is not to blame."""
    (found,) = time_lost([run(1, 10, 0), run(2, 0, 0, skipped=10), run(3, 10, 0)], [])
    assert (found.outages, found.never_began, found.share) == ((), 0, 0)
