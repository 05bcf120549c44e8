"""The bench made ready for a run, and what it then is, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.bench import Bench
from hil.package import Package
from hil.provision import provision as provision_machine
from hil.testbed.lease import machine_folder

if TYPE_CHECKING:
    from hil.windows import Adapter, DriverInfo
    from hil.windows.driver_store import DriverStore


def provision(bench: Bench, facts: dict[str, str]) -> None:
    """Provision the machine and bind the package under test; note in ``facts`` what is tested.

    Raises UsageError for what a person must mend, BenchError when the machine does not take a change,
    DriverInstallFailed when Windows refuses the package.
    """
    from hil.windows.driver_store import DriverStore

    machine, testbed = bench.machine, bench.testbed
    folder = machine_folder(testbed)
    folder.mkdir(parents=True, exist_ok=True)
    with bench.journal.span("step", "provision the machine") as outcome:
        outcome["done"] = str(provision_machine(machine, testbed, folder))
    os = machine.os()
    facts |= {"machine": os.computer_name, "Windows": f"{os.caption}, build {os.build}"}
    if testbed.packages is not None:
        package = Package.load(testbed.packages.current)
        facts |= {
            "package": f"{package.provider} {package.inf_name} {package.version} of {package.date}",
            "driver SHA-256": package.driver_sha256,
            "package folder": str(package.folder),
        }
        with bench.journal.span("step", f"bind {package.inf_name} {package.version}"):
            bind(bench.adapter, DriverStore(machine), package)
    with bench.journal.span("step", "provision the adapter") as outcome:
        outcome["done"] = str(provision_machine(machine, testbed, folder, bench.adapter))
    info = bench.adapter.wait_up()
    facts["adapter"] = f"{info.description}, {info.instance_id}, {info.link_mbps:g} Mbit/s"


def bind(adapter: Adapter, store: DriverStore, package: Package) -> DriverInfo:
    """Have this package bound to the adapter; it is installed if another one is, or none.

    Raises DriverInstallFailed, or the DutError of an adapter that does not come up on it.
    """
    if adapter.problem() != 0 or not is_bound(adapter.driver(), package):
        store.restore(package)
    adapter.wait_up()
    return adapter.driver()


def is_bound(driver: DriverInfo, package: Package) -> bool:
    """By what is in memory: the version alone would not tell two builds of one version apart."""
    return driver.version == package.version and driver.image_sha256 == package.driver_sha256
