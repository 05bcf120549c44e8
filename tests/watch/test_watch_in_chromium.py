"""The live view in a real browser: it keeps itself up to date, says aloud what matters, and complains of nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_run import a_test, device
from a_watch import GoingRun, watching
from browser import CHROMIUM, Browser

from hil.clock import utc_now
from hil.wait import wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


def shows(browser: Browser, text: str, where: str = "document.body.innerText") -> None:
    wait_until(lambda: text in browser.script(where), what=f"{text!r} on the page", timeout_s=20, interval_s=0.1)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[GoingRun]:
    """A bench at work, with figures."""
    run = GoingRun(tmp_path / "reports/night")
    run.begin(0)
    for number in range(20):
        run.journal.event("sample", "wire", sent_mbps=900.0 + number, received_mbps=0.0, link=True)
        run.journal.event("sample", "watts", watts=31.0 + number % 3)
    yield run
    run.close()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_no_complaint_and_no_sideways_scrolling(browser: Browser, run: GoingRun, width: int, dark: bool) -> None:
    """On a laptop and on a phone, light and dark: what runs, what is waited for and until when, rate and watts."""
    with watching(run.folder.parent) as server:
        browser.open(server.url, width=width, height=844, dark=dark)
        shows(browser, "suites/test_pnp.py::test_0")
        shows(browser, "of at most 30 s")
        shows(browser, "of about 60 s")
        shows(browser, "sent 919 Mbit/s")
        assert browser.script("document.documentElement.scrollWidth") <= width
        assert browser.script("document.querySelectorAll('.figures path[d^=M]').length") == 3
        assert browser.complaints == []


def test_a_run_from_its_beginning_to_its_end(browser: Browser, tmp_path: Path) -> None:
    """Opened before the run, the page shows it, says what fails and how it ended, and leads to its report."""
    said = "document.getElementById('told').innerText"
    with watching(tmp_path) as server:
        browser.open(server.url)
        shows(browser, "No run goes on")
        run = GoingRun(tmp_path / "night")
        run.begin(0)
        shows(browser, "desk began run night", said)
        run.end(a_test("test_0", "failed", device("died")))
        shows(browser, "desk: failed, suites/test_pnp.py::test_0, Bugcheck: died", said)
        shows(browser, "the device has failed tests")
        run.over(1)
        shows(browser, "desk ended: the device failed", said)
        browser.script("document.querySelector('#past a').click()")
        shows(browser, "report", "document.title")
        assert browser.complaints == []
        run.close()


def test_a_run_that_was_killed(browser: Browser, run: GoingRun) -> None:
    """It is shown as one that no longer answers, and its clocks stand still."""
    os.utime(run.folder / "journal.jsonl", (0, utc_now().timestamp() - 60))
    with watching(run.folder.parent) as server:
        browser.open(server.url)
        shows(browser, "No longer answers, last seen")
        assert "of at most" not in browser.script("document.body.innerText")


def test_the_page_finds_its_server_again(browser: Browser, run: GoingRun) -> None:
    """``hil watch`` is started anew: the page says so meanwhile, and goes on by itself."""
    with watching(run.folder.parent) as server:
        browser.open(server.url)
        shows(browser, "test_0")
        port = server.server_port
    shows(browser, "The connection to hil watch is lost")
    run.end(a_test("test_0", "passed"))
    run.begin(1)
    with watching(run.folder.parent, port):
        shows(browser, "suites/test_pnp.py::test_1")
        assert "connection" not in browser.script("document.getElementById('connection').innerText")


def test_a_screen_reader_is_told(browser: Browser, run: GoingRun) -> None:
    """Headings, a named article for each run, a polite log, and focus that stays where it is while the page changes."""
    with watching(run.folder.parent) as server:
        browser.open(server.url)
        shows(browser, "test_0")
        told = browser.accessible()
        assert ("heading", "Benches at work") in told
        assert any(role == "article" and name.startswith("desk") for role, name in told)
        assert {role for role, _ in told} >= {"log", "status", "main", "progressbar"}
        browser.script("document.querySelector('article a').focus()")
        run.end(a_test("test_0", "passed"))
        run.begin(1)
        shows(browser, "suites/test_pnp.py::test_1")
        assert browser.script("document.activeElement.textContent") == "journal"
