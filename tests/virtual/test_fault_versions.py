"""Faults from a driver version on: what a family of packages has in common with a real one is when it broke."""

from __future__ import annotations

import pytest

from hil.errors import UsageError
from hil.virtual.faults import load
from hil.virtual.faults.chain import FaultChain

HALF = "hil.virtual.faults.driver:HalfRateAfterPlug"


def test_a_version_is_read() -> None:
    """``module:Class@3.4.0.0`` loads the class, and tells since when; without it all drivers have the defect."""
    assert load(f"{HALF}@3.4.0.0").since == (3, 4, 0, 0)
    assert load(HALF).since == ()


@pytest.mark.parametrize("path", [f"{HALF}@soon", f"{HALF}@3..4"])
def test_a_slip_is_told(path: str) -> None:
    """A version that is none is the person's to mend, before a bench is started."""
    with pytest.raises(UsageError, match=r"a driver version after @, as 2\.4\.0\.0"):
        load(path)


def test_where_no_version_is_known() -> None:
    """A defect of single frames, or of the INF itself, cannot begin with a version: it says so, and does not strike."""
    with pytest.raises(UsageError, match="for all drivers"):
        load("hil.virtual.faults.datapath:BadChecksumOnTransmit@3.4.0.0")


def test_older_drivers_are_sound() -> None:
    """Without a driver, as with an older one, a fault of later versions leaves everything as it is."""
    chain = FaultChain([load(f"{HALF}@3.4.0.0")])
    assert chain.link_mbps(1000.0, reason="arrival") == 1000.0
    assert FaultChain([load(HALF)]).link_mbps(1000.0, reason="arrival") == 500.0
