"""The three families of error, and what each does to the exit code of a run.

A message answers, in this order: what was wanted, what was seen, where, what was tried, what to do next.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of ``hil`` and of a pytest run with the plug-in (0, 1, 2, 3, 5 as pytest has them)."""

    OK = 0
    DEVICE = 1
    """At least one test failed: the device gave a bad answer."""
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    """The person can mend it: testbed file, arguments, package, missing program."""
    NO_TESTS = 5
    BENCH = 6
    """The bench is unfit; says nothing about the device."""


class HilError(Exception):
    """Base of the families; raise one of them, never this.

    ``wanted`` and ``seen`` are sentences without a full stop, ``where`` names a device, file or address.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(
        self, wanted: str, *, seen: str = "", where: str = "", tried: str = "", next_step: str = ""
    ) -> None:
        self.wanted, self.seen, self.where, self.tried, self.next_step = wanted, seen, where, tried, next_step
        parts = [wanted]
        parts += [f"{label}: {text}" for label, text in (("seen", seen), ("where", where), ("tried", tried)) if text]
        parts += [f"do: {next_step}"] if next_step else []
        super().__init__("; ".join(parts))


class UsageError(HilError):
    """The person asked for something that cannot be done as asked, and can fix it."""

    exit_code = ExitCode.USAGE


class BenchError(HilError):
    """The bench is unfit: a machine, an instrument or the link partner did not do its part."""

    exit_code = ExitCode.BENCH


class DutError(HilError):
    """The device under test, its driver or its package misbehaved."""

    exit_code = ExitCode.DEVICE


class Bugcheck(DutError):
    """Windows stopped with a bugcheck while the driver was at work."""


class LinkLost(DutError):
    """The adapter has no link, or lost it, where it must have one."""


class DeviceMissing(DutError):
    """The adapter is not enumerated, or did not come back in time."""


class DriverInstallFailed(DutError):
    """Windows refused the package, or bound something else than what it holds."""


class WakeFailed(DutError):
    """The machine did not wake when it should have, or woke when it should not have."""
