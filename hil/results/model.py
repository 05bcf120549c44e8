"""What a run leaves behind of each test; one JSON object a line in results.jsonl."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

FAULTS_FACT = "faults"
"""Of a run: the deliberate defects of its virtual bench. What such a run says is no word on the package."""


@dataclass(frozen=True)
class Measurement:
    """One figure; the limits are the test's own, kept to be shown beside it."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def within(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass(frozen=True)
class Trouble:
    """Why a test did not pass, in one of its phases (setup, call, teardown).

    ``family`` is device, bench, usage or internal; the five sentences are those of :class:`hil.errors.HilError`.
    """

    phase: str
    verdict: str
    family: str
    error: str
    message: str
    wanted: str = ""
    seen: str = ""
    where: str = ""
    tried: str = ""
    next_step: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Skip:
    """Why a test was not asked: ``missing`` names the capabilities, empty for any other cause.

    ``side`` says on whose side the cause lies: ``bench`` (another bench could), ``device`` (it has no such feature) or
    ``person`` (marked so in the suite).
    """

    text: str
    missing: tuple[str, ...] = ()
    side: str = "bench"


@dataclass(frozen=True)
class Crash:
    """What happened to the whole machine in a test. ``bucket`` is the same for the same bug; files are relative paths.

    ``seen_before`` counts how often earlier runs saw it, the first of them being ``first_run``; a crash that the test
    provoked is ``expected``, and not counted.
    """

    kind: str
    bucket: str
    name: str
    meaning: str
    parameters: tuple[str, ...] = ()
    dumps: tuple[str, ...] = ()
    analysis: str = ""
    guilty: str = ""
    expected: bool = False
    seen_before: int = 0
    first_run: str = ""


@dataclass(frozen=True)
class TestResult:
    """One test. ``test`` is pytest's node id; times are seconds and UTC in ISO 8601; artifacts are relative paths."""

    __test__ = False

    test: str
    claim: str
    verdict: str
    started: str
    duration_s: float
    troubles: tuple[Trouble, ...] = ()
    skip: Skip | None = None
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[str, ...] = ()
    output: str = ""
    crashes: tuple[Crash, ...] = ()
    verifier: str = ""
    """What Driver Verifier was proven to check from before the test to after it; empty for nothing."""

    @property
    def family(self) -> str:
        """Of the trouble that decided the verdict: device, bench, usage or internal; empty without one."""
        return next((trouble.family for trouble in self.troubles if trouble.verdict == self.verdict), "")

    def as_line(self) -> dict[str, Any]:
        return {"kind": "test", **asdict(self)}

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> TestResult:
        """The reverse of :meth:`as_line`. Raises TypeError or KeyError for another kind of line."""
        rest = {key: value for key, value in line.items() if key != "kind"}
        return cls(
            **{
                **rest,
                "troubles": tuple(Trouble(**one) for one in rest["troubles"]),
                "skip": Skip(**{**rest["skip"], "missing": tuple(rest["skip"]["missing"])}) if rest["skip"] else None,
                "measurements": tuple(Measurement(**one) for one in rest["measurements"]),
                "artifacts": tuple(rest["artifacts"]),
                "crashes": tuple(_crash(one) for one in rest.get("crashes", ())),
            }
        )


def _crash(line: dict[str, Any]) -> Crash:
    return Crash(**{**line, "parameters": tuple(line["parameters"]), "dumps": tuple(line["dumps"])})


@dataclass
class RunInfo:
    """What was tested, with what; grows while the bench starts."""

    run: str
    started: str
    hil: str
    testbed: str
    controller: str = ""
    """The computer that ran it."""
    description: str = ""
    arguments: list[str] = field(default_factory=list)
    collected: int = 0
    """Tests that were to run; more than there are results when the run ended early."""
    deselected: int = 0
    """Tests that the arguments left out."""
    seed: int | None = None
    """Of all that the run, and a virtual bench, chose by chance."""
    facts: dict[str, str] = field(default_factory=dict)
    """Package version and hash, Windows build and the like, as shown in the report."""
