"""What ``verifier /query`` says, and when that counts as being under a profile."""

from __future__ import annotations

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BenchError, Bugcheck, UsageError
from hil.provision.verification import Verification, end_verification
from hil.wait import wait_until
from hil.windows import verifier
from hil.windows.verifier import PROFILES, parse_query, profile

ACTIVE = """\
Time Stamp: 11/22/2026 14:00:00

Verifier Flags: 0x001209bb

  [X] 0x00000001 Special pool.

  Faults injected: 12

Driver Verification List

MODULE: hilnic.sys (load: 2 / unload: 1)

    Pool Allocation Statistics: ( NonPaged / Paged )

      Current Pool Allocations:  (      0 /      0 )

MODULE: ndis.sys (load: 1 / unload: 0)
"""
DRIVER = "hilnic.sys"


def test_active() -> None:
    """Flags, modules and the counter of injected faults, whatever stands between them."""
    state = parse_query(ACTIVE)
    assert (state.flags, state.faults_injected) == (0x1209BB, 12)
    assert (state.modules[DRIVER].loads, state.modules[DRIVER].unloads) == (2, 1)
    assert state.missing(PROFILES["standard"], "HILNIC.sys") == []


@pytest.mark.parametrize(
    ("text", "profile_name", "lacks"),
    [
        ("No drivers are currently verified.\n", "standard", "hilnic.sys is not verified"),
        ("Zurzeit werden keine Treiber überprüft.\n", "standard", "flags 0x209bb"),
        (ACTIVE, "ndis", "flags 0x200000"),
        (ACTIVE.replace("hilnic.sys", "hilnic.sys.bak"), "standard", "hilnic.sys is not verified"),
        (ACTIVE.replace("load: 2", "load: 0"), "standard", "hilnic.sys was not loaded"),
        # what was seen on Windows 11 after /volatile: the driver is listed, and no check is on
        (ACTIVE.replace("Verifier Flags: 0x001209bb", "Verifier Volatile Flags: 0x00000000"), "standard", "flags"),
        ("Verified Drivers:\n\nhilnic.sys\nVerifier Flags: 0x001209bb\n", "standard", "hilnic.sys is not verified"),
    ],
    ids=["off", "off in German", "a flag less", "another driver", "never loaded", "volatile", "next boot's settings"],
)
def test_not_active(text: str, profile_name: str, lacks: str) -> None:
    """A night that only believed to be under Driver Verifier is worse than one without: it certifies what was not
    checked."""
    missing = parse_query(text).missing(PROFILES[profile_name], DRIVER)
    assert any(lacks in one for one in missing), missing


def test_counter_that_windows_does_not_tell() -> None:
    """No line, no number: unknown is not zero, and never "it fired"."""
    assert parse_query(ACTIVE.replace("Faults injected: 12", "")).faults_injected is None
    assert parse_query(ACTIVE.replace("Faults injected: 12", "AllocationsFailedDeliberately: 3")).faults_injected == 3


def test_unknown_profile() -> None:
    """A slip in the name is told before anything is changed, with the names that there are."""
    with pytest.raises(UsageError, match="standard, ndis, low-resources, dma, dif"):
        profile("strict")


@given(st.text(max_size=200))
def test_any_output(text: str) -> None:
    """Whatever a Windows prints, it is read without a traceback, and is no proof."""
    assert parse_query(text).missing(PROFILES["standard"], DRIVER)


@pytest.fixture(scope="module")
def verification(desk: Desk) -> Verification:
    """On the golden bench, with the package bound."""
    desk.adapter()
    return Verification(desk.machine, desk.testbed, desk.folder / "record", DRIVER)


def test_there_and_back(desk: Desk, verification: Verification) -> None:
    """Started it is active by name and flags; stopped nothing is verified, and nothing is left on record."""
    state = verification.start("ndis")
    assert state.flags & 0x200000 and set(state.modules) == {DRIVER, "ndis.sys"}
    assert verification.holds
    verification.stop()
    assert verification.state().modules == {}
    assert not verification.holds
    assert not end_verification(desk.machine, desk.testbed, desk.folder / "record")


def test_what_a_killed_run_left(desk: Desk, verification: Verification) -> None:
    """Another process, that knows nothing of the first, takes it off; what a person had set before stays set.

    A bench that stays under Driver Verifier for weeks measures its drivers at half their rate.
    """
    desk.machine.tool("verifier", "/flags", "0x8", "/driver", "other.sys", ok=(2,))
    verification.start("dma")
    assert end_verification(desk.machine, desk.testbed, desk.folder / "record")
    stored = verifier.stored(desk.machine)
    assert (stored.flags, stored.drivers) == (0x8, ("other.sys",))
    desk.machine.tool("verifier", "/reset", ok=(2,))


def test_power_cut_ends_it(desk: Desk, verification: Verification) -> None:
    """After a crash or a power cut the machine boots without Driver Verifier, and that is seen.

    It is how a driver that crashes at each boot does not take its bench with it.
    """
    verification.start("standard")
    boot, outlet = desk.machine.boot(), desk.instrument("outlet")
    outlet.off()
    wait_until(lambda: not desk.machine.ssh.alive(0.3), what="the machine to go down", timeout_s=10)
    outlet.on()
    desk.machine.wait_booted(after=boot)
    assert not verification.holds
    verification.stop()


FAULTS = "hil.virtual.faults.verifier"


def test_silently_off(new_desk) -> None:
    """Settings that Windows takes and does not keep are an error of the bench, told with what is missing."""
    desk = new_desk(faults=(f"{FAULTS}:VerifierSilentlyOff",))
    desk.adapter()
    with pytest.raises(BenchError, match="is not verified"):
        Verification(desk.machine, desk.testbed, desk.folder / "record", DRIVER).start("standard")


def test_crash_on_the_way_up(new_desk) -> None:
    """A driver that breaks a rule in its DriverEntry is that bugcheck, and the machine comes back without verifier."""
    desk = new_desk(faults=(f"{FAULTS}:BreaksRuleAtBoot",))
    desk.adapter()
    verification = Verification(desk.machine, desk.testbed, desk.folder / "record", DRIVER)
    with pytest.raises(Bugcheck, match="0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION"):
        verification.start("standard")
    assert verification.state().modules == {}
    verification.stop()
