r"""The driver store: packages in FileRepository, published as oemN.inf, ranked against each other for a device.

Sources: Microsoft, "How Windows ranks drivers", "Driver store", "pnputil command syntax" and reference power-pnp.md.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hil.errors import UsageError
from hil.package import Model, Package, Target, keywords
from hil.package import install as installs
from hil.virtual.windows import signing_policy
from hil.virtual.windows.signing_policy import FILE_NOT_FOUND, INVALID_DATA, SetupError, SignatureError
from hil.virtual.windows.state import BoundDriver, Devnode, RegistryValue

if TYPE_CHECKING:
    from hil.virtual.windows.setup_log import LogSection
    from hil.virtual.windows.system import Windows

REPOSITORY = r"C:\Windows\System32\DriverStore\FileRepository"
CATALOGS = r"C:\Windows\System32\CatRoot\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
INF_IN_USE = (0xE000023D, "One or more devices are presently installed using the specified INF.")
NOT_OEM_INF = (0xE000023C, "The specified file is not an installed OEM INF.")
"""SetupAPI's ERROR_NOT_AN_INSTALLED_OEM_INF; that pnputil ends with it is unconfirmed."""
_TRUSTED_RANK = 0x00FF0000
"""Signature score of a package that is not Microsoft's own; events.json shows it in Kernel-PnP 400."""
_COMPATIBLE_MODEL, _COMPATIBLE_DEVICE = 0x1000, 0x2000


@dataclass(frozen=True)
class StoredPackage:
    """One package in the store. Paths are Windows paths."""

    published: str
    package: Package
    folder: str

    @property
    def original_inf(self) -> str:
        return self.package.inf_name.lower()

    def install_of(self, model: Model) -> installs.Install:
        """What the INF says for one of its models."""
        return installs.read(self.package.inf, model, self.package.target)

    @property
    def services(self) -> dict[str, str]:
        """Service and image of the function driver of each of its models."""
        drivers = (self.install_of(model).function_driver for model in self.package.models)
        return {driver.name: driver.image_name for driver in drivers if driver}

    @property
    def released(self) -> datetime:
        day = self.package.date
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    @property
    def age_key(self) -> tuple[datetime, tuple[int, ...]]:
        """Date first, then version: the order of Windows between packages of one rank."""
        return self.released, tuple(int(part) for part in self.package.version.split("."))


@dataclass(frozen=True)
class Match:
    """A package that fits a device: the lower the rank, the better."""

    stored: StoredPackage
    model: Model
    device_id: str
    rank: int

    def beats(self, other: BoundDriver) -> bool:
        """Whether Windows replaces ``other`` by this one."""
        if self.rank != other.rank:
            return self.rank < other.rank
        version = tuple(int(part) for part in other.version.split("."))
        return self.stored.age_key > (other.date, version)


