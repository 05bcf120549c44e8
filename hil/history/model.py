"""What the history answers with; times are aware, durations seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Scope:
    """Which runs are meant; an empty one means all but those with deliberate defects of a virtual bench.

    ``bench`` is ``name`` or ``name@controller``, ``driver`` a version or the beginning of a SHA-256.
    """

    bench: str = ""
    driver: str = ""
    since: datetime | None = None
    until: datetime | None = None
    newest: int | None = None
    """Only so many runs of all that are meant, the newest ones."""
    faults: bool = False
    """Also runs with deliberate defects."""


ALL = Scope()


@dataclass(frozen=True)
class Bench:
    bench: str
    """``name@controller``; a name alone where the run did not tell its controller."""
    runs: int
    results: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Run:
    """One run. ``ended`` and ``exit_code`` are None when it was killed, or goes on."""

    id: int
    name: str
    bench: str
    started: datetime
    ended: datetime | None
    exit_code: int | None
    reason: str
    driver_sha256: str
    driver_version: str
    windows: str
    firmware: str
    verifier: str
    seed: str
    hil: str
    faults: str
    collected: int
    passed: int
    failed: int
    error: int
    skipped: int
    interrupted: int
    tests_s: float
    """Sum of the durations of its tests."""


@dataclass(frozen=True)
class Point:
    """One figure of a measurement."""

    run_id: int
    run: str
    started: datetime
    driver_sha256: str
    driver_version: str
    verdict: str
    value: float
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class Series:
    """One measurement of one test on one bench, oldest point first."""

    measurement: str
    unit: str
    bench: str
    test: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Quantity:
    """A measurement by its name, over all tests that take it."""

    name: str
    unit: str
    tests: int
    points: int


@dataclass(frozen=True)
class Outcome:
    """How one test ended in one run; ``cause`` is equal for the same cause, ``bucket`` for the same crash."""

    run_id: int
    run: str
    bench: str
    run_started: datetime
    driver_sha256: str
    driver_version: str
    number: int
    test: str
    verdict: str
    started: datetime
    duration_s: float
    family: str
    cause: str
    first_error: str
    bucket: str


@dataclass(frozen=True)
class Tally:
    """How often a test ended so, with one driver on one bench."""

    test: str
    bench: str
    driver_sha256: str
    driver_version: str
    verdict: str
    count: int
    duration_s: float
    """Of all of them together."""
    last: datetime
    """Start of the newest run of these."""


@dataclass(frozen=True)
class Lost:
    """Time of tests that ended for a reason that says nothing of the device (family bench, usage or internal)."""

    bench: str
    family: str
    cause: str
    first_error: str
    """Of one of them, as an example."""
    count: int
    duration_s: float
    last: datetime


@dataclass(frozen=True)
class Driver:
    """A driver by its image's hash, over all benches."""

    driver_sha256: str
    driver_version: str
    runs: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Figure:
    """What one measurement of one test was in one run."""

    test: str
    measurement: str
    unit: str
    bench: str
    run_id: int
    value: float
    at_least: float | None
    at_most: float | None
