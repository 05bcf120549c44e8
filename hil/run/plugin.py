"""The pytest plug-in's door: options and markers. The rest is loaded only when a testbed is named.

Without ``--testbed`` nothing else of hil is imported and nothing of another project's run changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hil.results.model import RunInfo, TestResult

MARKERS = (
    "requires(*capabilities): what the bench must have (slot, meter, partner, wire, ...); else the test is skipped",
    "hlk(*names): the HLK tests that this test predicts, by their names in the kit; for hil precheck",
    "expects(*events): what the guard must not hold against the device: reboot, power_loss, bugcheck, reset",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil", "tests of a driver on a bench")
    add = group.addoption
    add("--testbed", metavar="FILE", type=Path, help="the bench to run on; without it the plug-in stays out of the way")
    add("--fault", action="append", default=[], metavar="MODULE:CLASS", help="defect of the virtual bench; repeatable")
    add("--package", type=Path, metavar="DIR", help="driver package under test, instead of the testbed's")
    add("--previous-package", type=Path, metavar="DIR", help="the release before it, for upgrade and rollback")
    other = "another of the testbed's packages: other, restarting, broken, unsigned, expired or revoked; repeatable"
    add("--other-package", action="append", default=[], metavar="NAME=DIR", help=other)
    add("--certificate", type=Path, metavar="FILE", help="of whoever test-signed the package (DER), to be trusted")
    add("--reports", type=Path, default=Path("reports"), metavar="DIR", help="where runs are written")
    add("--history", metavar="URL", help="earlier runs: a file, postgresql://..., off (default: in --reports)")
    add("--run-id", metavar="NAME", help="folder of this run below the reports (default: date and time)")
    add("--no-provision", action="store_true", help="take machine and driver as they are")
    add("--no-sampling", action="store_true", help="leave out rate, watts, load and records of Windows in the timeline")
    add("--verifier", metavar="PROFILE", help="run under Driver Verifier: standard, ndis, low-resources, dma or dif")
    add("--adapter-settings", type=Path, metavar="FILE", help="JSON: advanced properties to set while the run lasts")
    add("--seed", type=int, metavar="N", help="of all choices by chance, also the virtual bench's (default: drawn)")
    add("--count", type=int, metavar="N", help="run the chosen tests N times, round by round")
    add("--until-fail", action="store_true", help="repeat them until one does not pass, --count (or 200) times at most")
    add("--test-timeout", type=float, default=600.0, metavar="SECONDS", help="for each test that names none")


class Hooks:
    """Of a run, for plug-ins beside hil's: ``pytest.main(arguments, plugins=[...])`` or a conftest file."""

    def pytest_hil_result(self, result: TestResult) -> bool | None:
        """A test ended and its result is on disk; True ends the run after it, in order."""

    def pytest_hil_finish(self, info: RunInfo) -> None:
        """All tests have ended; ``info.facts`` takes what the reports shall say of the run."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("--testbed") is None:
        return
    from hil.run.session import activate

    activate(config)
