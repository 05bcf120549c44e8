"""Pages of the history in a real browser: what they say, by mouse, by keyboard, to a screen reader, on any screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_history import fill
from a_run import NIGHT, a_run
from browser import CHROMIUM, Browser

from hil.errors import UsageError
from hil.history.pages import INDEX, Pages, page_of
from hil.history.store import History
from hil.results.writing import write_reports
from hil.wait import wait_until

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this computer: apt-get install chromium")
SIZES = [(1280, 800, False), (390, 844, True)]
NEWEST = "20261122-010000-desk"
TREND = page_of("tcp send Mbit/s")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; of all runs the newest has its report still."""
    reports = tmp_path_factory.mktemp("reports")
    write_reports(a_run(reports / NEWEST, NIGHT))
    with History(f"sqlite:///{reports / 'history.sqlite'}") as history:
        fill(history)
        return Pages(history, reports / "history", reports).write().parent


def text(pages: Path, name: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", (pages / name).read_text(encoding="utf-8")))


def test_overview(pages: Path) -> None:
    """The first screen says what got worse and since which run and driver, what is flaky, what benches cost."""
    said = text(pages, INDEX)
    assert "What got worse? 4 figures" in said
    assert re.search(r"-\d+\.\d % regression tcp send test_0 desk@lab 20261111-010000-desk \S+ 01:00 2.1.0 9", said)
    assert "What is flaky? 1 test" in said
    assert re.search(r"suites/test_x.py::test_9 \d+ of \d+ \d+ % to \d+ %", said)
    assert "1.6 h of 2.5 h went into tests that ended in errors" in said
    assert "Without any answer for 24.0 h from 2026-11-20 01:00 to 2026-11-21 01:00, 1 run" in said


def test_what_broke_is_not_flaky(pages: Path) -> None:
    """A test that fails since five nights is told by the comparison of drivers, not among the flaky ones."""
    assert "test_7" not in text(pages, INDEX)
    (drivers,) = (page.name for page in pages.glob("drivers-*.html"))
    assert re.search(r"newly failing suites/test_x.py::test_7 \d+ passed, 0 failed", text(pages, drivers))
    (runs,) = (page.name for page in pages.glob("runs-of-rack*.html"))
    assert "0 passed, 1 failed 100 % too few runs to tell" in text(pages, runs)
    assert "regression tcp send on rack@lab" in text(pages, drivers)


def test_links_lead_somewhere(pages: Path) -> None:
    """Every link of every page opens: to pages of the history, and to the report of the run that still has one."""
    reports = set()
    for page in pages.glob("*.html"):
        content = page.read_text(encoding="utf-8")
        for link in re.findall(r'href="([^"#]+)"', content):
            assert (page.parent / link).is_file(), (page.name, link)
            reports |= {link} if "/" in link else set()
    assert reports == {f"../{NEWEST}/index.html"}


def test_the_report_leads_to_the_history(pages: Path) -> None:
    """Who reads a run's report finds the nights before it."""
    index = write_reports(pages.parent / NEWEST)
    assert 'href="../history/index.html"' in index.read_text(encoding="utf-8")


def test_hostile_names(tmp_path: Path) -> None:
    """Names of benches and measurements are text, whatever they hold: nothing of them is run."""
    with History(f"sqlite:///{tmp_path / 'history.sqlite'}") as history:
        fill(history, nights=3, bench_names=("</script><script>alert(1)</script>",))
        index = Pages(history, tmp_path / "history", tmp_path).write()
    for page in index.parent.glob("*.html"):
        assert "<script>alert" not in page.read_text(encoding="utf-8")


def test_an_empty_history(tmp_path: Path) -> None:
    """Before the first night there is a page that says so."""
    with History(f"sqlite:///{tmp_path / 'history.sqlite'}") as history:
        index = Pages(history, tmp_path / "history", tmp_path).write()
    assert "Nothing has moved" in text(index.parent, INDEX)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Said as a mistake of whoever named the folder, not as one of the history."""
    (tmp_path / "taken").write_text("")
    place = f"sqlite:///{tmp_path / 'history.sqlite'}"
    with History(place) as history, pytest.raises(UsageError, match="can be written"):
        Pages(history, tmp_path / "taken", tmp_path).write()


@in_browser
@pytest.mark.parametrize(("width", "height", "dark"), SIZES)
def test_no_complaint_and_no_sideways_scrolling(
    browser: Browser, pages: Path, width: int, height: int, dark: bool
) -> None:
    """On a laptop and on a phone, light and dark: no error on the console, no request to a network, no lost edge."""
    for page in sorted(pages.glob("*.html")):
        browser.open(page, width=width, height=height, dark=dark)
        assert browser.complaints == [], page.name
        assert browser.script("document.documentElement.scrollWidth") <= width, page.name
    ground = browser.script("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(14, 17, 22)" if dark else "rgb(255, 255, 255)")


@in_browser
def test_chart(browser: Browser, pages: Path) -> None:
    """Dots, two groups with their bands, and one mark where the figure moved, with its share."""
    browser.open(pages / TREND)
    drawn = [
        browser.script(f"document.querySelectorAll('.chart[data-series=\"0\"] {part}').length")
        for part in (".band", ".mean", "line.regression", ".limit")
    ]
    assert drawn == [2, 2, 1, 1]
    assert re.fullmatch(r"-\d+\.\d %", browser.script("document.querySelector('.move-name').textContent"))


@in_browser
def test_hovering_says_run_driver_and_value(browser: Browser, pages: Path) -> None:
    """The mouse over the last dot says which run it was, and a click opens its report."""
    browser.open(pages / TREND)
    number = browser.script(
        "[...document.querySelectorAll('section.trend')].findIndex((one) => one.textContent.includes('desk'))"
    )
    chart = f"document.querySelector('.chart[data-series=\"{number}\"]')"
    browser.script(f"{chart}.scrollIntoView({{ block: 'center' }})")
    x, y, width = browser.script(f"(({{ x, y, width }}) => [x, y, width])({chart}.getBoundingClientRect())")
    browser.mouse("mouseMoved", x + width - 14, y + 100)
    hint = browser.script("document.getElementById('hint').textContent")
    assert re.fullmatch(rf"[\d.]+ Mbit/s\n{NEWEST}, 2026-11-22 01:00 UTC\ndriver 2.1.0", hint)
    browser.click(x + width - 14, y + 100)
    wait_until(
        lambda: browser.script("location.pathname").endswith(f"/{NEWEST}/index.html"), what="the report", timeout_s=10
    )  # fmt: skip


@in_browser
def test_chart_by_keyboard(browser: Browser, pages: Path) -> None:
    """Arrow keys go through the runs and say each; Home and End reach the ends."""
    browser.open(pages / TREND)
    browser.script("document.querySelector('.chart').focus()")
    said = "document.querySelector('.said').textContent"
    browser.press("Home")
    assert "2026-10-14" in browser.script(said)
    browser.press("ArrowRight")
    assert "2026-10-15" in browser.script(said)
    browser.press("End", "ArrowLeft", "ArrowRight", "ArrowRight")
    assert "2026-11-22" in browser.script(said)


@in_browser
def test_a_screen_reader_is_told(browser: Browser, pages: Path) -> None:
    """The picture has a title and says in words what it shows; the same figures stand in tables."""
    browser.open(pages / TREND)
    assert any(role in ("image", "img") and "test_" in name for role, name in browser.accessible())
    said = browser.script("document.querySelector('.chart desc').textContent")
    assert re.fullmatch(
        r"40 runs, now [\d.]+ Mbit/s ± [\d.]+; -[\d.]+ % regression at 20261111-\d+-(desk|rack)\.|"
        r"\d+ runs, now .*", said
    )  # fmt: skip
    browser.script("document.querySelector('details[data-table] summary').click()")
    rows = "document.querySelectorAll('details[data-table] tbody tr').length"
    assert wait_until(lambda: browser.script(rows), what="the table of runs", timeout_s=10) == 25


@in_browser
def test_a_narrower_window_is_drawn_anew(browser: Browser, pages: Path) -> None:
    """Turning the phone keeps all dots in the picture."""
    browser.open(pages / TREND, width=1200)
    browser.call("Emulation.setDeviceMetricsOverride", width=500, height=800, deviceScaleFactor=1, mobile=False)
    widest = "Math.max(...[...document.querySelectorAll('.chart svg')].map((one) => one.clientWidth))"
    wait_until(lambda: 0 < browser.script(widest) <= 500, what="narrower charts", timeout_s=10)