class DriverStore:
    """Third-party packages only. What is in it survives reboots and power cuts."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.target = Target(build=windows.build)
        self._packages: dict[str, StoredPackage] = {}
        self.prefers: Callable[[Match, BoundDriver], bool] = Match.beats
        """Whether a package replaces the driver that a device has; a fault may put another rule here."""
        windows.devices.may_load = self._may_load

    def all(self) -> list[StoredPackage]:
        """In the order of their numbers."""
        return sorted(self._packages.values(), key=lambda stored: int(stored.published[3:-4]))

    def find(self, published: str) -> StoredPackage | None:
        return self._packages.get(published.lower())

    # into the store and out of it

    def stage(self, inf_path: str, log: LogSection) -> tuple[StoredPackage, bool]:
        """Verify and copy the package of an INF; False when this very package was there. Raises SetupError."""
        package = self._read(inf_path)
        log.line("inf", f"Provider       = {package.provider}")
        log.line("inf", f"Class GUID     = {package.inf.class_guid}")
        log.line("inf", f"Driver Version = {package.date:%m/%d/%Y},{package.version}")
        log.line("inf", f"Catalog File   = {package.files[1].path if package.catalog else ''}")
        self._verify(package, log)
        folder = rf"{REPOSITORY}\{package.inf_name.lower()}_amd64_{_identity(package)}"
        known = next((stored for stored in self.all() if stored.folder == folder), None)
        if known:
            log.line("sto", f"Driver package already exists in Driver Store: {known.published}")
            return known, False
        stored = self._copy(package, folder)
        log.line("sto", f"Driver Store Path = {folder}\\{stored.original_inf}")
        log.line("sto", f"Published Inf Path = C:\\Windows\\INF\\{stored.published}")
        return stored, True

    def _read(self, inf_path: str) -> Package:
        files = self.windows.files
        if not files.exists(inf_path) or files.locate(inf_path).is_dir():
            raise SetupError(*FILE_NOT_FOUND)
        try:
            return Package.read(files.locate(inf_path), self.target)
        except UsageError as error:
            missing = isinstance(error.__cause__, FileNotFoundError)
            raise SetupError(*(FILE_NOT_FOUND if missing else INVALID_DATA)) from error

    def _verify(self, package: Package, log: LogSection) -> None:
        log.line("sig", "{_VERIFY_FILE_SIGNATURE}")
        try:
            signing_policy.check_package(self.windows, package)
        except SignatureError as error:
            log.error("sig", error.said)
            for finding in package.verify():
                log.error("sig", f"Verifying file against specific catalog failed: {finding.where.rpartition('/')[2]}")
            log.error("sig", f"Driver package failed signature validation. Error = 0x{error.code:08X}")
            log.error("sto", f"Failed to import driver package into Driver Store. Error = 0x{error.code:08X}")
            raise
        log.line("sig", "{_VERIFY_FILE_SIGNATURE exit(0x00000000)}")

    def _copy(self, package: Package, folder: str) -> StoredPackage:
        files = self.windows.files
        for file in package.files:
            files.copy_in(file.location, rf"{folder}\{file.path}")
        number = next(n for n in itertools.count() if f"oem{n}.inf" not in self._packages)
        published = f"oem{number}.inf"
        files.copy_in(package.files[0].location, rf"C:\Windows\INF\{published}")
        if package.catalog:
            files.copy_in(package.files[1].location, rf"{CATALOGS}\oem{number}.cat")
        staged = Package.read(files.locate(rf"{folder}\{package.inf_name}"), self.target)
        self._packages[published] = StoredPackage(published, staged, folder)
        return self._packages[published]

    async def delete(self, published: str, *, uninstall: bool, force: bool, log: LogSection) -> list[Devnode]:
        """Take a package out; the devices that lost it (they got the next best one, or none). Raises SetupError."""
        stored = self.find(published)
        if stored is None:
            log.error("sto", f"{published} is not an installed OEM INF")
            raise SetupError(*NOT_OEM_INF)
        devices = self.windows.devices
        users = devices.users(published)
        if users and not (uninstall or force):
            log.error("sto", f"{published} is in use by {users[0].instance_id}")
            raise SetupError(*INF_IN_USE)
        if self.windows.bench.faults.deletes_package(True):
            self._remove(stored)
        log.line("sto", f"{{Delete Driver Package: {stored.folder}\\{stored.original_inf}}}")
        for node in users if uninstall else ():
            await self._replace(node, log)
        others = {service for other in self.all() for service in other.services}
        for service in () if force else stored.services.keys() - others:
            if self.windows.bench.faults.deletes_service(True):
                self.windows.services.delete(service)
        return users if uninstall else []

    def _remove(self, stored: StoredPackage) -> None:
        number = stored.published[3:-4]
        del self._packages[stored.published]
        for path in (stored.folder, rf"C:\Windows\INF\{stored.published}", rf"{CATALOGS}\oem{number}.cat"):
            if self.windows.files.exists(path):
                self.windows.files.remove(path)

    async def _replace(self, node: Devnode, log: LogSection) -> None:
        """A device whose package goes gets the next best one; without one it stays unconfigured (problem 28)."""
        devices = self.windows.devices
        old = node.driver.inf if node.driver else ""
        await devices.stop(node)
        best = self.best_match(node, without=old)
        if best is None or not self.windows.bench.faults.finds_driver(True, occasion="removal"):
            devices.unbind(node)
            log.line("dvi", f"No driver left for {node.instance_id}")
            return
        devices.bind(node, bound(best))
        log.line("dvi", f"{node.instance_id} got {best.stored.published}")
        if node.present and not node.disabled:
            await devices.start(node, reason="install")

    # for devices

    def matches(self, node: Devnode) -> list[Match]:
        """Every package that fits a device, best first."""
        found = [match for stored in self.all() if (match := _match(stored, node)) is not None]
        return sorted(found, key=lambda match: (-match.rank, match.stored.age_key), reverse=True)

    def best_match(self, node: Devnode, *, without: str = "") -> Match | None:
        return next((match for match in self.matches(node) if match.stored.published != without.lower()), None)

    def best_driver(self, node: Devnode) -> BoundDriver | None:
        """What a device without driver gets."""
        best = self.best_match(node)
        return bound(best) if best else None

    async def install(self, stored: StoredPackage, log: LogSection) -> dict[str, bool]:
        """Put a package on every present device that it fits better than what is there.

        Instance id to whether it was installed; False is "up-to-date". Empty when no device matches.
        """
        outcome: dict[str, bool] = {}
        devices = self.windows.devices
        for node in devices.all():
            match = _match(stored, node) if node.present else None
            if match is None:
                continue
            better = node.driver is None or self.prefers(match, node.driver)
            outcome[node.instance_id] = better
            if not better:
                log.line("ndv", f"Device is up-to-date: {node.instance_id} runs {node.driver and node.driver.inf}")
                continue
            log.line("dvi", f"{{Install Device - {node.instance_id}}}")
            await self._give(node, bound(match), log)
        return outcome

    async def _give(self, node: Devnode, driver: BoundDriver, log: LogSection) -> None:
        """A device that runs is not restarted for a driver with the Reboot directive ("INF Reboot directive")."""
        devices = self.windows.devices
        if driver.reboot and node.started:
            devices.bind(node, driver)
            node.restart_needed = True
            log.line("dvi", "Device required reboot: INF install section has the Reboot directive.")
            return
        await devices.stop(node)
        devices.bind(node, driver)
        if not node.disabled:
            await devices.start(node, reason="install")
        log.line("dvi", f"Device Status: problem 0x{node.problem:x} (0x{node.problem_status:08x})")

    def _may_load(self, driver: BoundDriver) -> bool:
        if not driver.inf.lower().startswith("oem"):
            return True
        stored = self.find(driver.inf)
        files = self.windows.files
        image = files.read(driver.image_path) if files.exists(driver.image_path) else b""
        return signing_policy.may_load(self.windows, image, stored.package.catalog if stored else None)


def _identity(package: Package) -> str:
    """The hash in the name of a store folder; here over the bytes of all files."""
    return hashlib.sha256("".join(file.sha256 for file in package.files).encode()).hexdigest()[:16]


def _match(stored: StoredPackage, node: Devnode) -> Match | None:
    """The best way in which a package fits a device ("How Windows ranks drivers": identifier score)."""
    found: list[Match] = []
    identifiers = [(text, 0) for text in node.hardware_ids]
    identifiers += [(text, _COMPATIBLE_DEVICE) for text in node.compatible_ids]
    for position, (device_id, device_score) in enumerate(identifiers):
        for model in stored.package.models:
            known = [text.upper() for text in model.ids]
            if device_id.upper() in known:
                model_score = _COMPATIBLE_MODEL if known.index(device_id.upper()) else 0
                found.append(Match(stored, model, device_id, _TRUSTED_RANK + device_score + model_score + position))
    return min(found, key=lambda match: match.rank, default=None)


def bound(match: Match) -> BoundDriver:
    """What the device gets when Windows chooses this package."""
    stored, package = match.stored, match.stored.package
    install = stored.install_of(match.model)
    service = install.function_driver
    binary = service.binary if service else ""
    bare = [line.value(0).lower() for line in package.inf.lines(install.section) if line.key is None]
    image = binary.replace("%13%", stored.folder).replace("%12%", r"C:\Windows\System32\drivers")
    return BoundDriver(
        inf=stored.published, original_inf=stored.original_inf, provider=package.provider, version=package.version,
        date=stored.released, signer=package.signer, service=service.name if service else "", store_path=stored.folder,
        image_path=image, section=install.section, matching_id=match.device_id, rank=match.rank,
        description=match.model.description, software_key=_software_key(install),
        reboot="reboot" in bare,
    )  # fmt: skip


def _software_key(install: installs.Install) -> tuple[RegistryValue, ...]:
    """The device's driver key: AddReg below HKR, what the class installer reads, and each keyword at its default."""
    values = []
    for entry in install.registry:
        if entry.root == "HKR":
            data = list(entry.data) if isinstance(entry.data, tuple) else entry.data
            values.append(RegistryValue(entry.subkey, entry.name, entry.kind, data, entry.keeps))
    values += [RegistryValue("", name, "REG_DWORD", number) for name, number in install.network]
    settings = (keyword for keyword in keywords.read(install.registry) if not keyword.optional)
    return (*values, *(RegistryValue("", keyword.name, "REG_SZ", keyword.default, keeps=True) for keyword in settings))
