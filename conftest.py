"""The fixtures of the suites come from the plug-in `hil.run.plugin`; here is only what holds for this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
SUITES = Path(__file__).parent / "suites"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asks_a_bench = any(SUITES in item.path.parents for item in items)
    if asks_a_bench and not (config.getoption("--testbed") or config.option.collectonly):
        raise pytest.UsageError("suites test a driver on a bench; name it: --testbed testbeds/virtual.yaml")
