"""Several faults seen as one: each hook passes its value through all of them in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hil.virtual.faults import _HOOKS, Fault

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class FaultChain(Fault):
    """What the model asks at each hook; empty on a golden bench."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._stands_on: VirtualBench | None = None
        for hook in _HOOKS:
            setattr(self, hook, partial(self._fold, hook))

    def attach(self, bench: VirtualBench) -> None:
        self._stands_on = bench
        for fault in self.faults:
            fault.attach(bench)

    def overrides(self, hook: str) -> bool:
        """Whether any fault changes this hook, so that hot paths can skip it."""
        return any(getattr(type(fault), hook) is not getattr(Fault, hook) for fault in self.faults)

    def _fold(self, hook: str, value: Any, /, **context: Any) -> Any:
        for fault in self.faults:
            if fault.since and self._version() < fault.since:
                continue
            value = getattr(fault, hook)(value, **context)
        return value

    def _version(self) -> tuple[int, ...]:
        """Of the driver that is bound to the adapter under test; empty without one."""
        adapter = self._stands_on.windows.devices.under_test() if self._stands_on else None
        driver = adapter.node.driver if adapter else None
        return tuple(int(part) for part in driver.version.split(".")) if driver else ()
