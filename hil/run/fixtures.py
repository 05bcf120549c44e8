"""What tests of a driver ask for by name. All but ``undo`` and ``record`` live as long as the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Protocol

import pytest

from hil.errors import UsageError
from hil.results.node_ids import base_id, number_of
from hil.run.session import SESSION

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.instruments import Button, Cable, Meter, Outlet, Slot
    from hil.journal import Journal
    from hil.package import Package
    from hil.provision.verification import Verification
    from hil.run.running import Running
    from hil.run.undo import Undo
    from hil.testbed.model import Limits
    from hil.traffic import Partner, Traffic
    from hil.windows import Adapter, DriverInfo, Machine
    from hil.windows.driver_store import DriverStore


class Record(Protocol):
    def __call__(
        self, name: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Keep a measurement in the results; the limits are only shown beside it, the test asserts them."""


class AsUsual(Protocol):
    def __call__(self, measurement: str, value: float, unit: str = "") -> None:
        """A figure of which more is better is not lower than this bench had it in earlier runs, but for noise.

        It is compared with what ``record`` kept under the same name. Raises BelowUsual.
        """


class Expect(Protocol):
    def __call__(self, *events: str) -> None:
        """As the marker: ``reboot``, ``power_loss``, ``bugcheck`` or ``reset`` is not held against the device."""


def _running(config: pytest.Config) -> Running:
    running = config.stash[SESSION].running
    assert running is not None, "fixtures are set up within a run"
    return running


@pytest.fixture(scope="session")
def journal(pytestconfig: pytest.Config) -> Journal:
    """The run's stream of what is done and seen: ``with journal.span("step", "pull the slot"):``."""
    return _running(pytestconfig).journal


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    """The whole bench; nothing on it is opened yet."""
    return _running(pytestconfig).tenancy().bench


@pytest.fixture(scope="session")
def limits(bench: Bench) -> Limits:
    """The testbed's thresholds."""
    return bench.testbed.limits


@pytest.fixture(scope="session")
def provisioned(pytestconfig: pytest.Config, bench: Bench) -> Bench:  # noqa: ARG001 - its order matters
    """The machine made ready (trust, tools, crash dumps, ...)."""
    return _running(pytestconfig).provision()


@pytest.fixture(scope="session")
def machine(provisioned: Bench) -> Machine:
    return provisioned.machine


@pytest.fixture(scope="session")
def adapter(provisioned: Bench) -> Adapter:
    return provisioned.adapter


@pytest.fixture
def store(pytestconfig: pytest.Config, machine: Machine) -> Iterator[DriverStore]:
    """The machine's driver store. A test that failed has what Windows noted of its changes among its artifacts."""
    from hil.run.setup_notes import keep_setup_log
    from hil.windows.driver_store import DriverStore

    running = _running(pytestconfig)
    # a restart that Windows asks for is not held against the device; whether it may ask is the test's question
    store = DriverStore(machine, restarting=lambda: running.recorder.expect("reboot"))
    yield store
    current = running.recorder.current
    if current is not None:  # there is none when a signal ended the run in the test's midst
        keep_setup_log(store, current, running.folder, running.journal)


@pytest.fixture(scope="session")
def verification(pytestconfig: pytest.Config, provisioned: Bench) -> Verification:  # noqa: ARG001 - its order matters
    """Driver Verifier for the driver under test: ``verification.start("ndis")``, then ``undo(verification.stop)``.

    Each is a restart of Windows, so the test is marked ``expects("reboot")``.
    """
    return _running(pytestconfig).tenancy().under_verifier.verification


def _on_disk(bench: Bench, which: str) -> Package:
    from hil.package import Package

    folder = getattr(bench.testbed.packages, which, None)
    if folder is None:
        raise UsageError(f"a {which} driver package", seen="none", where=bench.testbed.name, next_step="--package DIR")
    return Package.load(folder)


def _package(bench: Bench, which: str) -> Package:
    return _on_disk(bench, which).for_device(bench.hardware_ids)


@pytest.fixture(scope="session")
def package_on_disk(bench: Bench) -> Package:
    """The driver package under test, for no device in particular: nothing is asked of the machine."""
    return _on_disk(bench, "current")


@pytest.fixture(scope="session")
def package(bench: Bench) -> Package:
    """The driver package under test, with settings, service and driver as its INF has them for the adapter."""
    return _package(bench, "current")


@pytest.fixture(scope="session")
def previous_package(bench: Bench) -> Package:
    """The release before it; mark the test with ``requires("previous_package")``."""
    return _package(bench, "previous")


@pytest.fixture(scope="session")
def packages(bench: Bench) -> Callable[[str], Package]:
    """``packages("other")``: any of the testbed's, with ``current`` for the one under test.

    Mark the test with ``requires("other_package")``.
    """
    return cache(partial(_package, bench))


@pytest.fixture
def driver(provisioned: Bench, store: DriverStore, package: Package) -> DriverInfo:
    """What is bound to the adapter: the package under test, which is installed first if another one is bound."""
    from hil.run.provisioning import bind

    return bind(provisioned, store, package)


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
def chance(request: pytest.FixtureRequest) -> Random:
    """For what a test picks at random: the same in each run of the same seed, whatever other tests draw."""
    node_id = request.node.nodeid
    name = base_id(node_id) if number_of(node_id) == 1 else node_id
    return Random(f"{request.config.stash[SESSION].seed} {name}")


@pytest.fixture
def undo(pytestconfig: pytest.Config) -> Undo:
    """``slot.pull(); undo(slot.plug)``: runs last-in first-out when the test ends, however it ends."""
    return _running(pytestconfig).undo


@pytest.fixture
def record(pytestconfig: pytest.Config) -> Record:
    """``record("tcp send", 941.3, "Mbit/s", at_least=913.2)``."""
    return _running(pytestconfig).recorder.measure


@pytest.fixture
def as_usual(pytestconfig: pytest.Config) -> AsUsual:
    """``as_usual("tcp send", 941.3, "Mbit/s")``, after the absolute limit: a slow-down that it does not see fails."""
    return _running(pytestconfig).as_usual


@pytest.fixture
def expect(pytestconfig: pytest.Config) -> Expect:
    """``expect("power_loss")`` before the mains go off, where the marker ``expects`` would say too much."""
    return _running(pytestconfig).recorder.expect
