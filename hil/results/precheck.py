"""What the local tests say of each HLK test: for one package, by OS build and bench, with errata taken into account."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from hil.errors import UsageError
from hil.results.errata import Erratum
from hil.results.hlk import Catalogue, HlkTest, Requirement, why_not_covered
from hil.results.model import FAULTS_FACT, RunInfo, TestResult
from hil.results.node_ids import base_id
from hil.results.store import Results

PACKAGE_FACT = "package SHA-256"
_BUILD = re.compile(r"build (\d+)")


class Status(StrEnum):
    """Worst first, as a requirement takes the worst of its tests."""

    FAILED = "failed"
    UNKNOWN = "no verdict"
    EXCUSED = "erratum"
    PASSED = "passed"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class LocalResult:
    """The last word of one local test on one OS build and bench."""

    test: str
    verdict: str
    started: str
    run: str
    bench: str
    os_build: int | None
    device: str
    message: str
    erratum: Erratum | None = None
    """The one that excuses this failure of the HLK test at hand."""
    expired: Erratum | None = None
    """One that did, until its last day."""


@dataclass(frozen=True)
class Prediction:
    """One HLK test: which local tests predict it, and what they say."""

    test: HlkTest
    status: Status
    reason: str
    """Why it is not covered, or has no verdict; empty otherwise."""
    local: tuple[str, ...]
    results: tuple[LocalResult, ...]


@dataclass(frozen=True)
class RequirementState:
    requirement: Requirement
    status: Status
    covered: int
    """Of its tests."""


@dataclass(frozen=True)
class Precheck:
    """Everything that the page shows."""

    package: str
    """SHA-256 of what was tested."""
    title: str
    """Provider, INF, version and date, as the runs say."""
    day: date
    places: tuple[str, ...]
    """OS builds and benches that tested this package."""
    predictions: tuple[Prediction, ...]
    requirements: tuple[RequirementState, ...]

    def having(self, status: Status) -> tuple[Prediction, ...]:
        return tuple(one for one in self.predictions if one.status is status)

    def good(self, *, strict: bool = False) -> bool:
        """Nothing counts as failed, and something passed; ``strict`` also wants a verdict on all that is covered."""
        unknown = bool(self.having(Status.UNKNOWN)) and strict
        return bool(self.having(Status.PASSED)) and not self.having(Status.FAILED) and not unknown


@dataclass(frozen=True)
class History:
    """The runs of one package, oldest first."""

    package: str
    runs: tuple[tuple[RunInfo, tuple[TestResult, ...]], ...]


def read_history(reports: Path, package: str = "") -> History:
    """The runs below ``reports`` that tested this package; without one, the package that was tested last.

    Runs on a bench with deliberate defects are left out. Raises UsageError when there are none.
    """
    files = sorted(reports.glob("*/results.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    package = package or next(filter(None, map(_tested, files)), "")
    runs = []
    for path in files:
        # most runs are of other packages, and a search in bytes is cheap
        results = Results(path) if package and package.encode() in path.read_bytes() else None
        if results and results.info and _package(results.info) == package:
            runs.append((results.info, tuple(results.tests)))
    if not runs:
        raise UsageError(
            f"results of package {package}" if package else "results of any package",
            seen="none", where=str(reports), next_step="hil run, and then hil precheck",
        )  # fmt: skip
    return History(package, tuple(sorted(runs, key=lambda run: run[0].started)))


def _tested(path: Path) -> str:
    info = Results(path).info if PACKAGE_FACT.encode() in path.read_bytes() else None
    return _package(info) if info else ""


def _package(info: RunInfo) -> str:
    return "" if FAULTS_FACT in info.facts else info.facts.get(PACKAGE_FACT, "")


def evaluate(
    history: History, predictions: Mapping[str, Collection[str]], known: Catalogue, errata: Sequence[Erratum], day: date
) -> Precheck:
    """``predictions``: local test to the HLK tests that it names; ``day`` decides which errata still count."""
    local: dict[str, list[str]] = defaultdict(list)
    for test, names in predictions.items():
        for name in names:
            local[name].append(test)
    last = _last_results(history)
    found = {
        name: _prediction(test, local.get(name, ()), last, errata, day) for name, test in known.tests.items()
    }  # fmt: skip
    newest = history.runs[-1][0]
    return Precheck(
        package=history.package,
        title=newest.facts.get("package", ""),
        day=day,
        places=tuple(dict.fromkeys(_place(info) for info, _ in history.runs)),
        predictions=tuple(found.values()),
        requirements=tuple(_requirement(one, found) for one in known.requirements),
    )


def _place(info: RunInfo) -> str:
    return f"build {_build(info) or 'unknown'} on {info.testbed}"


def _build(info: RunInfo) -> int | None:
    found = _BUILD.search(info.facts.get("Windows", ""))
    return int(found[1]) if found else None


def _device(info: RunInfo) -> str:
    """Instance id out of ``description, instance id, rate``."""
    parts = info.facts.get("adapter", "").split(", ")
    return parts[-2] if len(parts) > 2 else ""


def _last_results(history: History) -> dict[str, tuple[LocalResult, ...]]:
    """Local test to its last result at each place; one without a verdict does not hide an earlier verdict.

    A test that was repeated within a run, and failed once, failed.
    """
    last: dict[str, dict[str, LocalResult]] = defaultdict(dict)
    for info, tests in history.runs:
        for test in tests:
            name = base_id(test.test)
            before = last[name].get(_place(info))
            if before and (before.run, before.verdict) == (info.run, "failed"):
                continue
            if before is None or _is_verdict(test.verdict) or not _is_verdict(before.verdict):
                last[name][_place(info)] = _result(info, test)
    return {test: tuple(places.values()) for test, places in last.items()}


def _is_verdict(word: str) -> bool:
    return word in ("passed", "failed")


def _result(info: RunInfo, test: TestResult) -> LocalResult:
    why = test.troubles[0].message if test.troubles else test.skip.text if test.skip else ""
    return LocalResult(
        test=test.test, verdict=test.verdict, started=test.started, run=info.run, bench=info.testbed,
        os_build=_build(info), device=_device(info), message=why.partition("\n")[0],
    )  # fmt: skip


def _prediction(
    test: HlkTest, local: Sequence[str], last: Mapping[str, tuple[LocalResult, ...]], errata: Sequence[Erratum],
    day: date,
) -> Prediction:  # fmt: skip
    if not local:
        return Prediction(test, Status.NOT_COVERED, why_not_covered(test), (), ())
    results = tuple(_excused(test.name, one, errata, day) for name in local for one in last.get(name, ()))
    failed = [one for one in results if one.verdict == "failed"]
    missing = _without_verdict(local, results)
    if any(one.erratum is None for one in failed):
        return Prediction(test, Status.FAILED, "", tuple(local), results)
    if missing:
        return Prediction(test, Status.UNKNOWN, "; ".join(missing), tuple(local), results)
    return Prediction(test, Status.EXCUSED if failed else Status.PASSED, "", tuple(local), results)


def _excused(hlk: str, result: LocalResult, errata: Iterable[Erratum], day: date) -> LocalResult:
    if result.verdict != "failed":
        return result
    about = [one for one in errata if one.covers(hlk, result.test, result.os_build, result.device)]
    valid = next((one for one in about if day <= one.until), None)
    expired = None if valid else next(iter(about), None)
    return LocalResult(**{**vars(result), "erratum": valid, "expired": expired})


def _without_verdict(local: Sequence[str], results: Sequence[LocalResult]) -> list[str]:
    """Why there is no verdict yet: one sentence for each cause, with the local tests that have it.

    A test that every bench had to skip does not count where another one of them has a verdict.
    """
    seen = {test: [one for one in results if one.test == test] for test in local}
    decided = any(_is_verdict(one.verdict) for one in results)
    causes: dict[str, list[str]] = defaultdict(list)
    for test, of_test in seen.items():
        skipped = decided and of_test and all(one.verdict == "skipped" for one in of_test)
        if skipped or any(_is_verdict(one.verdict) for one in of_test):
            continue
        last = of_test[-1] if of_test else None
        cause = f"{last.verdict}, {last.message}" if last else "not run on this package"
        causes[cause].append(test.partition("::")[2])
    return [f"{cause}: {', '.join(tests)}" for cause, tests in causes.items()]


def _requirement(requirement: Requirement, found: Mapping[str, Prediction]) -> RequirementState:
    states = [found[name].status for name in requirement.tests]
    covered = [state for state in states if state is not Status.NOT_COVERED]
    worst = min(covered, key=list(Status).index, default=Status.NOT_COVERED)
    return RequirementState(requirement, worst, len(covered))
