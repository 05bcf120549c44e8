"""The pre-check: from runs, marks and errata to a word on each HLK test and requirement."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from a_run import a_run, a_test, device

from hil.errors import UsageError
from hil.results.errata import Erratum
from hil.results.hlk import Catalogue, HlkTest, catalogue, why_not_covered
from hil.results.model import FAULTS_FACT, Skip, TestResult
from hil.results.precheck import Precheck, Prediction, Status, evaluate, read_history
from hil.results.precheck_page import write_precheck
from hil.run.marks import collect_predictions

WOL, PATTERN = (f"NDISTest 6.5 - [2 Machine] - PM_{name}" for name in ("WolMagicPacket", "WolPattern"))
DAY = date(2026, 11, 22)
PACKAGE, OTHER = "A" * 64, "B" * 64
FACTS = {
    "Windows": "Microsoft Windows 11 Pro, build 26100", "package": "HIL Lab hilnic.inf 2.1.0.0",
    "package SHA-256": PACKAGE, "adapter": r"NIC, PCI\VEN_1D0F&DEV_7A10\4&2A8F, 1000 Mbit/s",
}  # fmt: skip
WAKE, OTHER_WAKE = "suites/test_pnp.py::test_wake", "suites/test_pnp.py::test_wake_again"
FAILED = a_test("test_wake", "failed", device("woken by timer"))
PASSED = a_test("test_wake", "passed")


def run(reports: Path, name: str, *tests: TestResult, hour: int = 1, **facts: str) -> None:
    """A run that ended, its name and hour given."""
    a_run(reports / name, list(tests), started=f"2026-11-22T{hour:02}:00:00+00:00", facts={**FACTS, **facts})


def word(
    reports: Path, predictions: Mapping[str, tuple[str, ...]] | None = None, errata: tuple[Erratum, ...] = (),
    package: str = "",
) -> tuple[Precheck, Prediction]:  # fmt: skip
    """The whole pre-check, and what it says of wake by magic packet."""
    found = evaluate(read_history(reports, package), predictions or {WAKE: (WOL,)}, catalogue(), errata, DAY)
    return found, next(one for one in found.predictions if one.test.name == WOL)


def test_passed(tmp_path: Path) -> None:
    """Every local test that predicts it passed: the HLK test is likely to pass."""
    run(tmp_path, "night", PASSED)
    found, wol = word(tmp_path)
    assert wol.status is Status.PASSED
    assert found.good() and found.good(strict=True)
    assert found.places == ("build 26100 on desk",)


def test_failed(tmp_path: Path) -> None:
    """One local test that failed is enough, whatever the others say; the exit code follows."""
    run(tmp_path, "night", FAILED, a_test("test_wake_again", "passed"))
    found, wol = word(tmp_path, {WAKE: (WOL,), OTHER_WAKE: (WOL,)})
    assert wol.status is Status.FAILED
    assert not found.good()
    assert [one.message for one in wol.results] == ["woken by timer", ""]


def test_last_result_counts(tmp_path: Path) -> None:
    """What was mended is mended: the last verdict on this package counts, at each place for itself."""
    run(tmp_path, "first", FAILED, hour=1)
    run(tmp_path, "second", PASSED, hour=2)
    assert word(tmp_path)[1].status is Status.PASSED
    run(tmp_path, "elsewhere", FAILED, hour=3, Windows="Windows Server, build 20348")
    found, wol = word(tmp_path)
    assert wol.status is Status.FAILED
    assert {one.os_build for one in wol.results} == {26100, 20348}
    assert len(found.places) == 2


def test_no_verdict_hides_none(tmp_path: Path) -> None:
    """A later run that could not ask does not take a verdict away."""
    run(tmp_path, "first", FAILED, hour=1)
    run(tmp_path, "second", a_test("test_wake", "skipped", skip=Skip("no meter", ("meter",))), hour=2)
    assert word(tmp_path)[1].status is Status.FAILED


def test_repeated_in_one_run(tmp_path: Path) -> None:
    """A test that was repeated and failed once is no passed test."""
    again = [replace(one, test=f"{one.test}#{number}") for number, one in enumerate((PASSED, FAILED, PASSED), 1)]
    run(tmp_path, "before", PASSED, hour=1)
    run(tmp_path, "night", *again, hour=2)
    assert word(tmp_path)[1].status is Status.FAILED


def test_results_that_cannot_be_read(tmp_path: Path) -> None:
    """A night whose results are damaged may have failed: it is named, and nothing is called good without it."""
    run(tmp_path, "good", PASSED, hour=1)
    run(tmp_path, "damaged", FAILED, hour=2)
    with (tmp_path / "damaged/results.jsonl").open("ab") as results:
        results.write(b"\0\0\n")
    with pytest.raises(UsageError, match=r"damaged.results\.jsonl"):
        word(tmp_path)


def test_other_packages_do_not_count(tmp_path: Path) -> None:
    """A result is a word on the package that was tested, and on no other."""
    run(tmp_path, "old", PASSED, hour=1, **{"package SHA-256": OTHER})
    run(tmp_path, "new", a_test("test_other", "passed"), hour=2)
    _, wol = word(tmp_path, package=PACKAGE)
    assert (wol.status, wol.reason) == (Status.UNKNOWN, "not run on this package: test_wake")
    assert word(tmp_path, package=OTHER)[1].status is Status.PASSED


def test_deliberate_defects_do_not_count(tmp_path: Path) -> None:
    """A run that proves a fault is found says nothing of the package."""
    run(tmp_path, "good", PASSED, hour=1)
    run(tmp_path, "fault", FAILED, hour=2, **{FAULTS_FACT: "x:Y"})
    assert word(tmp_path)[1].status is Status.PASSED


def test_nothing_to_go_by(tmp_path: Path) -> None:
    """Without a single run on the package the answer is an error, not a green page."""
    with pytest.raises(UsageError, match="results of any package"):
        read_history(tmp_path)
    run(tmp_path, "night", PASSED)
    with pytest.raises(UsageError, match="results of package CCCC"):
        read_history(tmp_path, "C" * 64)


@pytest.mark.parametrize(
    ("tests", "status", "reason"),
    [
        ((a_test("test_wake", "skipped", skip=Skip("bench desk has no meter", ("meter",))),), Status.UNKNOWN,
         "skipped, bench desk has no meter: test_wake; not run on this package: test_wake_again"),
        ((PASSED,), Status.UNKNOWN, "not run on this package: test_wake_again"),
        ((PASSED, a_test("test_wake_again", "error")), Status.UNKNOWN, "error, : test_wake_again"),
        ((PASSED, a_test("test_wake_again", "skipped", skip=Skip("no S4", ("S4",)))), Status.PASSED, ""),
    ],
)  # fmt: skip
def test_without_verdict(tmp_path: Path, tests: tuple[TestResult, ...], status: Status, reason: str) -> None:
    """Not asked is not passed; but a variant that no bench can ask does not spoil those that were asked."""
    run(tmp_path, "night", *tests)
    found, wol = word(tmp_path, {WAKE: (WOL,), OTHER_WAKE: (WOL,)})
    assert (wol.status, wol.reason) == (status, reason)
    assert found.good(strict=True) is (status is Status.PASSED)


@pytest.mark.parametrize(("until", "status"), [(DAY, Status.EXCUSED), (date(2026, 11, 21), Status.FAILED)])
def test_errata_end(tmp_path: Path, until: date, status: Status) -> None:
    """On its last day an erratum still holds; the day after the failure counts again, and the page says why."""
    run(tmp_path, "night", FAILED, a_test("test_wake_again", "passed"))
    erratum = Erratum(hlk=WOL, reason="known since the first board", until=until)
    found, wol = word(tmp_path, {WAKE: (WOL,), OTHER_WAKE: (PATTERN,)}, (erratum,))
    assert wol.status is status
    assert found.good() is (status is Status.EXCUSED)
    assert wol.results[0].erratum == (erratum if status is Status.EXCUSED else None)
    assert wol.results[0].expired == (None if status is Status.EXCUSED else erratum)


def test_errata_in_use_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says which errata let something pass, with reason and last day, and which excuse nothing any more.

    A list of excuses that nobody reads grows until it hides the one failure that matters.
    """
    from hil.cli.precheck import _tell

    run(tmp_path, "night", FAILED)
    used = Erratum(hlk=WOL, reason="firmware of the first boards", until=DAY)
    stale = Erratum(hlk=PATTERN, reason="mended long ago by now", until=date(2027, 1, 31))
    found, _ = word(tmp_path, errata=(used, stale))
    _tell(found, (used, stale))
    told = capsys.readouterr().out
    assert f"ERRATUM until 2026-11-22: {WOL}\n     firmware of the first boards" in told
    assert f"NOT USED, erratum until 2027-01-31: {PATTERN}" in told
    assert "FAIL" not in told


