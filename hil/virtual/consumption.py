"""What a desktop PC of our day draws from the outlet, in watts, by its state and the load on its link."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.nic import Nic

_STATES_W = {
    "off": 0.8, "booting": 54.0, "on": 31.0, "asleep": 2.1, "standby": 3.4, "hibernated": 0.9, "bugchecked": 47.0,
}  # fmt: skip
_NIC_W, _LOAD_W = 1.4, 11.0
"""A fitted NIC, and a link that is loaded in both directions."""


def drawn_w(state: str, nic: Nic | None) -> float:
    """``state`` is a value of :class:`hil.virtual.machine.Power`; ``nic`` None when it is not fitted."""
    drawn = _STATES_W[state]
    if state == "on" and nic:
        drawn += _NIC_W + _LOAD_W * min(1.0, nic.load_mbps() / (2 * nic.link_mbps))
    return drawn
