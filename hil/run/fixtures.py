"""What tests of a driver ask for by name. All but ``undo`` and ``record`` live as long as the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.instruments import Button, Cable, Meter, Outlet, Slot
    from hil.journal import Journal
    from hil.package import Package
    from hil.run.undo import Undo
    from hil.testbed.model import Limits
    from hil.traffic import Partner, Traffic
    from hil.windows import Adapter, DriverInfo, DriverStore, Machine


class Record(Protocol):
    def __call__(
        self, name: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Keep a measurement in the results; the limits are only shown beside it, the test asserts them."""


class Expect(Protocol):
    def __call__(self, *events: str) -> None:
        """As the marker: ``reboot``, ``power_loss``, ``bugcheck`` or ``reset`` is not held against the device."""


@pytest.fixture(scope="session")
def journal() -> Journal:
    """The run's stream of what is done and seen: ``with journal.span("step", "pull the slot"):``."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def bench() -> Bench:
    """The whole bench; nothing on it is opened yet."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def limits(bench: Bench) -> Limits:
    """The testbed's thresholds."""
    return bench.testbed.limits


@pytest.fixture(scope="session")
def provisioned(bench: Bench) -> Bench:
    """The machine made ready (trust, tools, crash dumps, ...) and the package under test installed."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def machine(provisioned: Bench) -> Machine:
    return provisioned.machine


@pytest.fixture(scope="session")
def adapter(provisioned: Bench) -> Adapter:
    return provisioned.adapter


@pytest.fixture(scope="session")
def store(machine: Machine) -> DriverStore:
    """The machine's driver store."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def package(bench: Bench) -> Package:
    """The driver package under test."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def previous_package(bench: Bench) -> Package:
    """The release before it; mark the test with ``requires("previous_package")``."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def broken_package(bench: Bench) -> Package:
    """A package whose signature must be refused; mark the test with ``requires("broken_package")``."""
    raise NotImplementedError


@pytest.fixture
def driver(adapter: Adapter, package: Package) -> DriverInfo:
    """What is bound to the adapter: the package under test, which is installed first if another one is bound."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def partner(bench: Bench) -> Partner:
    return bench.partner


@pytest.fixture(scope="session")
def traffic(provisioned: Bench) -> Traffic:
    return provisioned.traffic


@pytest.fixture(scope="session")
def outlet(bench: Bench) -> Outlet:
    return bench.outlet


@pytest.fixture(scope="session")
def slot(bench: Bench) -> Slot:
    return bench.slot


@pytest.fixture(scope="session")
def meter(bench: Bench) -> Meter:
    return bench.meter


@pytest.fixture(scope="session")
def button(bench: Bench) -> Button:
    return bench.button


@pytest.fixture(scope="session")
def cable(bench: Bench) -> Cable:
    return bench.cable


@pytest.fixture
def undo() -> Undo:
    """``slot.pull(); undo(slot.plug)``: runs last-in first-out when the test ends, however it ends."""
    raise NotImplementedError


@pytest.fixture
def record() -> Record:
    """``record("tcp send", 941.3, "Mbit/s", at_least=913.2)``."""
    raise NotImplementedError


@pytest.fixture
def expect() -> Expect:
    """``expect("power_loss")`` before the mains go off, where the marker ``expects`` would say too much."""
    raise NotImplementedError