def test_by_requirement(tmp_path: Path) -> None:
    """A requirement is as good as the worst of its HLK tests that is covered; how many are is said beside it."""
    run(tmp_path, "night", FAILED)
    states = {one.requirement.id: one for one in word(tmp_path)[0].requirements}
    wake = states["Device.Network.LAN.PM.WakePacket"]
    assert (wake.status, wake.covered) == (Status.FAILED, 1)
    assert states["Device.DevFund.StaticTools.CAandSDV"].status is Status.NOT_COVERED


def test_every_gap_has_its_reason() -> None:
    """No HLK test is left without a word on why nothing predicts it, unless a test of the suites does."""
    suites = Path(__file__).parents[2] / "suites"
    covered = {name for names in collect_predictions(suites).values() for name in names}
    gaps = {name: why_not_covered(test) for name, test in catalogue().tests.items() if name not in covered}
    assert covered and gaps
    assert [name for name, reason in gaps.items() if not reason or "yet" in reason] == []


def test_nearest_name() -> None:
    """The name of a mark that nobody knows is answered with the one that was meant."""
    known: Catalogue = catalogue()
    assert known.nearest("NDISTest 6.5 - [2 Machine] - PM_WolMagicPackets") == WOL
    assert known.nearest("pm_wolpatern") == PATTERN
    assert known.nearest("of quite another kind") == ""


