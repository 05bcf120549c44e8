"""Verdicts and exit codes: a red driver is never taken for a broken lab, nor the reverse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hil.errors import BenchError, Bugcheck, ExitCode, LinkLost, UsageError
from hil.run.verdict import Verdict, judge, worst

SUITE = """
def test_good(): pass
def test_assertion(): assert 1 == 2
def test_device(): raise LinkLost("link up", seen="down")
def test_bench(): raise BenchError("an answer", seen="silence")
def test_usage(): raise UsageError("a file", seen="none")
def test_mistake(): {}["x"]
@pytest.fixture
def refused(): raise DriverInstallFailed("installed", seen="refused")
def test_device_in_setup(refused): pass
@pytest.fixture
def late():
    yield
    raise BenchError("put back", seen="stuck")
def test_bench_in_teardown(late): pass
@pytest.mark.xfail(reason="field bug 12", strict=True)
def test_known(): assert False
@pytest.mark.xfail(reason="field bug 12", strict=True)
def test_known_no_more(): pass
def test_skip(): pytest.skip("not today")
"""


@pytest.mark.parametrize(
    ("error", "verdict", "family"),
    [
        (AssertionError("x"), Verdict.FAILED, ExitCode.DEVICE),
        (Bugcheck("x"), Verdict.FAILED, ExitCode.DEVICE),
        (pytest.fail.Exception("x"), Verdict.FAILED, ExitCode.DEVICE),
        (BenchError("x"), Verdict.ERROR, ExitCode.BENCH),
        (UsageError("x"), Verdict.ERROR, ExitCode.USAGE),
        (OSError(28, "No space left on device"), Verdict.ERROR, ExitCode.USAGE),
        (KeyError("x"), Verdict.ERROR, ExitCode.INTERNAL),
        (KeyboardInterrupt(), Verdict.INTERRUPTED, ExitCode.INTERRUPTED),
        (pytest.skip.Exception("x"), Verdict.SKIPPED, ExitCode.OK),
        (ExceptionGroup("x", [LinkLost("x"), BenchError("x")]), Verdict.ERROR, ExitCode.BENCH),
    ],
)
def test_judgement(error: BaseException, verdict: Verdict, family: ExitCode) -> None:
    """Each family of exception has one verdict: an exception nobody foresaw says nothing about the device."""
    assert judge(error) == (verdict, family)


def test_worst_family_decides() -> None:
    """A scheduler reads one number: the harness's own fault before the person's, the bench's, the device's."""
    order = [ExitCode.DEVICE, ExitCode.BENCH, ExitCode.USAGE, ExitCode.INTERNAL]
    assert [worst(order[: length + 1], 0) for length in range(4)] == [1, 6, 4, 3]
    assert worst([], ExitCode.NO_TESTS) == 5


def test_each_verdict_in_a_run(run: Callable[..., object]) -> None:
    """Pytest's phases and marks end in the same five verdicts, in results and in the summary."""
    outcome = run(SUITE)
    assert outcome.verdicts == {
        "test_good": "passed", "test_assertion": "failed", "test_device": "failed", "test_bench": "error",
        "test_usage": "error", "test_mistake": "error", "test_device_in_setup": "failed",
        "test_bench_in_teardown": "error", "test_known": "skipped", "test_known_no_more": "failed",
        "test_skip": "skipped",
    }  # fmt: skip
    assert outcome.exit_code == ExitCode.INTERNAL
    assert outcome.tests["test_known"]["skip"]["text"] == "known to fail: field bug 12"
    assert outcome.tests["test_bench"]["troubles"][0]["seen"] == "silence"


@pytest.mark.parametrize(
    ("wanted", "exit_code"),
    [
        ("good or skip", 0), ("assertion or good", 1), ("bench or device", 6), ("usage or bench", 4),
        ("nothing_of_the_kind", 5),
    ],
)  # fmt: skip
def test_exit_code(run: Callable[..., object], wanted: str, exit_code: int) -> None:
    """The exit code is that of the worst family, so that a scheduler can act on it without reading a report."""
    outcome = run(SUITE, "-k", wanted)
    assert outcome.exit_code == exit_code
    assert (f"exit code {exit_code}: " in outcome.text) == (exit_code != 0)


def test_a_test_that_hangs_is_an_error_of_the_bench(run: Callable[..., object]) -> None:
    """Nobody knows what a hanging test waited for, so it is not held against the device; its changes are undone."""
    outcome = run(
        """
from hil.wait import pause
def test_hangs(undo):
    undo(open("undone", "w").close)
    while True:
        try:
            pause(60, why="for ever")
        except BenchError:  # what waits for a machine to come back
            pause(60, why="it to come back")
def test_next(): pass
""",
        "--test-timeout", "0.3",
    )  # fmt: skip
    assert outcome.verdicts == {"test_hangs": "error", "test_next": "passed"}
    assert outcome.tests["test_hangs"]["troubles"][0]["error"] == "TestTimeout"
    assert (outcome.folder.parents[1] / "undone").exists()
    assert outcome.exit_code == ExitCode.BENCH


def test_a_skipped_test_whose_change_stays(run: Callable[..., object]) -> None:
    """A change that could not be undone is told although the test says of itself that it was skipped."""
    outcome = run(
        """
def test_x(undo):
    undo({}.__getitem__, "setting")
    pytest.skip("not here")
"""
    )
    assert outcome.verdicts == {"test_x": "error"}
    assert "every change of the test undone" in outcome.tests["test_x"]["troubles"][0]["message"]


def test_a_suite_that_cannot_be_read_is_for_the_person_to_mend(run: Callable[..., object]) -> None:
    """A typo in a suite is not a red driver."""
    assert run("def test_x(:").exit_code == ExitCode.USAGE


def test_a_defect_of_hil_is_not_the_devices(run: Callable[..., object]) -> None:
    """When hil itself breaks at the end of a run, the exit code says so: Python's own, 1, would mean a red driver."""
    outcome = run(
        """
from pathlib import Path
def test_spoils():
    with Path("reports/latest/results.jsonl").open("a") as file:
        file.write('{"kind": "test"}\\n')
"""
    )
    assert outcome.exit_code == ExitCode.INTERNAL
    assert "KeyError" in outcome.text
