"""Where a change of an adapter's setting goes: through the driver (and its faults) into the driver key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.windows import settings as advanced

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter
    from hil.virtual.windows.settings import Setting


def accepts(adapter: Adapter, setting: Setting, value: str) -> bool:
    """Whether this value may be written."""
    accepted = setting.accepts(value)
    if not adapter.port.under_test:
        return accepted
    return adapter.windows.bench.faults.accepts_setting(accepted, keyword=setting.keyword, value=value)


def write(adapter: Adapter, keyword: str, value: str) -> None:
    """Write one value; what the driver makes of it is what stands in its key afterwards."""
    before = {name: found.value for name, found in adapter.settings.items()}
    after = {**before, keyword: value}
    if adapter.port.under_test:
        after = {**adapter.windows.bench.faults.stored_settings(after, keyword=keyword, before=before)}
    for name, kept in after.items():
        if name == keyword or kept != before.get(name):
            advanced.write(adapter.windows.registry, adapter.node.driver_key, name, kept)


def reset(adapter: Adapter, setting: Setting) -> None:
    """Write the default of the INF; an optional setting without one is taken away."""
    default = setting.default
    if adapter.port.under_test:
        default = adapter.windows.bench.faults.default_setting(default, keyword=setting.keyword)
    if setting.optional and not default:
        path = f"{advanced.CLASS_KEY}\\{adapter.node.driver_key}"
        adapter.windows.registry.delete_value(path, setting.keyword)
    else:
        write(adapter, setting.keyword, default)


def stored(adapter: Adapter, keyword: str, otherwise: str) -> str:
    """What the driver key holds, whether the INF offers the setting or not."""
    path = f"{advanced.CLASS_KEY}\\{adapter.node.driver_key}"
    return str(adapter.windows.registry.get(path, keyword, otherwise))
