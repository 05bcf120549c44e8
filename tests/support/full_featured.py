"""An adapter that has every feature of the NetAdapter module: its driver key offers every keyword behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.faults import Fault
from hil.virtual.windows.features import FEATURES, Field
from hil.virtual.windows.settings import CLASS_KEY

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.adapters import Adapter


class AllFeatures(Fault):
    """No defect: offers what the sample package does not."""

    def attach(self, bench: VirtualBench) -> None:
        self._bench = bench

    def starts(self, started: bool, *, reason: str) -> bool:
        for adapter in self._bench.windows.devices.adapters:
            if adapter.port.under_test:
                for feature in FEATURES:
                    for field in feature.fields:
                        if field.is_flag and field.declared(adapter) is None:
                            self._offer(adapter, field)
        return started

    def _offer(self, adapter: Adapter, field: Field) -> None:
        registry = self._bench.windows.registry
        key = f"{CLASS_KEY}\\{adapter.node.driver_key}\\Ndi\\params\\{field.keyword}"
        for name, value in {"ParamDesc": field.keyword.strip("*"), "type": "enum", "default": "0"}.items():
            registry.set(key, name, value)
        for value in ("0", "1"):
            registry.set(f"{key}\\enum", value, "On" if value == "1" else "Off")
