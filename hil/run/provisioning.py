"""The bench made ready for a run, and what it then is, for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hil.bench import Bench
from hil.errors import BenchError, DeviceMissing
from hil.package import Package
from hil.provision import provision as provision_machine
from hil.provision.verification import end_verification
from hil.testbed.state import machine_folder

if TYPE_CHECKING:
    from hil.windows import Adapter, DriverInfo
    from hil.windows.driver_store import DriverStore


def provision(bench: Bench, facts: dict[str, str]) -> None:
    """Bring the bench to rest, provision the machine and bind the package under test; note in ``facts`` what is tested.

    Raises UsageError for what a person must mend, BenchError when the machine does not take a change,
    DriverInstallFailed when Windows refuses the package.
    """
    from hil.windows import verifier
    from hil.windows.driver_store import DriverStore

    # a run that was killed may have left the slot pulled or the mains off
    bench.to_rest()
    machine, testbed = bench.machine, bench.testbed
    package = _fitting_package(bench)
    # nor may Driver Verifier stay on from it
    end_verification(machine, testbed, machine_folder(testbed))
    with bench.journal.span("step", "provision the machine") as outcome:
        outcome["done"] = str(provision_machine(machine, testbed, machine_folder(testbed)))
    os = machine.os()
    facts |= {
        "machine": os.computer_name, "Windows": f"{os.caption}, build {os.build}", "firmware": os.firmware,
        "instruments": "; ".join(
            f"{name}: {_or_why_not(partial(_identity, bench, name))}" for name in testbed.instruments
        ),
    }  # fmt: skip
    if package is not None:
        facts |= {
            "package": f"{package.provider} {package.inf_name} {package.version} of {package.date}",
            "driver version": str(package.version),
            "driver SHA-256": package.driver_sha256,
            "package SHA-256": package.content_sha256,
            "package folder": str(package.folder),
        }
        bind(bench, DriverStore(machine), package)
    else:
        give_address(bench)
    info = bench.adapter.wait_up()
    facts |= {
        "adapter": f"{info.description}, {info.instance_id}, {info.link_mbps:g} Mbit/s",
        "settings": settings_in_words(bench.adapter.settings()),
        "Driver Verifier": _or_why_not(lambda: str(verifier.read(machine))),
    }


def settings_in_words(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{keyword} {value}" for keyword, value in sorted(settings.items()))


def _identity(bench: Bench, name: str) -> str:
    """Who answers, with its firmware."""
    identity = bench.instrument(name).identity
    return f"{identity}, firmware {identity.firmware}" if identity.firmware else str(identity)


def _or_why_not(ask: Callable[[], str]) -> str:
    """A fact for the report; the test that needs what does not answer will end as error, and not all tests."""
    try:
        return ask()
    except BenchError as error:
        return f"not known: {error}"


def _fitting_package(bench: Bench) -> Package | None:
    """The package under test, for the adapter that is there: known before anything on the machine is changed.

    Raises BenchError when no such adapter is there: nothing was asked of the package yet, so it is not to blame.
    """
    try:
        hardware_ids = bench.hardware_ids
    except DeviceMissing as error:
        raise BenchError(
            error.wanted, seen=error.seen, where=error.where, tried=error.tried, next_step=error.next_step
        ) from error
    if bench.testbed.packages is None:
        return None
    return Package.load(bench.testbed.packages.current).for_device(hardware_ids)


def bind(bench: Bench, store: DriverStore, package: Package) -> DriverInfo:
    """Have this package bound to the adapter, and the adapter up at its address; it is installed if another one is.

    Raises DriverInstallFailed, or the DutError of an adapter that does not come up on it.
    """
    adapter = bench.adapter
    if adapter.problem() != 0 or not is_bound(adapter, package):
        with bench.journal.span("step", f"bind {package.inf_name} {package.version}"):
            store.restore(package)
    adapter.wait_up()
    give_address(bench)
    return adapter.driver()


def is_bound(adapter: Adapter, package: Package) -> bool:
    """By the image in memory and the published INF: the version would not tell two builds of one version apart."""
    from hil.windows.driver_store import file_hashes
    from hil.windows.setup_log import FOLDER

    driver, (inf, image) = adapter.driver(), package.told_by
    return (
        (driver.version, driver.image_sha256) == (package.version, image.sha256)
        and file_hashes(adapter.machine, rf"{FOLDER}\{driver.inf}") == [inf.sha256]
    )


def give_address(bench: Bench) -> None:
    """The address for traffic, which an adapter loses with its driver."""
    wanted = bench.testbed.adapter
    if wanted is not None and wanted.address not in bench.adapter.addresses():
        with bench.journal.span("step", "provision the adapter") as outcome:
            folder = machine_folder(bench.testbed)
            outcome["done"] = str(provision_machine(bench.machine, bench.testbed, folder, bench.adapter))
