"""The report in a real browser: it complains of nothing, works by keyboard, and opens however long the night was."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from a_run import NIGHT, a_run, a_test, device, record_test, user_s
from browser import CHROMIUM, Browser

from hil.clock import Deadline
from hil.journal import Journal
from hil.results.report import page_of
from hil.results.writing import write_reports

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer: apt-get install chromium")
ROWS = "document.querySelectorAll('#tests tbody tr').length"
SIZES = [(1280, 800, False), (1280, 800, True), (390, 844, False), (390, 844, True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = a_run(tmp_path_factory.mktemp("reports") / "night", NIGHT)
    write_reports(folder)
    return folder


def page(folder: Path, number: int = 0) -> Path:
    return folder / page_of(NIGHT[number].test)


@pytest.mark.parametrize(("width", "height", "dark"), SIZES)
def test_no_complaint_and_no_sideways_scrolling(
    browser: Browser, night: Path, width: int, height: int, dark: bool
) -> None:
    """On a laptop and on a phone, light and dark: no error on the console, no request to a network, no lost edge."""
    grounds = set()
    for path in (night / "index.html", page(night), page(night, 1)):
        browser.open(path, width=width, height=height, dark=dark)
        assert browser.complaints == []
        assert browser.script("document.documentElement.scrollWidth") <= width
        grounds.add(browser.script("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {"rgb(14, 17, 22)" if dark else "rgb(255, 255, 255)"}


def test_list_of_tests(browser: Browser, night: Path) -> None:
    """Someone looks for one test among many: by its name, by its verdict, by its cause."""
    browser.open(night / "index.html")
    assert browser.script(ROWS) == len(NIGHT)
    browser.script("document.getElementById('search').focus()")
    browser.press(*"crash")
    assert browser.script(ROWS) == 2
    browser.script("document.getElementById('search').value = ''")
    browser.script("document.querySelector('#verdicts button[value=skipped]').focus()")
    browser.press(" ")
    assert browser.script(ROWS) == 2
    assert browser.script("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_a_screen_reader_is_told(browser: Browser, night: Path) -> None:
    """Headings, regions, tables and buttons have roles and names; the answers stand under their questions."""
    browser.open(night / "index.html")
    told = browser.accessible()
    assert {("heading", "Is the driver good?"), ("region", "Is the driver good?"), ("searchbox", "Find")} <= set(told)
    assert {role for role, _ in told} >= {"main", "banner", "table", "columnheader", "link", "button", "status"}
    assert [name for role, name in told if role in ("button", "link", "searchbox") and not name.strip()] == []
    levels = browser.script("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after - level <= 1 for level, after in pairwise(levels))
    browser.open(page(night))
    told = browser.accessible()
    assert any(role == "application" and name.startswith("Timeline of the test") for role, name in told)
    assert {"Zoom in", "Zoom out", "Whole test", "To the failure"} <= {name for role, name in told if role == "button"}


def test_focus_goes_through_the_page(browser: Browser, night: Path) -> None:
    """Without a mouse everything can be reached, in the order in which it is read."""
    browser.open(page(night))
    reached = []
    for _ in range(8):
        browser.press("Tab")
        reached.append(browser.script("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:6] == ["A", "zoom-in", "zoom-out", "zoom-all", "to-failure", "timeline"]


def test_timeline_by_keyboard(browser: Browser, night: Path) -> None:
    """Arrows go through what happened and say it; Enter opens the raw exchange."""
    browser.open(page(night))
    browser.script("document.getElementById('timeline').focus()")
    browser.press("ArrowRight")
    assert "pull the slot 0" in browser.script("document.getElementById('said').textContent")
    browser.press("ArrowDown", "Enter")
    assert "Get-NetAdapter" in browser.script("document.getElementById('exchange').textContent")
    assert "Name: Ethernet 2, Status: Up" in browser.script("document.getElementById('exchange').textContent")
    assert browser.script("document.activeElement.id") == "exchange"


def test_timeline_by_mouse(browser: Browser, night: Path) -> None:
    """Hovering shows the message, a click the raw exchange; the failing moment is marked and can be jumped to."""
    browser.open(page(night))
    assert browser.script("document.querySelectorAll('#timeline .failure').length") == 1
    browser.script("document.getElementById('timeline').scrollIntoView()")
    x, y = browser.script(
        "(({ x, y, width, height }) => [x + width / 2, y + height / 2])"
        "(document.querySelector('#timeline .bar-events').getBoundingClientRect())"
    )
    browser.mouse("mouseMoved", x, y)
    assert "Microsoft-Windows-NDIS 10400" in browser.script("document.getElementById('hint').textContent")
    assert "± 2 ms" in browser.script("document.getElementById('hint').textContent")
    browser.click(x, y)
    assert "</script><b>" in browser.script("document.getElementById('exchange').textContent")
    browser.script("document.getElementById('to-failure').click()")
    assert "bugcheck 0xD1" in browser.script("document.getElementById('exchange').textContent")
    assert "180 ms behind the controller's, known to ± 2 ms" in browser.script("document.body.innerText")


def test_lanes_have_what_happened(browser: Browser, night: Path) -> None:
    """One clock for all: steps, commands, instruments, link, rate, watts, load, events."""
    browser.open(page(night))
    names = browser.script("[...document.querySelectorAll('#timeline .lane-name')].map((one) => one.textContent)")
    assert names == [
        "Steps", "Commands to Windows", "Instruments", "Link and adapter", "Rate, Mbit/s", "Power, W",
        "Processors, %", "Windows events", "Seen",
    ]  # fmt: skip
    assert browser.script("document.querySelectorAll('#timeline .bar-link.down').length") > 0


def test_zoom_stays_within_the_test(browser: Browser, night: Path) -> None:
    """However wild the zooming, the picture is never empty or out of the test."""
    browser.open(page(night))
    for button in ("zoom-in",) * 20 + ("zoom-out",) * 30 + ("zoom-all",):
        browser.script(f"document.getElementById('{button}').click()")
    assert browser.script("document.querySelectorAll('#timeline .bar').length") > 5
    assert browser.complaints == []


def test_ten_thousand_tests_open(browser: Browser, tmp_path: Path) -> None:
    """A week of benches in one run: written within five seconds, opened at once, and the list answers to typing."""
    passed = [a_test(f"test_x[{number}]", "passed") for number in range(9_800)]
    failed = [a_test(f"test_y[{number}]", "failed", device(f"cause {'abcde'[number % 5]}")) for number in range(200)]
    folder = a_run(tmp_path / "week", passed + failed)
    before_s = user_s()
    index = write_reports(folder)
    assert user_s() - before_s < 5.0
    deadline = Deadline(5.0)
    browser.open(index)
    assert not deadline.expired, f"{deadline.elapsed_s:.1f} s"
    assert browser.script("document.getElementsByTagName('*').length") < 3000
    assert browser.script(ROWS) == 100
    took_ms = browser.script(
        "(() => { const t = performance.now(), s = document.getElementById('search'); s.value = 'x[9799]';"
        "s.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - t; })()"
    )
    assert browser.script(ROWS) == 1
    assert took_ms < 300


def test_a_long_timeline_is_drawn_quickly(browser: Browser, tmp_path: Path) -> None:
    """Ten thousand things in one test are drawn as what fits on the screen."""
    folder = a_run(tmp_path / "night", NIGHT)
    (folder / "journal.jsonl").unlink()
    journal = Journal(folder / "journal.jsonl")
    record_test(journal, NIGHT[0].test, steps=3000)
    journal.close()
    write_reports(folder)
    browser.open(page(folder))
    assert browser.complaints == []
    assert browser.script("document.querySelectorAll('#timeline *').length") < 8000
    took_ms = browser.script(
        "(() => { const t = performance.now(); document.getElementById('zoom-in').click();"
        "document.body.offsetHeight; return performance.now() - t; })()"
    )
    assert took_ms < 500