def test_variants() -> None:
    """A star stands for the variants of a test: the kit has most of them in two lengths."""
    assert len(catalogue().named("DF - PNP Remove Device Test *")) == 2
    assert catalogue().named(WOL) == (WOL,)
    assert catalogue().named("DF - PNP Remove Device Test") == ()


def test_catalogue() -> None:
    """Requirements name tests that exist, and each test knows what it is."""
    known = catalogue()
    assert len(known.tests) == 179 and len(known.requirements) == 122
    assert all(isinstance(test, HlkTest) and test.what for test in known.tests.values())
    assert {name for one in known.requirements for name in one.tests} <= set(known.tests)


def test_page_and_data(tmp_path: Path) -> None:
    """The page opens without a network and says of every test and requirement what the JSON says."""
    run(tmp_path, "night", a_test("test_wake", "failed", device("<b>0xD1</b>")))
    found, _ = word(tmp_path)
    page = write_precheck(found, tmp_path).read_text(encoding="utf-8")
    data = json.loads((tmp_path / "precheck.json").read_text(encoding="utf-8"))
    assert (len(data["tests"]), len(data["requirements"])) == (179, 122)
    assert all(one["name"] in page for one in data["tests"])
    assert all(one["id"] in page for one in data["requirements"])
    (wol,) = [one for one in data["tests"] if one["name"] == WOL]
    assert (wol["status"], wol["results"][0]["message"]) == ("failed", "<b>0xD1</b>")
    assert "&lt;b&gt;0xD1&lt;/b&gt;" in page and "<b>0xD1" not in page
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
    assert "prefers-color-scheme: dark" in page
