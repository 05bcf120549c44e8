"""fail: the device gave a bad answer; error: bench or harness did; skip: this bench cannot ask. Never mixed up."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from enum import StrEnum

import pytest

from hil.errors import DutError, ExitCode, HilError

WORST_FIRST = (ExitCode.INTERNAL, ExitCode.USAGE, ExitCode.BENCH, ExitCode.DEVICE)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


def judge(error: BaseException) -> tuple[Verdict, ExitCode]:
    """The verdict that an exception in a test stands for, and the family that counts for the exit code.

    An exception that is neither ours nor an assertion is a mistake in a test or in hil, so it is no word on the device.
    """
    if isinstance(error, BaseExceptionGroup):
        judged = [judge(one) for one in error.exceptions]
        return min(judged, key=lambda one: WORST_FIRST.index(one[1]) if one[1] in WORST_FIRST else len(WORST_FIRST))
    if isinstance(error, pytest.skip.Exception):
        return Verdict.SKIPPED, ExitCode.OK
    if isinstance(error, KeyboardInterrupt | pytest.exit.Exception):
        return Verdict.INTERRUPTED, ExitCode.INTERRUPTED
    if isinstance(error, DutError | AssertionError | pytest.fail.Exception):
        return Verdict.FAILED, ExitCode.DEVICE
    if isinstance(error, HilError):
        return Verdict.ERROR, error.exit_code
    disk_full = isinstance(error, OSError) and error.errno in _DISK_FULL
    return Verdict.ERROR, ExitCode.USAGE if disk_full else ExitCode.INTERNAL


def worst(families: Iterable[ExitCode], otherwise: int) -> int:
    """The exit code of a run: the worst family seen, or what pytest itself would say."""
    seen = set(families)
    return next((int(code) for code in WORST_FIRST if code in seen), otherwise)
