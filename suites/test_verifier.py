"""The driver under Driver Verifier. Each test sets a profile, proves that it is active, and takes it off again."""

from __future__ import annotations

from contextlib import suppress

import pytest

from hil.clock import Deadline
from hil.errors import BenchError, DutError
from hil.windows.verifier import PROFILES

pytestmark = [pytest.mark.expects("reboot")]

INJECTION_BEGINS_S = 90.0
"""After the boot: the profile's delay is one minute."""


@pytest.fixture
def under(driver, machine, verification, undo):
    """``under("ndis")``: Windows is restarted under this profile, which is read back as active."""

    def start(name):
        oldest = PROFILES[name].min_build
        if machine.os().build < oldest:
            pytest.skip(f"the profile {name} needs Windows build {oldest}")
        undo(verification.stop)
        verification.start(name)

    return start


@pytest.mark.parametrize(
    "profile",
    [
        # the kit runs this job under the standard settings
        pytest.param("standard", marks=pytest.mark.hlk("DF - PNP Disable And Enable Device Test *")),
        "ndis", "dma", "dif",
    ],
)  # fmt: skip
def test_breaks_no_rule(profile, under, adapter, verification):
    """Started, stopped, disabled and enabled under the profile, the driver breaks none of its rules.

    What Driver Verifier catches here crashes customers' machines now and then, where nobody can tell why.
    """
    under(profile)
    for _ in range(2):
        adapter.restart()
        adapter.wait_up()
    adapter.disable()
    adapter.enable()
    adapter.wait_up()
    assert verification.holds


def test_survives_failed_allocations(under, adapter, verification, record):
    """When its allocations fail the driver may refuse to start, and must not crash; with memory back it works.

    Memory is short on every laptop at some time. Counts only when allocations really were made to fail.
    """
    under("low-resources")
    deadline = Deadline(INJECTION_BEGINS_S)
    while not (injected := verification.state().faults_injected) and not deadline.expired:
        with suppress(DutError, BenchError):
            adapter.restart()
    if not injected:
        raise BenchError(
            "allocations made to fail", seen=f"{injected} faults injected", tried=f"for {INJECTION_BEGINS_S:g} s",
            next_step="see verifier /query; does the driver allocate with functions that are intercepted?",
        )  # fmt: skip
    for _ in range(3):
        with suppress(DutError, BenchError):
            adapter.restart()
    record("faults injected", verification.state().faults_injected)
    verification.stop()
    adapter.wait_up()
    assert adapter.problem() == 0
