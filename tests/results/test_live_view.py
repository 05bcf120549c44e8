"""What a run does now, from its records."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from a_run import a_test, bench, device
from hypothesis import given
from hypothesis import strategies as st

from hil.clock import utc_now
from hil.journal import Journal
from hil.results.heartbeat import beating, silent_s
from hil.results.live import Live
from hil.results.words import rough

TESTS = [f"suites/test_pnp.py::test_{number}" for number in range(6)]


def test_bench_test_and_innermost_wait() -> None:
    """The lines say what is waited for and for how long at most: nobody has to guess whether a run hangs."""
    journal, live = Journal(), Live("desk")
    journal.listen(live.record)
    live.plan(dict.fromkeys(TESTS, 10.0))
    later = utc_now() + timedelta(seconds=4)
    assert live.lines(later, 6) == ["desk  0/6  about 60 s left"]
    with journal.span("test", TESTS[0]), journal.span("step", "pull the slot"):
        with journal.span("wait", "the device to go", timeout_s=5):
            assert live.lines(later, 6) == [
                "desk  0/6  about 56 s left", f"  4 s of about 10 s  {TESTS[0]}",
                "  4 s of at most 5 s  waits for the device to go",
            ]  # fmt: skip
        assert live.lines(later, 6)[2] == "  4 s  step pull the slot"
    live.ended(a_test("test_0", "failed", device("died")))
    live.ended(a_test("test_1", "error", bench("no relay")))
    assert live.lines(later, 6) == ["desk  2/6, 1 failed, 1 error  about 40 s left"]


def test_a_test_that_takes_longer_than_ever_counts_as_nearly_over() -> None:
    """The remaining time does not fall below that of the other tests, however long one hangs."""
    journal, live = Journal(), Live("desk")
    journal.listen(live.record)
    live.plan(dict.fromkeys(TESTS, 10.0))
    with journal.span("test", TESTS[0]):
        assert live.remaining_s(utc_now() + timedelta(hours=1)) == 50.0


def test_no_guess_from_too_little() -> None:
    """On a new bench nothing is said of the rest of the night until five tests have ended."""
    live = Live("desk")
    live.plan(dict.fromkeys(TESTS))
    for number in range(5):
        assert live.remaining_s(utc_now()) is None
        live.ended(a_test(f"test_{number}", "passed"))
    assert live.remaining_s(utc_now()) == 1.5


@given(
    known=st.lists(st.none() | st.floats(0, 1e4), min_size=1, max_size=6), ended=st.integers(0, 6),
    elapsed_s=st.floats(0, 1e5),
)  # fmt: skip
def test_remaining_is_never_negative(known: list[float | None], ended: int, elapsed_s: float) -> None:
    """Whatever is known of the tests, and however long the running one takes."""
    journal, live = Journal(), Live("desk")
    journal.listen(live.record)
    live.plan(dict(zip(TESTS, known, strict=False)))
    for number in range(min(ended, len(known))):
        live.ended(a_test(f"test_{number}", "passed"))
    with journal.span("test", TESTS[5]):
        remaining_s = live.remaining_s(utc_now() + timedelta(seconds=elapsed_s))
        assert remaining_s is None or remaining_s >= -1e-6
        assert live.lines(utc_now(), len(known))


def test_samples_are_kept_for_the_sparkline() -> None:
    """What the sampler saw: each figure with its time, a gap where it could not be had, the newest state."""
    journal, live = Journal(), Live("desk")
    journal.listen(live.record)
    journal.event("sample", "wire", sent_mbps=940.0, received_mbps=0.5, link=True)
    journal.event("sample", "watts", watts=31.5)
    journal.event("sample", "wire", missing="the partner does not answer")
    journal.event("sample", "windows", adapter="Up")
    assert [value for _, value in live.samples["sent_mbps"]] == [940.0, None]
    assert [value for _, value in live.samples["watts"]] == [31.5]
    assert live.states == {"adapter": "Up", "link": True}


def test_a_heart_that_beats(tmp_path: Path) -> None:
    """A run that waits for minutes without a word is told from one that was killed."""
    journal = tmp_path / "journal.jsonl"
    journal.touch()
    with beating(journal):
        assert silent_s(journal) < 5
    os.utime(journal, (0, 0))
    assert silent_s(journal) > 1e6


def test_rough_times() -> None:
    """As somebody says them who waits."""
    assert [rough(value) for value in (-1, 0.4, 119, 185, 7810)] == ["0 s", "0 s", "119 s", "3 min 5 s", "2 h 10 min"]
