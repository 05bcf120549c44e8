"""The bench: machine, adapter, partner, traffic and instruments, each opened when first asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hil.errors import BenchError
from hil.journal import Journal
from hil.testbed.model import Testbed

if TYPE_CHECKING:
    from types import TracebackType

    from hil.instruments import Button, Cable, Meter, Outlet, Slot
    from hil.traffic import Partner, Traffic
    from hil.windows import Adapter, Machine


class Bench:
    """Assembled from an ordinary testbed; close() ends what was opened, newest first."""

    def __init__(self, testbed: Testbed, journal: Journal) -> None:
        self.testbed, self.journal = testbed, journal
        self._open = ExitStack()

    @cached_property
    def machine(self) -> Machine:
        """Connected. Raises BenchError when it cannot be reached or is not what the testbed says."""
        raise BenchError("a machine")

    @cached_property
    def adapter(self) -> Adapter:
        """Found by hardware id. Raises UsageError when it is the one that carries SSH."""
        raise BenchError("an adapter")

    @cached_property
    def partner(self) -> Partner:
        raise BenchError("a partner")

    @cached_property
    def traffic(self) -> Traffic:
        raise BenchError("traffic")

    def instrument(self, role: str) -> Any:
        """The instrument in this role, or of this name; opened and identified at first use."""
        raise BenchError(f"an instrument as {role}")

    @cached_property
    def outlet(self) -> Outlet:
        return self.instrument("outlet")  # type: ignore[no-any-return]

    @cached_property
    def slot(self) -> Slot:
        return self.instrument("slot")  # type: ignore[no-any-return]

    @cached_property
    def meter(self) -> Meter:
        return self.instrument("meter")  # type: ignore[no-any-return]

    @cached_property
    def button(self) -> Button:
        return self.instrument("button")  # type: ignore[no-any-return]

    @cached_property
    def cable(self) -> Cable:
        return self.instrument("cable")  # type: ignore[no-any-return]

    def to_rest(self) -> None:
        """Traffic off, outlet on, slot plugged, cable connected, machine on."""

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
