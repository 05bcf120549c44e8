"""summary.md: the first screen for chat and pull requests."""

from __future__ import annotations

from pathlib import Path

from a_run import NIGHT, a_run, a_test, device
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.results.markdown import write_markdown
from hil.results.report import Report


def summary(folder: Path, **run: object) -> str:
    return write_markdown(Report(a_run(folder, **run))).read_text()  # type: ignore[arg-type]


def test_first_questions_first(tmp_path: Path) -> None:
    """Who reads it on a phone learns from three lines whether to get up."""
    text = summary(tmp_path / "night", tests=NIGHT)
    assert text.startswith("## desk: driver bad, bench bad\n\n- Is the driver good? **no**: 1 passed, 3 failed\n")
    assert "- Bugcheck: bugcheck 0xD1 \\<b\\>: 2 tests, such as `suites/test_pnp.py::test_crash[a]`" in text
    assert "### Not asked: the bench could not" in text
    assert "| tcp | 700 Mbit/s | at least 913.2 |  |" in text


def test_since_the_run_before(tmp_path: Path) -> None:
    """A pull request shows what it broke, not what was broken."""
    a_run(tmp_path / "monday", NIGHT, started="2026-11-21T13:00:00+00:00")
    now = [a_test("test_good", "failed", device("new")), *NIGHT[1:]]
    text = summary(tmp_path / "tuesday", tests=now)
    assert "- What is new? 1 newly bad, 4 still bad, since monday" in text
    assert "- Bugcheck: new (new): 1 test" in text


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1))
def test_no_message_becomes_markup(tmp_path: Path, text: str) -> None:
    """A message from a driver cannot make a heading, a link or a table row of its own."""
    plain = summary(tmp_path / "night", tests=[a_test("test_x", "failed", device("message"))])
    other = summary(tmp_path / "night", tests=[a_test("test_x", "failed", device(text))])
    assert len(other.splitlines()) == len(plain.splitlines())
