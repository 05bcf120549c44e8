"""What instruments do for a bench, apart from who made them. Suites and the bench know these Protocols only.

A set (on, off, pull, plug, ...) returns when the position was read back and the ``witness`` of the caller, if one is
given, saw the effect. It raises BenchError when the instrument does not answer, refuses, or reads back something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from hil.instruments.profile import Profile

Witness = Callable[[], bool]
"""A second opinion on the effect of a set: true when it is seen (device gone, link down, current fell)."""


@dataclass(frozen=True)
class Effect:
    """A witness who says what it looks for; ``what`` completes "waited for ..."."""

    what: str
    seen: Witness

    def __call__(self) -> bool:
        return self.seen()


Observe = Callable[[bool], Witness | None]
"""Asked before a set to on (True) or off who will see its effect; None where nobody can."""


def unobserved(_on: bool) -> Witness | None:
    """There is nobody beside the instrument itself."""
    return None


class Switch(Enum):
    """Position of a switch as far as anybody knows; unknown is never off."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Identity:
    """The four fields of ``*IDN?`` (IEEE 488.2, 10.14); a family outside SCPI fills in what it has."""

    vendor: str
    model: str
    serial: str = ""
    firmware: str = ""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.vendor, self.model, self.serial and f"serial {self.serial}") if part)


@dataclass(frozen=True)
class Power:
    """Power over an interval, from ``samples`` fresh readings; ``rejected`` had no number (NAN, over-range)."""

    mean_w: float
    least_w: float
    most_w: float
    samples: int
    rejected: int


@runtime_checkable
class Role(Protocol):
    """What every instrument has."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> Identity: ...

    def close(self) -> None: ...


@runtime_checkable
class Outlet(Role, Protocol):
    """Mains of the machine; several feeds of one machine act as one outlet."""

    def on(self, witness: Witness | None = None) -> None: ...

    def off(self, witness: Witness | None = None) -> None: ...

    def state(self) -> Switch: ...

    def cycle(self, off_s: float = 5.0) -> None:
        """Off, at least ``off_s`` (and the minimum off time) without power, on."""


@runtime_checkable
class Slot(Role, Protocol):
    """Hot-plug breaker of the NIC's slot or port. Pulls, plugs and glitches are never repeated by themselves.

    ``profile`` holds for one call. A relay opens all its contacts at once and bounces as fast as it can follow; it
    raises UsageError for a profile that staggers pins.
    """

    def pull(self, witness: Witness | None = None, *, profile: Profile | None = None) -> None: ...

    def plug(self, witness: Witness | None = None, *, profile: Profile | None = None) -> None: ...

    def glitch(self, seconds: float) -> None:
        """Open the contacts of a plugged NIC for a moment. Raises BenchError when it is not plugged."""

    def state(self) -> Switch:
        """ON means present."""


@runtime_checkable
class Cable(Role, Protocol):
    """Breaker of the link between the NIC and its partner."""

    def disconnect(self, witness: Witness | None = None) -> None: ...

    def connect(self, witness: Witness | None = None) -> None: ...

    def state(self) -> Switch: ...


@runtime_checkable
class Button(Role, Protocol):
    """The machine's power button. A press is never repeated by itself."""

    def press(self, seconds: float = 0.3) -> None:
        """Hold for ``seconds``; beyond 4 s ACPI firmware cuts the power."""


@runtime_checkable
class Meter(Role, Protocol):
    """Power drawn from the mains by the whole machine, unless the bench's description says otherwise."""

    def read_w(self) -> float:
        """The newest sample in watts; waits out readings that have no number."""

    def measure(self, seconds: float) -> Power:
        """Mean, least and most over ``seconds``, counting each refresh of the meter once."""

    def wait_below(self, limit_w: float, timeout_s: float) -> float:
        """The first reading under ``limit_w``, in watts; BenchError when none comes in time."""

    def wait_above(self, limit_w: float, timeout_s: float) -> float: ...

    def stays_below(self, limit_w: float, seconds: float) -> Power:
        """Watch a sleeping machine for ``seconds``; WakeFailed when a reading reaches ``limit_w``."""

    def confirm_above(self, limit_w: float, seconds: float = 0.4) -> Power:
        """A running machine, watched for ``seconds``: BenchError for a meter that reads less, or the same each time."""


@runtime_checkable
class Supply(Role, Protocol):
    """A DC output: a switch with set points."""

    def on(self, witness: Witness | None = None) -> None: ...

    def off(self, witness: Witness | None = None) -> None: ...

    def state(self) -> Switch: ...

    def set_volts(self, volts: float) -> None: ...

    def set_limit_amps(self, amps: float) -> None: ...

    def read_volts(self) -> float: ...

    def read_amps(self) -> float: ...


@runtime_checkable
class UsbPort(Role, Protocol):
    """A port of a switchable hub, for NICs on USB."""

    def on(self, witness: Witness | None = None) -> None: ...

    def off(self, witness: Witness | None = None) -> None: ...

    def state(self) -> Switch: ...


@runtime_checkable
class OutOfBand(Role, Protocol):
    """A management controller that answers when Windows does not."""

    def on(self, witness: Witness | None = None) -> None: ...

    def off(self, witness: Witness | None = None) -> None: ...

    def state(self) -> Switch: ...
