"""The bench: machine, adapter, partner, traffic and instruments, each opened when first asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hil.errors import BenchError, HilError, UsageError
from hil.journal import Journal
from hil.testbed.lease import state_dir
from hil.testbed.model import Testbed

if TYPE_CHECKING:
    from types import TracebackType

    from hil.instruments import Button, Cable, Meter, Outlet, Slot
    from hil.traffic import Partner, Traffic
    from hil.windows import Adapter, Machine

_REST = {
    "outlet": ("on", "off"), "slot": ("plug", "pull"), "cable": ("connect", "disconnect"),
    "supply": ("on", "off"), "usb_port": ("on", "off"),
}  # fmt: skip
"""The methods that bring a role to its rest positions ``on`` and ``off``."""
_STARTS_WITHIN_S = 5.0
"""From mains to drawing power, where the firmware is set to start when the mains return."""


class Bench:
    """Assembled from an ordinary testbed; close() ends what was opened, newest first."""

    def __init__(self, testbed: Testbed, journal: Journal) -> None:
        self.testbed, self.journal = testbed, journal
        self._open = ExitStack()
        self._instruments: dict[str, Any] = {}

    @cached_property
    def machine(self) -> Machine:
        """Connected. Raises BenchError when it cannot be reached or is not what the testbed says."""
        from hil.windows import Machine

        if self.testbed.machine is None:
            raise UsageError("a machine", seen="the testbed has none", where=self.testbed.name)
        with self.journal.span("step", "connect to the machine"):
            return self._open.enter_context(Machine(self.testbed.machine, self.journal))

    @cached_property
    def adapter(self) -> Adapter:
        """Found by hardware id. Raises UsageError when two match, or when it is the one that carries SSH."""
        from hil.windows import Adapter

        if self.testbed.adapter is None:
            raise UsageError("an adapter", seen="the testbed has none", where=self.testbed.name)
        return Adapter.find(self.machine, self.testbed.adapter)

    @cached_property
    def partner(self) -> Partner:
        from hil.traffic import open_partner

        if self.testbed.partner is None:
            raise UsageError("a link partner", seen="the testbed has none", where=self.testbed.name)
        partner = open_partner(self.testbed.partner, self.journal)
        self._open.callback(partner.close)
        return partner

    @cached_property
    def traffic(self) -> Traffic:
        from hil.traffic import Traffic

        return Traffic(self.machine, self.adapter, self.partner, self.testbed.tools, self.journal)

    @property
    def connected(self) -> bool:
        """Whether anybody asked for the machine yet."""
        return "machine" in self.__dict__

    @property
    def boot_timeout_s(self) -> float:
        """How long this machine may take to boot."""
        return self.testbed.machine.boot_timeout_s if self.testbed.machine else 0.0

    def has(self, role: str) -> bool:
        return any(instrument.role == role for instrument in self.testbed.instruments.values())

    def instrument(self, name: str) -> Any:
        """The instrument of this name, or the first in this role; opened and identified at first use."""
        from hil.instruments import open_instrument

        described = self.testbed.instruments
        key = name if name in described else next((key for key, one in described.items() if one.role == name), None)
        if key is None:
            raise UsageError(f"an instrument as {name}", seen=", ".join(described) or "none", where=self.testbed.name)
        if key not in self._instruments:
            folder = state_dir(self.testbed)
            self._instruments[key] = opened = open_instrument(key, described[key], self.journal, state_dir=folder)
            self._open.callback(opened.close)
        return self._instruments[key]

    @property
    def outlet(self) -> Outlet:
        outlet: Outlet = self.instrument("outlet")
        return outlet

    @property
    def slot(self) -> Slot:
        slot: Slot = self.instrument("slot")
        return slot

    @property
    def meter(self) -> Meter:
        meter: Meter = self.instrument("meter")
        return meter

    @property
    def button(self) -> Button:
        button: Button = self.instrument("button")
        return button

    @property
    def cable(self) -> Cable:
        cable: Cable = self.instrument("cable")
        return cable

    def to_rest(self) -> None:
        """Every instrument in its rest position (outlet on, slot plugged, cable connected), the machine on the network.

        All of it is tried, then BenchError lists what did not come to rest.
        """
        failed: list[HilError] = []
        for name, described in self.testbed.instruments.items():
            if described.role in _REST and described.rest is not None:
                on, off = _REST[described.role]
                try:
                    getattr(self.instrument(name), on if described.rest == "on" else off)()
                except HilError as error:
                    failed.append(error)
        try:
            self._machine_on()
        except HilError as error:
            failed.append(error)
        if failed:
            raise BenchError(
                "the bench in its rest state", seen="; ".join(map(str, failed)), where=self.testbed.name
            ) from failed[0]

    def _machine_on(self) -> None:
        """The machine answers again, if it was ever asked: a press of the button wakes it or starts it where needed."""
        if not self.connected or self.machine.ssh.alive():
            return
        knows = self.has("button") and self.has("meter") and self.machine.settings.asleep_below_w is not None
        if knows and not self._draws_power():
            self.button.press()
        self.machine.reconnect(self.boot_timeout_s)

    def _draws_power(self) -> bool:
        """Whether the meter sees more than a sleeping machine draws; one that starts by itself does so in seconds."""
        try:
            self.meter.wait_above(self.machine.asleep_below_w, timeout_s=_STARTS_WITHIN_S)
        except BenchError:
            return False
        return True

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
