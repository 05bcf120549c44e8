"""Instruments: roles that the bench knows, families that play them, and the guarded VISA session below."""

from hil.instruments.opening import family_named, open_instrument
from hil.instruments.profile import AT_ONCE, BOUNCE, HAND, Profile
from hil.instruments.roles import (
    Button,
    Cable,
    Identity,
    Meter,
    Outlet,
    OutOfBand,
    Power,
    Role,
    Slot,
    Supply,
    Switch,
    UsbPort,
    Witness,
)
from hil.instruments.switching import Feeds

__all__ = [
    "AT_ONCE",
    "BOUNCE",
    "HAND",
    "Button",
    "Cable",
    "Feeds",
    "Identity",
    "Meter",
    "OutOfBand",
    "Outlet",
    "Power",
    "Profile",
    "Role",
    "Slot",
    "Supply",
    "Switch",
    "UsbPort",
    "Witness",
    "family_named",
    "open_instrument",
]
