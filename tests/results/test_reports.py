"""junit.xml and index.html: what CI servers and people see of a run."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.clock import Deadline
from hil.journal import Journal
from hil.results.html import anchor, seconds, write_html
from hil.results.junit import write_junit
from hil.results.model import Measurement, RunInfo, Skip, TestResult, Trouble
from hil.results.store import ResultWriter

START = "2026-11-22T13:00:00+00:00"


def a_test(name: str, verdict: str, *troubles: Trouble, **fields: object) -> TestResult:
    return TestResult(f"suites/test_pnp.py::{name}", f"Claim of {name}.", verdict, START, 1.5, troubles, **fields)  # type: ignore[arg-type]


def device(message: str) -> Trouble:
    return Trouble("call", "failed", "device", "Bugcheck", message, wanted="goes on", seen=message, trace="Traceback")


def bench(message: str) -> Trouble:
    return Trouble("call", "error", "bench", "BenchError", message)


NIGHT = [
    a_test("test_good", "passed", measurements=(Measurement("tcp send", 941.2, "Mbit/s", at_least=913.2),)),
    a_test("test_slow", "failed", device("700"), measurements=(Measurement("tcp", 700.0, "Mbit/s", at_least=913.2),)),
    a_test("test_crash[a]", "failed", device("bugcheck 0xD1 <b>")),
    a_test("test_crash[b]", "failed", device("bugcheck 0xD1 <b>"), artifacts=("artifacts/MEMORY.DMP",)),
    a_test("test_lost", "error", bench("relay stuck")),
    a_test("test_none", "skipped", skip=Skip("bench desk has no slot", ("slot",))),
]


def a_run(folder: Path, tests: list[TestResult], exit_code: int | None = 1) -> Path:
    journal = Journal(folder / "journal.jsonl")
    journal.test = tests[0].test if tests else None
    with journal.span("test", tests[0].test if tests else ""), journal.span("step", "pull the slot") as outcome:
        outcome["watts"] = 3.5
        journal.event("observation", "device gone")
    journal.close()
    (folder / "results.jsonl").unlink(missing_ok=True)
    writer = ResultWriter(folder / "results.jsonl", lambda line: line)
    writer.run(RunInfo("night", START, "0.1.0", "desk", facts={"package": "HIL Lab hilnic.inf 2.1.0.0"}))
    for test in tests:
        writer.test(test)
    if exit_code is not None:
        writer.end(exit_code)
    writer.close()
    return folder


class Page(HTMLParser):
    """Text, links and open tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.links, self.ids, self.stack = "", list[str](), list[str](), list[str]()
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value for key in ("href", "src") if (value := values.get(key))]
        self.ids += [values["id"]] if values.get("id") else []  # type: ignore[list-item]
        if tag not in ("meta", "link", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def test_first_screen(tmp_path: Path) -> None:
    """Someone who never saw the page reads whether driver and bench are good, and why not, before anything else."""
    page = Page(write_html(a_run(tmp_path, NIGHT)))
    text = re.sub(r"\s+", " ", page.text)
    assert "Is the driver good? No 1 passed, 3 failed" in text
    assert "Is the bench good? No 1 errors, 1 skipped" in text
    assert text.index("The device failed") < text.index("Errors of the bench") < text.index("Not asked")
    assert "Bugcheck: bugcheck 0xD1 <b> (2)" in text
    assert "bench desk has no slot (1)" in text
    assert page.stack == []


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    """The page opens from disk years later, on a computer without a network: links stay in the run's folder."""
    page = Page(write_html(a_run(tmp_path, NIGHT)))
    files = {"results.jsonl", "junit.xml", "journal.jsonl", "artifacts/", "artifacts/MEMORY.DMP"}
    assert {link for link in page.links if not link.startswith("#")} == files
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "http" not in page.source


def test_details_of_a_test(tmp_path: Path) -> None:
    """Steps from the journal, figures with their limit, and what was tested."""
    text = re.sub(r"\s+", " ", Page(write_html(a_run(tmp_path, NIGHT))).text)
    assert "pull the slot watts 3.5" in text
    assert "device gone" in text
    assert "tcp send 941.2 Mbit/s at least 913.2" in text
    assert "package HIL Lab hilnic.inf 2.1.0.0" in text


def test_a_run_that_was_killed_still_has_a_page(tmp_path: Path) -> None:
    """From what is on disk the page can be made later, and says that the run did not end."""
    assert "not ended" in Page(write_html(a_run(tmp_path, NIGHT[:1], exit_code=None))).text


def test_a_run_without_tests_claims_nothing(tmp_path: Path) -> None:
    """No test is no proof: neither the driver nor the bench is called good."""
    assert Page(write_html(a_run(tmp_path, []))).text.count("Not known") == 2


def test_junit_keeps_the_verdicts_apart(tmp_path: Path) -> None:
    """CI servers count failures of the device, errors of the bench and skips as three things."""
    suite = ET.parse(write_junit(a_run(tmp_path, NIGHT))).getroot()[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6", "failures": "3", "errors": "1", "skipped": "1"
    }  # fmt: skip
    crash = suite.findall("testcase")[2]
    assert (crash.get("classname"), crash.get("name")) == ("suites.test_pnp", "test_crash[a]")
    failure = crash.find("failure")
    assert failure is not None
    assert failure.get("type") == "Bugcheck"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_any_text_gives_a_page_and_xml(tmp_path: Path, text: str) -> None:
    """A driver's name or a message with odd characters breaks neither the page nor the CI server's parser."""
    trouble = Trouble("call", "failed", "device", "LinkLost", text, seen=text, trace=text)
    folder = a_run(tmp_path, [a_test("test_x", "failed", trouble, output=text, skip=None)])
    assert Page(write_html(folder)).stack == []
    ET.parse(write_junit(folder))


def test_a_thousand_tests(tmp_path: Path) -> None:
    """A long night's page is there within a second and a half."""
    tests = [a_test(f"test_{number}", "failed", device(f"cause {number % 7}")) for number in range(1000)]
    folder = a_run(tmp_path, tests)
    deadline = Deadline(1.5)
    write_html(folder)
    assert not deadline.expired, f"{deadline.elapsed_s:.2f} s"


def test_anchors_are_unique() -> None:
    """Two tests that differ in one sign have two places in the page."""
    names = ["a::b", "a:b", "a--b", "a-b", "a[b]", "a b"]
    assert len({anchor(name) for name in names}) == len(names)


def test_durations_are_short() -> None:
    """Milliseconds, seconds, minutes: the unit that fits."""
    assert [seconds(value) for value in (0.012, 3.14159, 150, None)] == ["12 ms", "3.1 s", "2 min 30 s", ""]


def test_the_journal_may_be_cut(tmp_path: Path) -> None:
    """A journal that ends in the middle of a line costs that line, not the page."""
    folder = a_run(tmp_path, NIGHT)
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text() + json.dumps({"test": "x"})[:5])
    assert Page(write_html(folder)).stack == []
