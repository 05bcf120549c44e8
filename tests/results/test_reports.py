"""junit.xml and index.html: what CI servers and people see of a run."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from a_run import NIGHT, a_run, a_test, device, user_s
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.results.model import Crash, TestResult, Trouble
from hil.results.report import page_of
from hil.results.words import many, number, seconds, size
from hil.results.writing import write_reports


class Page(HTMLParser):
    """Text, links and open tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.links, self.ids, self.stack = "", list[str](), list[str](), list[str]()
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value for key in ("href", "src") if (value := values.get(key))]
        self.ids += [values["id"]] if values.get("id") else []  # type: ignore[list-item]
        if tag not in ("meta", "link", "br", "input"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def index(folder: Path, tests: list[TestResult] = NIGHT, **run: object) -> Page:
    return Page(write_reports(a_run(folder / "night", tests, **run)))  # type: ignore[arg-type]


def page(folder: Path, test: TestResult) -> Page:
    return Page(folder / "night" / page_of(test.test))


def journal_in(page: Page) -> list[dict[str, object]]:
    """What the page gives its timeline."""
    text = page.source.partition('<script type="application/json" id="journal">')[2].partition("</script>")[0]
    records: list[dict[str, object]] = json.loads(text)
    return records


def test_first_screen(tmp_path: Path) -> None:
    """Someone who never saw the page reads whether driver and bench are good, and why not, before anything else."""
    page = index(tmp_path)
    assert "Is the driver good? No 1 passed, 3 failed, of 2 causes" in page.text
    assert "Is the bench good? No 1 error, of 1 cause, 2 not asked" in page.text
    assert "Were the tests good?" not in page.text
    assert "What is new? Not known" in page.text
    places = [page.text.index(title) for title in ("The device failed", "The bench failed", "What was not tested")]
    assert places == sorted(places)
    assert "Bugcheck: bugcheck 0xD1 <b> 2 tests" in page.text
    assert page.stack == []


def test_a_slip_in_a_suite_is_not_the_benchs_fault(tmp_path: Path) -> None:
    """Nobody walks to the lab because of a typing mistake: it is told apart from device and bench."""
    slip = Trouble("call", "error", "internal", "AttributeError", "'Adapter' object has no attribute 'statistix'")
    text = index(tmp_path, [a_test("test_good", "passed"), a_test("test_typo", "error", slip)]).text
    assert "Is the driver good? Yes 1 passed, 0 failed" in text
    assert "Is the bench good? Yes 0 errors, 0 not asked" in text
    assert "Were the tests good? No 1 test ended by a mistake in a suite, an argument or hil AttributeError" in text
    assert "Mistakes in suites, arguments or hil" in text


def test_a_bench_that_did_not_start(tmp_path: Path) -> None:
    """Without one test that ran, the exit code still says that the bench is to be seen to."""
    text = index(tmp_path, [], exit_code=6, collected=7).text
    assert "Is the driver good? Not known" in text
    assert "Is the bench good? No 0 errors, 0 not asked, 7 never began" in text


def test_a_stopped_run_blames_nobody(tmp_path: Path) -> None:
    """Ctrl-C is neither a bad device nor a bad bench."""
    stop = Trouble("call", "interrupted", "internal", "KeyboardInterrupt", "SIGINT")
    text = index(tmp_path, [a_test("test_good", "passed"), a_test("test_long", "interrupted", stop)], exit_code=2).text
    assert "Is the bench good? Yes" in text
    assert "Stopped KeyboardInterrupt: SIGINT 1 test" in text


def test_deliberate_defects_are_told_first(tmp_path: Path) -> None:
    """Nobody takes a red report of ``--fault`` for news of the driver."""
    text = index(tmp_path, facts={"faults": "hil.virtual.faults.driver:HangInHalt"}).text
    told = "With deliberate defects: hil.virtual.faults.driver:HangInHalt . This is no word on the package."
    assert told.replace(" .", ".") in text
    assert text.index("With deliberate") < text.index("Is the driver good?")


def test_what_was_tested_with_what(tmp_path: Path) -> None:
    """Driver and its hash, Windows, firmware, settings, verifier, testbed, seed and harness stand together."""
    facts = {
        "driver SHA-256": "AB12", "Windows": "Windows 11, build 26100", "firmware": "1.07",
        "settings": "*RSS 1, *LsoV2IPv4 1",
        "Driver Verifier": "off",
    }  # fmt: skip
    text = index(tmp_path, facts=facts, seed=4711).text
    tested = text[text.index("What was tested") :]
    for told in ("driver SHA-256 AB12", "Windows Windows 11, build 26100", "firmware 1.07", "settings 2 settings *RSS",
                 "Driver Verifier off", "testbed desk", "harness hil 0.1.0", "seed 4711"):  # fmt: skip
        assert told in tested


def test_artifacts_with_their_sizes(tmp_path: Path) -> None:
    """Whoever analyses a crash finds the dump on the first page, and knows what a download costs."""
    page = index(tmp_path)
    assert "1 artifact of tests, 8 bytes file size test MEMORY.DMP 8 bytes test_crash[b]" in page.text
    assert {"artifacts/MEMORY.DMP", "journal.jsonl", "results.jsonl", "junit.xml"} <= set(page.links)


def test_not_asked_by_whose_side(tmp_path: Path) -> None:
    """A slot can be bought for the bench; a feature that the device has not is the end of it."""
    text = index(tmp_path).text
    assert "The bench could not bench desk has no slot 1 test" in text
    assert "The device cannot the adapter has no RSS 1 test" in text


def test_tests_that_never_began(tmp_path: Path) -> None:
    """A run that ended early does not look like one that had nothing else to ask."""
    text = index(tmp_path, collected=40, deselected=3).text
    assert "33 tests never began" in text
    assert "3 tests left out by the arguments" in text


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    """The page opens from disk years later, on a computer without a network: links stay in the run's folder."""
    page = index(tmp_path)
    inside = {link for link in page.links if not link.startswith("#")}
    assert {link for link in inside if not (tmp_path / "night" / link).exists()} == set()
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "http" not in page.source


def test_page_of_a_test(tmp_path: Path) -> None:
    """Why it failed, its figures with their limits, what was kept, and all of its journal, with links that lead on."""
    index(tmp_path)
    slow, crash = page(tmp_path, NIGHT[1]), page(tmp_path, NIGHT[3])
    assert "wanted goes on seen 700" in slow.text
    assert "tcp 700 Mbit/s at least 913.2" in slow.text
    assert "artifacts/MEMORY.DMP 8 bytes" in crash.text
    assert all((tmp_path / "night/tests" / link).exists() for link in crash.links)
    story = journal_in(page(tmp_path, NIGHT[0]))
    assert [record["what"] for record in story if record["kind"] == "error"] == ["Bugcheck: bugcheck 0xD1"]
    assert any(record.get("fields") == ["</script><b>"] for record in story)
    assert journal_in(slow) == []


def test_page_of_a_crash(tmp_path: Path) -> None:
    """What Windows died of, whether it is the old bug again, and the dump to open, on one page."""
    crash = Crash(
        "bugcheck", "0xD1/2", "DRIVER_IRQL_NOT_LESS_OR_EQUAL", "memory was touched too high", ("0x10: address",),
        dumps=("artifacts/MEMORY.DMP",), seen_before=3, first_run="monday",
    )  # fmt: skip
    test = a_test("test_x", "failed", device("died"), crashes=(crash,))
    index(tmp_path, [test])
    shown = page(tmp_path, test)
    assert "parameter 1 0x10: address bucket 0xD1/2 seen before 3 times, first in monday" in shown.text
    assert "../artifacts/MEMORY.DMP" in shown.links


def test_the_list_has_all_tests(tmp_path: Path) -> None:
    """What went wrong stands first, and each row leads to its page."""
    index(tmp_path)
    text = (tmp_path / "night/assets/tests.js").read_text()
    data = json.loads(text.partition("=")[2].rstrip(";\n"))
    verdicts = [data["verdicts"][row[1]] for row in data["rows"]]
    assert verdicts == ["failed"] * 3 + ["error", "passed", "skipped", "skipped"]
    assert all((tmp_path / "night" / row[3]).is_file() for row in data["rows"])


def test_a_run_that_was_killed_still_has_a_page(tmp_path: Path) -> None:
    """From what is on disk the page can be made later, and says that the run did not end."""
    assert "not ended" in index(tmp_path, NIGHT[:1], exit_code=None).text


def test_a_run_without_tests_claims_nothing(tmp_path: Path) -> None:
    """No test is no proof: neither the driver nor the bench is called good."""
    assert index(tmp_path, []).text.count("Not known") == 3


def test_junit_keeps_the_verdicts_apart(tmp_path: Path) -> None:
    """CI servers count failures of the device, errors of the bench and skips as three things."""
    index(tmp_path)
    suite = ET.parse(tmp_path / "night/junit.xml").getroot()[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "3", "errors": "1", "skipped": "2"
    }  # fmt: skip
    crash = suite.findall("testcase")[2]
    assert (crash.get("classname"), crash.get("name")) == ("suites.test_pnp", "test_crash[a]")
    failure = crash.find("failure")
    assert failure is not None
    assert failure.get("type") == "Bugcheck"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.sampled_from(["@journal@", "</script>", "<!--<script>", "{{ x }}"]))
