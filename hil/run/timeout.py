"""A test that does not end is stopped, and counts against the bench or the harness: nobody knows what it waited for."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytest

from hil.errors import BenchError, HilError

_AGAIN_S = 30.0
"""For a test that takes the first one for something else and goes on."""


class TestTimeout(HilError):
    """The test's own time was over. Like a BenchError, but what waits for a bench that comes back does not take it."""

    __test__ = False
    exit_code = BenchError.exit_code


class TestTimer:
    """Gives each test a limit (pytest-timeout's marker), and raises TestTimeout in it when that is over.

    Fixtures are not timed: each thing they do has its own deadline, and the first test would pay for the provisioning.
    """

    __test__ = False

    def __init__(self, config: pytest.Config) -> None:
        self._limit_s: float = config.getoption("--test-timeout")
        self._named = config.getoption("timeout", None) is not None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if not self._named and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(self._limit_s, func_only=True))

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool:
        def over(_number: int, _frame: FrameType | None) -> None:
            raise TestTimeout(
                f"an end of the test within {settings.timeout:g} s",
                seen="it was still running",
                where=item.nodeid,
                next_step="the journal tells what it waited for",
            )

        signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, _AGAIN_S)
        return True

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_cancel_timer(self) -> bool:
        self.stop()
        return True

    @staticmethod
    def stop() -> None:
        """The test is over, or being wound up."""
        signal.setitimer(signal.ITIMER_REAL, 0)
