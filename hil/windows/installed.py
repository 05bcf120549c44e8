"""What Windows has of a driver, at every place where it can differ from the package; and what it has of other devices.

An install is several truths: what the store holds, what the devnode is bound to, what the service names, what is in
memory. Each went wrong in the field while the others looked right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from hil.remote import Command
from hil.windows.device import problem_name
from hil.windows.driver_store import file_hashes

if TYPE_CHECKING:
    from hil.package import Package
    from hil.windows.adapter import Adapter
    from hil.windows.driver_store import DriverStore, StoredDriver
    from hil.windows.machine import Machine


def differences(
    adapter: Adapter, store: DriverStore, package: Package, listing: Sequence[StoredDriver] | None = None
) -> list[str]:
    """In sentences, what of the adapter's driver is not the package's; ``listing`` is the store's, if it is at hand.

    Raises DutError when no driver is bound.
    """
    return list(_differences(adapter, store, package, store.list() if listing is None else listing))


def _differences(
    adapter: Adapter, store: DriverStore, package: Package, listing: Sequence[StoredDriver]
) -> Iterator[str]:
    driver, problem = adapter.driver(), adapter.problem()
    if problem:
        yield f"the device has problem {problem_name(problem)}"
    published = [entry.published for entry in listing if entry.is_of(package) and store.holds(entry, package)]
    if driver.inf not in published:
        yield f"bound to {driver.inf}, and the store has the package as {', '.join(published) or 'nothing'}"
    for what, seen, wanted in (
        ("version", driver.version, package.version), ("date", driver.date, package.date),
        ("provider", driver.provider, package.provider), ("signer", driver.signer, package.signer),
        ("service", driver.service, package.service),
    ):  # fmt: skip
        if seen != wanted:
            yield f"{what} {seen}, the package says {wanted}"
    binary, digest = service_binary(adapter.machine, package.service)
    if digest != package.driver_sha256:
        yield f"the service names {binary or 'no file'}, which is not the package's {package.driver}"
    if driver.image_sha256 != package.driver_sha256:
        yield f"another image is in memory: {driver.image_path or 'none'}"
    elif (driver.image_path or "").lower() != binary.lower():
        yield f"the image in memory is {driver.image_path}, the service names {binary}"


def service_binary(machine: Machine, service: str) -> tuple[str, str]:
    """Path of the file that a driver's service starts, and its SHA-256 (hex, upper case); empty without such."""
    found = machine.shell.run(Command("Get-CimInstance", ClassName="Win32_SystemDriver", Filter=f"Name='{service}'"))
    path = str(found[0]["PathName"] or "") if found else ""
    if not path:
        return "", ""
    return path, next(iter(file_hashes(machine, path)), "")


def surroundings(adapter: Adapter, listing: Sequence[StoredDriver], drivers: Iterable[Package]) -> dict[str, str]:
    """Other network devices with what each is bound to, and packages in the store's listing of other drivers.

    What an install must leave as it is: compare before and after.
    """
    rows = adapter.machine.shell.run(
        Command("Get-CimInstance", ClassName="Win32_PnPSignedDriver", Filter="DeviceClass='NET'")
    )
    devices = {
        str(row["DeviceID"]): f"{row['InfName']} {row['DriverVersion']}" for row in rows
        if str(row["DeviceID"]).lower() != adapter.instance_id.lower()
    }  # fmt: skip
    own = tuple(drivers)
    packages = {
        entry.published: f"{entry.original_inf} {entry.version}" for entry in listing
        if not any(entry.is_of(package) for package in own)
    }  # fmt: skip
    return devices | packages