def test_any_text_gives_a_page_and_xml(tmp_path: Path, text: str) -> None:
    """A driver's name or a message with odd characters breaks neither the page nor the CI server's parser."""
    trouble = Trouble("call", "failed", "device", "LinkLost", text, seen=text, trace=text)
    test = a_test("test_x", "failed", trouble, output=text, skip=None)
    assert index(tmp_path, [test]).stack == []
    assert len(journal_in(page(tmp_path, test))) > 5
    ET.parse(tmp_path / "night/junit.xml")


def test_a_thousand_tests(tmp_path: Path) -> None:
    """A long night's pages take less than a second of a processor."""
    tests = [a_test(f"test_{number}", "failed", device(f"cause {'abcdefg'[number % 7]}")) for number in range(1000)]
    folder = a_run(tmp_path / "night", tests)
    before_s = user_s()
    write_reports(folder)
    assert user_s() - before_s < 1.0
    assert (folder / "index.html").stat().st_size < 100_000


def test_pages_have_names_of_their_own() -> None:
    """Two tests that differ in one sign have two pages, and a test has the same page every night."""
    names = ["a::b", "a:b", "a--b", "a-b", "a[b]", "a b", "é", "a/" * 300]
    assert len({page_of(name) for name in names}) == len(names)
    assert page_of("suites/test_pnp.py::test_x[1]") == page_of("suites/test_pnp.py::test_x[1]")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (seconds(0.012), "12 ms"), (seconds(3.14159), "3.1 s"), (seconds(150), "2 min 30 s"), (seconds(None), ""),
        (size(12), "12 bytes"), (size(2_500_000), "2.5 MB"), (number(941.234), "941.2"), (number(9412.34), "9412"),
        (many(1, "test"), "1 test"), (many(12000, "test"), "12,000 tests"),
    ],
)  # fmt: skip
def test_figures_are_short(written: str, wanted: str) -> None:
    """The unit fits, and no digit is there that nobody reads."""
    assert written == wanted


def test_the_journal_may_be_cut(tmp_path: Path) -> None:
    """A journal that ends in the middle of a line costs that line, not the page."""
    folder = a_run(tmp_path / "night", NIGHT)
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    for kept in (0, 1, len(whole) // 2, len(whole) - 1):
        journal.write_bytes(whole[:kept])
        assert Page(write_reports(folder)).stack == []
        assert len(journal_in(page(tmp_path, NIGHT[0]))) == max(0, whole[:kept].count(b"\n"))
