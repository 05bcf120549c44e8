"""Second opinions: what else on the bench sees that an instrument did what it says.

A relay that reads back "open" with a welded contact is the bench's fault; without a witness the device would be blamed.
Power is witnessed both ways. A link is on the way off only: whether it comes back is the device's to show, and the
test's to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hil.instruments.roles import Effect, Meter, Observe

_NO_POWER_W = 0.5
"""Below what a power supply draws in soft off; meters take currents of some milliamperes for none."""
_ANY_POWER_W = 0.1
"""The least that a power supply draws in soft off, where the directive on stand-by asks for less than 0.5 W."""


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


def power(meter: Callable[[], Meter]) -> Observe:
    """The meter falls to nothing, where it read something; on the way on it reads something again."""

    def observe(on: bool) -> Effect | None:
        if on:
            return Effect("the meter to read any power", lambda: meter().read_w() >= _ANY_POWER_W)
        if meter().read_w() <= _NO_POWER_W:
            return None
        return Effect("the meter to read no power", lambda: meter().read_w() <= _NO_POWER_W)

    return observe


def running(meter: Callable[[], Meter], limit_w: float) -> Observe:
    """The machine itself starts or ends, its mains stay: the meter passes what it draws asleep at most."""

    def observe(on: bool) -> Effect | None:
        if on:
            return Effect("the meter to see the machine run", lambda: meter().read_w() >= limit_w)
        return Effect("the meter to see the machine off", lambda: meter().read_w() < limit_w)

    return observe
