"""Runs of the suites with packages that are good, and other than the sample of the virtual bench."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import Desk, Runs, lab_up
from vendor_package import BASIC, family, vendor_package, with_range, without

from hil.errors import ExitCode
from hil.package.keywords import HARMLESS
from hil.virtual.driver.image import driver

SUITES = Path(__file__).parents[2] / "suites"
KEEPS = SUITES / "test_link.py::test_restart_keeps_settings"
"""A test that moves a setting off its default."""
AS_THE_PACKAGE_SAYS = """
from hil.windows.installed import differences

def test_bound(driver, adapter, store, package):
    assert (package.service, driver.service) == ("hilnic", "hilnic")
    assert differences(adapter, store, package) == []

def test_it_is_not_installed_again(driver, store):
    assert store.log() == ""

def test_settings(driver, adapter, package):
    assert {keyword.name for keyword in package.keywords} == set(adapter.settings())
"""


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        pytest.param(with_range("*ReceiveBuffers", 64, 32, 320, 32), "passed", id="smaller-rings"),
        pytest.param(without("*ReceiveBuffers"), "passed", id="no-rings"),
        pytest.param(without(*HARMLESS), "skipped", id="nothing-to-turn"),
    ],
)
def test_settings_of_another_driver(edit, verdict, desk: Desk, runs: Runs, tmp_path: Path) -> None:
    """A test that moves a setting takes one that this driver offers, to a value within its range; where there is none
    it is skipped, with the reason.

    A driver is not wrong, and the harness not broken, for having other rings than the sample.
    """
    outcome = runs(desk.variant(tmp_path, {}), "", *vendor_package(tmp_path, edit), str(KEEPS))
    assert outcome.exit_code == ExitCode.OK, outcome.text
    assert list(outcome.verdicts.values()) == [verdict]
    if verdict == "skipped":
        assert "the driver offers none of *ReceiveBuffers" in outcome.text


def test_second_of_a_family(desk: Desk, runs: Runs, tmp_path: Path) -> None:
    """Of an INF for several NICs, each with settings, service and image of its own, those of this NIC count: it is
    bound, nothing differs from its package, and each suite's test of its settings and of its life passes.

    Half of the vendors ship one INF for all that they make; the adapter under test is seldom the first in it.
    """
    image = driver(f"{BASIC}.sys", "2.1.0.0", "HIL Lab Basic Adapter", datetime.now(UTC))
    package = vendor_package(tmp_path, family, {f"{BASIC}.sys": image})
    asked = "test_settings.py::test_defaults_are_those_of_the_inf", "test_install.py::test_uninstall_leaves_no_service"
    arguments = *package, str(KEEPS), *(str(SUITES / one) for one in asked)
    outcome = runs(desk.variant(tmp_path, {}), AS_THE_PACKAGE_SAYS, *arguments)
    assert outcome.exit_code == ExitCode.OK, outcome.text
    assert len(outcome.verdicts) == 6


def test_same_version_with_another_inf(desk: Desk, runs: Runs, tmp_path: Path) -> None:
    """A package with the version and the image of the one that is bound, and another INF, is installed in its place.

    Who works on an INF does not count up its version for each try, and wants the last one tested.
    """
    for number, edit in enumerate((with_range("*ReceiveBuffers", 64, 32, 320, 32), without("*ReceiveBuffers"))):
        package = vendor_package(tmp_path / str(number), edit)
        outcome = runs(desk.variant(tmp_path, {}), AS_THE_PACKAGE_SAYS, *package)
        assert outcome.exit_code == ExitCode.OK, outcome.text


def test_update_that_writes_a_setting_anew(runs: Runs, tmp_path: Path) -> None:
    """Where the INF of an update writes a setting anew, that is the value which the adapter has after the update.

    Two vendors of three reset settings so: a test that wants them kept would fail each of their releases.
    """
    (tmp_path / "bench").mkdir()
    update = SUITES / "test_cross.py::test_event_and_traffic[update-after]"
    with lab_up(tmp_path / "bench", "--fault=vendor_package:RewritesRings") as desk:
        # the rate is not asked here: it wants a quiet computer
        outcome = runs(desk.variant(tmp_path, {"limits": {"tcp_of_ceiling": 0.1}}), "", str(update))
    assert outcome.exit_code == ExitCode.OK, outcome.text
    assert list(outcome.verdicts.values()) == ["passed"]
