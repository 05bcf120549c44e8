"""``@pytest.mark.hlk("...")``: which HLK tests a local test predicts. The names are those of the kit, checked here.

A name that ends with ``*`` means all tests that begin so: the kit has most Device Fundamentals tests in two lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest


def names_on(item: pytest.Item) -> tuple[str, ...]:
    """What the marks of this test say, each once."""
    return tuple(dict.fromkeys(str(name) for marker in item.iter_markers("hlk") for name in marker.args))


def predicted_by(item: pytest.Item) -> tuple[str, ...]:
    """The HLK tests that this test predicts."""
    from hil.results.hlk import catalogue

    return tuple(test for name in names_on(item) for test in catalogue().named(name))


def check_names(items: Iterable[pytest.Item]) -> None:
    """Raises pytest.UsageError with every name that the catalogue does not have, and the nearest that it has."""
    wrong = dict.fromkeys(complaint for item in items for name in names_on(item) if (complaint := _wrong(item, name)))
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def _wrong(item: pytest.Item, name: str) -> str:
    from hil.results.hlk import catalogue

    if catalogue().named(name):
        return ""
    nearest = catalogue().nearest(name)
    place = f"{item.location[0]}:{(item.location[1] or 0) + 1}"
    return f"{place}: no HLK test named {name!r}" + (f"; did you mean {nearest!r}?" if nearest else "")


class _Collector:
    """Takes what pytest collected; no test runs, and nothing is printed."""

    def __init__(self) -> None:
        self.predictions: dict[str, tuple[str, ...]] = {}
        self.trouble: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.trouble.append(report.longreprtext)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        try:
            check_names(items)
        except pytest.UsageError as error:
            self.trouble.append(str(error))
        self.predictions = {item.nodeid: predicted_by(item) for item in items}


def collect_predictions(suites: Path) -> dict[str, tuple[str, ...]]:
    """Node id of each test below ``suites`` to the HLK tests that it predicts.

    Raises UsageError when a suite cannot be loaded, or names an HLK test that does not exist.
    """
    from hil.errors import UsageError

    collector = _Collector()
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    quiet += [f"-pno:{name}" for name in ("terminal", "cacheprovider", "hypothesispytest")]
    if not suites.exists():
        raise UsageError("a folder of suites", seen="no such folder", where=str(suites))
    code = pytest.main(["--collect-only", *quiet, str(suites)], plugins=[collector])
    if code != pytest.ExitCode.OK and not collector.trouble:
        collector.trouble.append(f"pytest collects nothing there, and ends with {code}")
    if collector.trouble:
        raise UsageError("suites that load and name HLK tests rightly", seen="\n".join(collector.trouble))
    return collector.predictions
