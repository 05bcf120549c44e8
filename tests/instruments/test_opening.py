"""From a testbed entry to an instrument: what is wrong is said before anything moves."""

from __future__ import annotations

import re

import pytest

from hil.errors import UsageError
from hil.instruments import Meter, Outlet, open_instrument, roles
from hil.instruments.families import FAMILIES
from hil.instruments.scpi import Scpi
from hil.instruments.session import WrongInstrument
from hil.testbed.model import Instrument, Secret


def test_unknown_family_names_the_nearest(journal):
    """A typing error in a family is answered with the name that was probably meant."""
    spec = Instrument(role="slot", family="keysight-34890a", resource="TCPIP::127.0.0.1::5025::SOCKET")
    with pytest.raises(UsageError, match="keysight-34980a"):
        open_instrument("slot", spec, journal)


@pytest.mark.parametrize(("family", "possible"), [("yokogawa-wt300", "meter"), ("redfish", "out_of_band")])
def test_family_that_cannot_play_the_role(journal, family, possible):
    """A meter cannot be an outlet, nor a controller that leaves the mains on; the message says what each can be.

    A machine in soft off draws more than nothing, so that the meter would call every off of such an outlet a lie.
    """
    spec = Instrument(role="outlet", family=family, resource="TCPIP::127.0.0.1::5025::SOCKET")
    with pytest.raises(UsageError, match=f"can be {possible}"):
        open_instrument("mains", spec, journal)


@pytest.mark.parametrize(
    ("family", "role", "resource", "wanted"),
    [
        ("netio", "outlet", "192.0.2.10", "http://192.0.2.10"),
        ("netio", "outlet", "pdu:80", "http://192.0.2.10"),
        ("intel-amt", "out_of_band", "http://192.0.2.10:amt", "http://192.0.2.10"),
        ("apc-pdu", "outlet", "pdu:snmp", "192.0.2.10:161"),
        ("apc-pdu", "outlet", "http://pdu", "192.0.2.10:161"),
        ("quarch", "slot", "module:99999", "192.0.2.10:9760"),
    ],
)
def test_address_of_another_form(journal, monkeypatch, family, role, resource, wanted):
    """Who writes an address as another family wants it is told the right form, and not that the unit is off."""
    monkeypatch.setenv("SECRET", "s3cret")
    spec = Instrument(role=role, family=family, resource=resource, secret=Secret(env="SECRET"))
    with pytest.raises(UsageError) as caught:
        open_instrument("unit", spec, journal)
    assert caught.value.seen == resource
    assert wanted in caught.value.next_step


def test_the_wrong_serial_number_is_refused(lab, journal):
    """The slot's breaker under the outlet's address is found at open; nothing is switched."""
    spec = lab.specs["outlet"].model_copy(update={"resource": lab.specs["slot"].resource})
    with pytest.raises(WrongInstrument, match="Slot Breaker"):
        open_instrument("outlet", spec, journal)
    assert lab.ends.done == []


def test_roles_are_fulfilled(lab, journal):
    """What is opened has the methods that the role promises."""
    for name, protocol in {"outlet": Outlet, "meter": Meter, "slot": roles.Slot, "cable": roles.Cable,
                           "button": roles.Button}.items():  # fmt: skip
        opened = open_instrument(name, lab.specs[name], journal)
        assert isinstance(opened, protocol)
        opened.close()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_tables_are_whole(family):
    """A table names only roles that a testbed can ask for, and its patterns and templates can be used."""
    known = set(Instrument.model_fields["role"].annotation.__args__)
    assert set(family.roles) <= known
    assert family.checked
    assert family.dialect is not None


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if isinstance(family.dialect, Scpi)], ids=lambda family: family.name
)
def test_scpi_tables_are_whole(family):
    """Patterns compile, and every placeholder in a message is one that is filled in."""
    re.compile(family.dialect.manners.models)
    switch = family.dialect.switch
    if switch is not None:
        for message in (switch.on, switch.off, switch.read):
            assert "{" not in message.format(channel="7")
    if family.dialect.supply is not None:
        assert "{" not in family.dialect.supply.volts.format(channel="7", value="3.3")
