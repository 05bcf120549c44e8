"""Wake-on-LAN as an out-of-band switch, heard by a socket on loopback."""

from __future__ import annotations

import socket

import pytest

from hil.errors import UsageError
from hil.instruments import OutOfBand, Switch, open_instrument
from hil.testbed.model import Instrument, Secret

MAC = "02-1D-0F-00-00-01"
PATTERN = b"\xff" * 6 + bytes.fromhex("021d0f000001") * 16


@pytest.fixture
def ear():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(2)
        yield heard


@pytest.fixture
def waker(ear, journal):
    """``waker()``: the instrument; keyword arguments change its testbed entry."""

    def open_waker(**changes):
        spec = Instrument(
            role="out_of_band", family="wake-on-lan", resource=f"{MAC}@127.0.0.1:{ear.getsockname()[1]}", rest=None
        )
        return open_instrument("wake", spec.model_copy(update=changes), journal)

    return open_waker


def test_magic_packet(waker, ear, monkeypatch):
    """A sleeping machine hears the MAC sixteen times, and its SecureOn password where there is one."""
    assert isinstance(waker(), OutOfBand)
    waker().on()
    assert ear.recv(2000) == PATTERN
    monkeypatch.setenv("SECUREON", "01-02-03-04-05-06")
    waker(secret=Secret(env="SECUREON")).on()
    assert ear.recv(2000) == PATTERN + bytes([1, 2, 3, 4, 5, 6])


def test_what_it_cannot_know(waker):
    """Nobody answers a magic packet: the state stays unknown, and is never taken for on."""
    wake = waker()
    wake.on()
    assert wake.state() is Switch.UNKNOWN
    with pytest.raises(UsageError, match="only start"):
        wake.off()


def test_witness_of_the_start(waker):
    """With a witness the effect is waited for."""
    seen = iter([False, False, True])
    waker().on(witness=lambda: next(seen))
    assert next(seen, None) is None


def test_resource_that_is_no_address(waker):
    """A resource without a MAC is the person's to mend, and says how."""
    with pytest.raises(UsageError, match="02-1D-0F"):
        waker(resource="192.0.2.255")
