"""A run and somebody who watches it: two processes that only share a folder."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
from a_watch import Stream, hil_watch

from hil.clock import utc_now

WAITS = """
from hil.wait import wait_until
def test_good():
    pass
def test_waits(journal):
    "Looks for a while."
    wait_until(lambda: False, what="the device to go", timeout_s=50, journal=journal)
"""


def _waits(state: dict[str, Any]) -> bool:
    return any(run["doing"] and run["doing"]["kind"] == "wait" for run in state["now"])


def test_watched_from_before_the_run_until_it_is_killed(place: Any) -> None:
    """SIGKILL of the run shows as a bench that no longer answers, not as one that runs for ever."""
    with (
        hil_watch(place.folder / "reports") as (_, url),
        subprocess.Popen(place.command(WAITS), cwd=place.folder, env=place.environment, stdout=subprocess.PIPE) as run,
    ):
        stream = Stream(url)
        (seen,) = stream.until(_waits)["now"]
        run.kill()
        assert (seen["bench"], seen["answers"], seen["done"], seen["total"]) == ("desk", True, 1, 2)
        assert seen["test"]["what"] == "test_suite.py::test_waits"
        assert (seen["doing"]["what"], seen["doing"]["limit_s"]) == ("the device to go", 50)
        run.wait()
        journal = place.folder / "reports" / seen["run"] / "journal.jsonl"
        os.utime(journal, (0, utc_now().timestamp() - 30))  # half a minute later
        (seen,) = stream.until(lambda state: not state["now"][0]["answers"])["now"]
        assert seen["test"]["what"] == "test_suite.py::test_waits"
        stream.close()


def test_the_next_run_knows_how_long_tests_take(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remaining time comes from the history of the bench."""
    monkeypatch.delenv("HIL_HISTORY")
    first, second = place.run("def test_good(): pass\n"), place.run("def test_good(): pass\ndef test_more(): pass\n")
    plans = [next(line for line in run.lines if line["kind"] == "plan")["expected_s"] for run in (first, second)]
    assert plans[0] == {"test_suite.py::test_good": None}
    assert plans[1] == {
        "test_suite.py::test_good": first.tests["test_good"]["duration_s"], "test_suite.py::test_more": None
    }  # fmt: skip
