"""Hooks of a run, for plug-ins beside hil's: ``pytest.main(arguments, plugins=[...])`` or a conftest file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.results.model import RunInfo, TestResult


def pytest_hil_result(result: TestResult) -> bool | None:
    """A test ended and its result is on disk; True ends the run after it, in order."""


def pytest_hil_finish(info: RunInfo) -> None:
    """All tests have ended; ``info.facts`` takes what the reports shall say of the run."""
