"""The bench: machine, adapter, partner, traffic and instruments, each opened when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hil.errors import BenchError, HilError, UsageError
from hil.journal import Journal
from hil.testbed.model import Testbed
from hil.testbed.state import state_dir
from hil.wait import wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from hil.instruments import Button, Cable, Meter, Outlet, OutOfBand, Slot
    from hil.instruments.roles import Observe
    from hil.instruments.session import Sessions
    from hil.traffic import Partner, Traffic
    from hil.windows import Adapter, Machine

_REST = {
    "button": ("release", "release"), "outlet": ("on", "off"), "supply": ("on", "off"), "usb_port": ("on", "off"),
    "slot": ("plug", "pull"), "cable": ("connect", "disconnect"),
}  # fmt: skip
"""The methods that bring a role to its rest positions ``on`` and ``off``, most urgent role first: a button that stays
down cuts the power that an outlet brings."""
_STARTS_WITHIN_S = 5.0
"""From mains to drawing power, where the firmware is set to start when the mains return."""


class _DrawsNoPower(BenchError):
    """The meter works, and the machine is off or asleep."""


class Bench:
    """Assembled from an ordinary testbed; close() ends what was opened, newest first.

    ``permit`` is asked before each operation that changes something, and raises when the bench is another one's now.
    Where ``witnessed``, meter and partner tell whether an instrument did what it says.
    """

    def __init__(
        self, testbed: Testbed, journal: Journal, permit: Callable[[], None] = lambda: None, *, witnessed: bool = True
    ) -> None:
        self.testbed, self.journal, self.permit, self._witnessed = testbed, journal, permit, witnessed
        self._open = ExitStack()
        self._instruments: dict[str, Any] = {}

    @cached_property
    def machine(self) -> Machine:
        """Connected. Raises BenchError when it cannot be reached or is not what the testbed says."""
        from hil.remote import SshUnreachable

        machine = self.machine_as_it_is
        with self.journal.span("step", "connect to the machine"):
            try:
                machine.connect()
            except SshUnreachable:
                if not self.start_by_button():
                    raise
                machine.reconnect(self.boot_timeout_s)
        return machine

    @cached_property
    def machine_as_it_is(self) -> Machine:
        """Connected or not, for whoever brings it back."""
        from hil.windows import Machine

        if self.testbed.machine is None:
            raise UsageError("a machine", seen="the testbed has none", where=self.testbed.name)
        machine = Machine(self.testbed.machine, self.journal)
        machine.ssh.permit = self.permit
        self._open.callback(machine.close)
        return machine

    @cached_property
    def adapter(self) -> Adapter:
        """Found by hardware id. Raises UsageError when two match, or when it is the one that carries SSH."""
        from hil.windows import Adapter

        if self.testbed.adapter is None:
            raise UsageError("an adapter", seen="the testbed has none", where=self.testbed.name)
        return Adapter.find(self.machine, self.testbed.adapter)

    @cached_property
    def hardware_ids(self) -> tuple[str, ...]:
        """Of the adapter, most specific first. Asked once: a package is read for it also while it is unplugged."""
        return self.adapter.device.state().hardware_ids

    @cached_property
    def partner(self) -> Partner:
        from hil.traffic import open_partner

        if self.testbed.partner is None:
            raise UsageError("a link partner", seen="the testbed has none", where=self.testbed.name)
        partner = open_partner(self.testbed.partner, self.journal, self.permit)
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
        from hil.instruments.roles import unobserved

        described = self.testbed.instruments
        key = name if name in described else next((key for key, one in described.items() if one.role == name), None)
        if key is None:
            raise UsageError(f"an instrument as {name}", seen=", ".join(described) or "none", where=self.testbed.name)
        if key not in self._instruments:
            one_of_many = described[key].role == "outlet" and len(self._feeds) > 1
            self._instruments[key] = opened = open_instrument(
                key, described[key], self.journal, state_dir=state_dir(self.testbed), permit=self.permit,
                observe=unobserved if one_of_many else self._observer(described[key].role), sessions=self._sessions,
            )  # fmt: skip
            self._open.callback(opened.close)
        return self._instruments[key]

    @cached_property
    def _sessions(self) -> Sessions:
        from hil.instruments.session import Sessions

        return Sessions()

    def _observer(self, role: str) -> Observe:
        """Who beside the instrument sees that something went off, or came on."""
        from hil.instruments import witnesses
        from hil.instruments.roles import unobserved

        if not self._witnessed:
            return unobserved
        if role in ("slot", "cable") and self.testbed.partner is not None and self.testbed.partner.direct:
            return witnesses.loss_of_link(lambda: self.partner)
        if role == "outlet" and self.has("meter"):
            return witnesses.power(lambda: self.meter)
        limit_w = self.testbed.machine.asleep_below_w if self.testbed.machine else None
        if role == "out_of_band" and self.has("meter") and limit_w is not None:
            return witnesses.running(lambda: self.meter, limit_w)
        return unobserved

    @property
    def outlet(self) -> Outlet:
        """The mains of the machine: all its feeds as one."""
        from hil.instruments import Feeds

        outlet: Outlet
        if len(self._feeds) > 1:
            outlet = Feeds("outlet", [self.instrument(name) for name in self._feeds], self._observer("outlet"))
        else:
            outlet = self.instrument("outlet")
        return outlet

    @property
    def _feeds(self) -> list[str]:
        return [name for name, one in self.testbed.instruments.items() if one.role == "outlet"]

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
    def out_of_band(self) -> OutOfBand:
        out_of_band: OutOfBand = self.instrument("out_of_band")
        return out_of_band

    @property
    def cable(self) -> Cable:
        cable: Cable = self.instrument("cable")
        return cable

    def to_rest(self) -> None:
        """Every instrument in its rest position (outlet on, slot plugged, cable connected), the machine on the network.

        All of it is tried; then what failed is raised, several as one BenchError. Raises LeaseLost at once.
        """
        failed: list[HilError] = []
        for part in (self.instruments_to_rest, self._machine_on):
            self.permit()
            try:
                part()
            except HilError as error:
                failed.append(error)
        _raise("the bench in its rest state", failed, self.testbed.name)

    def instruments_to_rest(self) -> None:
        """All of it is tried, then what did not come to rest is raised, as :meth:`to_rest`."""
        self.permit()
        failed = [error for name in self.movable() if (error := self._rest_failure(name)) is not None]
        _raise("instruments at rest", failed, self.testbed.name)

    def movable(self) -> list[str]:
        """The names of what can be switched, most urgent first."""
        named = [(described.role, name) for name, described in self.testbed.instruments.items()]
        return [name for role in _REST for its, name in named if its == role]

    def _rest_failure(self, name: str) -> HilError | None:
        described = self.testbed.instruments[name]
        on, off = _REST[described.role]
        if described.rest is None:
            return None
        try:
            getattr(self.instrument(name), on if described.rest == "on" else off)()
        except HilError as error:
            return error
        return None

    def _machine_on(self) -> None:
        """The machine answers again, if it was ever asked."""
        if self.connected and not self.machine.ssh.alive():
            self.reconnect(self.boot_timeout_s)

    def reconnect(self, timeout_s: float) -> None:
        """The machine on fresh connections, asked before or not; started where the meter sees it off or asleep."""
        self.start_by_button()
        self.machine_as_it_is.reconnect(timeout_s)

    def start_by_button(self, patience_s: float = _STARTS_WITHIN_S) -> bool:
        """Press the button of a machine that the meter sees off or asleep for so long; whether it was pressed.

        A press on one that runs would shut it down, so without a meter nobody presses.
        """
        limit_w = self.testbed.machine.asleep_below_w if self.testbed.machine else None
        if limit_w is None or not (self.has("button") and self.has("meter")):
            return False
        try:
            # one that starts by itself when the mains return does so in seconds
            wait_until(
                lambda: self.meter.read_w() > limit_w, what="the machine to draw power", timeout_s=patience_s,
                journal=self.journal, error=_DrawsNoPower,
            )  # fmt: skip
        except _DrawsNoPower:
            self.button.press()
            return True
        return False

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _raise(wanted: str, failed: Sequence[HilError], where: str) -> None:
    """The one that failed, as it is; several in one BenchError; nothing for none."""
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise BenchError(wanted, seen="; ".join(map(str, failed)), where=where) from failed[0]
