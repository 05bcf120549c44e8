"""What is bound at the prompt: the names of the fixtures, each opened when it is first used."""

from __future__ import annotations

from collections.abc import Callable, KeysView
from functools import partial
from typing import TYPE_CHECKING, Any

from hil.errors import HilError
from hil.run.running import Running

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.package import Package
    from hil.windows import DriverInfo
    from hil.windows.driver_store import DriverStore

INSTRUMENTS = ("outlet", "slot", "meter", "button", "cable")
OF_THE_DRIVER = ("adapter", "driver", "store", "traffic")
"""The machine is made ready for these, as for a test: trust, tools, package and address."""


class Namespace(dict[str, Any]):
    """A namespace that opens what it is asked for; what does not answer is tried anew the next time."""

    def __init__(self, openers: dict[str, Callable[[], object]], **values: object) -> None:
        super().__init__(values)
        self._openers = openers

    def __missing__(self, name: str) -> object:
        """Called for a name that is not open yet. Raises KeyError, which Python tells as a NameError, and HilError."""
        self[name] = value = self._openers[name]()
        return value

    def __delitem__(self, name: str) -> None:
        """What is not open yet can be taken away too: IPython does, by :meth:`keys`, when it ends."""
        self.pop(name, None)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Also what is not open yet, for completion."""
        return {**dict.fromkeys(self._openers), **self}.keys()


def openers(running: Running) -> dict[str, Callable[[], object]]:
    """What opens each name on this bench."""
    bench = running.tenancy().bench
    of_the_driver: tuple[Callable[[], object], ...] = (
        lambda: bench.adapter, partial(_driver, bench), partial(_store, bench), lambda: bench.traffic,
    )  # fmt: skip
    found: dict[str, Callable[[], object]] = {"machine": lambda: bench.machine}
    found |= {name: partial(_ready, running, act) for name, act in zip(OF_THE_DRIVER, of_the_driver, strict=True)}
    found |= {name: partial(getattr, bench, name) for name in INSTRUMENTS if bench.has(name)}
    if bench.testbed.partner is not None:
        found["partner"] = lambda: bench.partner
    if bench.testbed.packages is not None:
        found["package"] = partial(_package, bench)
    return found


def _ready(running: Running, act: Callable[[], object]) -> object:
    try:
        running.provision()
    except HilError:
        running.tenancy().latched = None  # a person is here, who may mend it and try again
        raise
    return act()


def _store(bench: Bench) -> DriverStore:
    from hil.windows.driver_store import DriverStore

    return DriverStore(bench.machine)


def _package(bench: Bench) -> Package:
    from hil.package import Package

    assert bench.testbed.packages is not None
    return Package.load(bench.testbed.packages.current).for_device(bench.hardware_ids)


def _driver(bench: Bench) -> DriverInfo:
    return bench.adapter.driver()
