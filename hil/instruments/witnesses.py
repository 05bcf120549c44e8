"""Second opinions: what else on the bench sees that an instrument did what it says.

A relay that reads back "open" with a welded contact is the bench's fault; without a witness the device would be blamed.
Only the way off is witnessed. Whether link and power come back is the device's and the machine's to show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hil.instruments.roles import Effect, Meter, Observe

_NO_POWER_W = 0.5
"""Below what a power supply draws in soft off; meters take currents of some milliamperes for none."""


class Linked(Protocol):
    """Whatever is at the other end of the cable."""

    @property
    def carrier(self) -> bool: ...


def loss_of_link(partner: Callable[[], Linked]) -> Observe:
    """The partner loses its link. It sees nothing where it has none: of a NIC that is disabled, or sleeps unarmed."""

    def observe(on: bool) -> Effect | None:
        if on or not partner().carrier:
            return None
        return Effect("the partner to lose its link", lambda: not partner().carrier)

    return observe


def loss_of_power(meter: Callable[[], Meter]) -> Observe:
    """The meter falls to nothing. It sees nothing where it reads nothing already."""

    def observe(on: bool) -> Effect | None:
        if on or meter().read_w() <= _NO_POWER_W:
            return None
        return Effect("the meter to read no power", lambda: meter().read_w() <= _NO_POWER_W)

    return observe
