"""The machine's power: what mains, button, slot, cable and wake frames do to it, and what it draws."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class Power(Enum):
    OFF = "off"
    BOOTING = "booting"
    ON = "on"
    ASLEEP = "asleep"
    HIBERNATED = "hibernated"
    BUGCHECKED = "bugchecked"


Watcher = Callable[[Power, Power], None]


class VirtualMachine:
    """Every method is called on the loop's thread and returns at once; what takes time goes on in a task."""

    power: Power
    mains: bool
    slot: bool
    """The NIC is in its slot (or port)."""
    cable: bool

    def __init__(self, bench: VirtualBench) -> None: ...

    def set_mains(self, on: bool) -> None:
        """The outlet's contact. Firmware is set to power on when mains return."""

    def press_button(self, seconds: float) -> None:
        """Short: switch on, wake, or shut down cleanly. Over 4 s: hard off."""

    def set_slot(self, present: bool) -> None:
        """Pull the NIC out under power, or put it back."""

    def set_cable(self, connected: bool) -> None:
        """The link breaker between the NIC and its partner."""

    def wake_frame(self, frame: bytes) -> None:
        """A frame that reached the sleeping NIC."""

    def watts(self) -> float:
        """What the machine draws from the outlet now."""

    def subscribe(self, watcher: Watcher) -> None:
        """Call ``watcher(old, new)`` after each change of :attr:`power`."""

    def request_sleep(self, state: Literal["S3", "S4"], *, wake_after_s: float = 0.0, delay_s: float = 0.5) -> None:
        """Sleep as SetSuspendState does; a wake timer when ``wake_after_s`` is above 0 (true seconds, not scaled)."""

    def request_shutdown(self, *, restart: bool, delay_s: float = 0.0, comment: str = "") -> None:
        """As shutdown.exe /s or /r /t."""

    def bugcheck(self, code: int, parameters: tuple[int, int, int, int]) -> None:
        """Stop with a bugcheck; dump and automatic restart as CrashControl says."""

    def hang(self) -> None:
        """Stop answering without a bugcheck, until power is cut."""
