"""The ends of the wires: what instruments do to the machine and see of it."""

from __future__ import annotations

from typing import Protocol

from hil.virtual.power_state import Power


class MachinePort(Protocol):
    """Called on the loop's thread."""

    def set_mains(self, on: bool) -> None: ...

    def press_button(self, seconds: float) -> None:
        """True seconds, not scaled; called at release, or after 4 s while still held."""

    def set_slot(self, present: bool) -> None: ...

    def set_cable(self, connected: bool) -> None: ...

    def watts(self) -> float: ...

    @property
    def mains(self) -> bool:
        """Whether there is standby power."""

    @property
    def power(self) -> Power: ...

    def power_up(self) -> None:
        """Start or wake it, as a short press of its button does when it is not running."""

    def force_off(self) -> None:
        """At once, whatever Windows does."""
