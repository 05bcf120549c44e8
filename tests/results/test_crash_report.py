"""Crashes and Driver Verifier in what people and CI servers read."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from a_run import a_run, a_test, device

from hil.results.model import Crash, TestResult
from hil.results.writing import write_reports

VERIFIED = "ndis: 0x002209bb on hilnic.sys"


def crash(bucket: str, **fields: object) -> Crash:
    return Crash("bugcheck", bucket, "0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL", "bad memory", ("0x10", "0x2"), **fields)  # type: ignore[arg-type]


def test_crashes_by_bucket(tmp_path: Path) -> None:
    """Crashes of one bug stand together with their meaning, dumps, and whether earlier nights knew them.

    Whoever reads the report in the morning must see at a glance which crash is news.
    """
    known = crash("0xD1/read/hilnic.sys/2.1.0.0", dumps=("artifacts/MEMORY.DMP",), seen_before=3, first_run="monday")
    tests = [
        a_test("test_a", "failed", device("bugcheck (0x10)"), crashes=(known,)),
        a_test("test_b", "failed", device("bugcheck (0x88)"), crashes=(known,), verifier=VERIFIED),
        a_test("test_c", "passed", crashes=(crash("0xEF/0x0/hilnic.sys/2.1.0.0", expected=True),)),
        a_test("test_d", "failed", device("bugcheck"), crashes=(crash("0xD1/write/hilnic.sys/2.1.0.0"),)),
    ]
    index = write_reports(a_run(tmp_path / "night", tests))
    text = index.read_text()
    rows = text.partition('id="crashes"')[2].partition("</section>")[0].split("<tr>")[2:]
    assert len(rows) == 3
    assert "3 times, first in monday" in rows[0] and rows[0].count("artifacts/MEMORY.DMP") == 2
    assert "new</span>" in rows[1] and "provoked by the test" in rows[2] and "new</span>" not in rows[2]
    assert "1 of 4 tests" in text
    cases = {case.get("name"): case for case in ET.parse(index.with_name("junit.xml")).getroot().iter("testcase")}
    properties = {one.get("name"): one.get("value") for one in cases["test_b"].iter("property")}
    assert properties["Driver Verifier"] == VERIFIED
    assert properties["crash"] == "0xD1/read/hilnic.sys/2.1.0.0"
    assert any(VERIFIED in page.read_text() for page in (index.parent / "tests").iterdir())


def test_results_of_an_older_version(tmp_path: Path) -> None:
    """Lines without crashes, as older runs have them, are read: a lab keeps its results for years."""
    line = a_test("test_a", "passed").as_line()
    del line["crashes"], line["verifier"]
    assert TestResult.from_line(line) == a_test("test_a", "passed")


def test_crashes_come_back_as_they_were_written() -> None:
    """What the report shows is what the guard saw, not what JSON made of it."""
    test = a_test("test_a", "failed", crashes=(crash("0xD1/read/hilnic.sys/2.1.0.0", dumps=("a", "b")),))
    assert TestResult.from_line(test.as_line()) == test
