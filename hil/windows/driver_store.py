"""The driver store of the machine: put packages in, list them, take them out.

Verdicts rest on exit codes and on Get-WindowsDriver, never on pnputil's words, which are localized. Exit codes:
Microsoft devtest/pnputil-return-values.md and reference windows/executables.json.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hil.errors import DriverInstallFailed
from hil.remote import Command, PSObject
from hil.windows import setup_log

if TYPE_CHECKING:
    from hil.package import Package
    from hil.windows.machine import Machine

FOLDER = r"C:\hil\packages"
PNPUTIL_TIMEOUT_S = 180.0
"""A network driver that hangs in its halt handler holds pnputil; Windows itself gives up after minutes."""
DONE, NO_BETTER_DRIVER, REBOOT_NEEDED, REBOOT_BEGUN = 0, 259, 3010, 1641
MEANINGS = {
    1: "bad command line",
    2: "a file is missing",
    5: "access denied: the session is not elevated",
    13: "the INF is invalid",
    NO_BETTER_DRIVER: "nothing matched, or the device already has a better driver",
    REBOOT_NEEDED: "done, reboot needed",
    REBOOT_BEGUN: "done, reboot under way",
    0x800B0100: "the catalog is not signed",
    0x800B0101: "a certificate is expired",
    0x800B010C: "a certificate is revoked",
    0x800B0111: "a certificate is among those that the machine distrusts",
    0x800B0109: "the chain ends in a root that the machine does not trust",
    0x80096010: "the catalog's signature is damaged",
    0xE000022F: "the package has no catalog",
    0xE000023C: "the INF is not in the store",
    0xE000023D: "a device still uses the package",
    0xE0000242: "the publisher is not trusted",
    0xE0000243: "the publisher is not trusted, and code integrity is enforced",
    0xE0000247: "the store could not take the package: its catalog is not signed, or by someone who is not trusted",
    0xE000024B: "a file is not what the catalog says: changed after it was signed",
}
_HINTS = {
    0x800B0109: "name the test certificate under packages in the testbed and run hil provision",
    0xE0000242: "name the test certificate under packages in the testbed and run hil provision",
    5: "log on with an administrator's account",
}


class PackageRefused(DriverInstallFailed):
    """pnputil ended with a code that is no success.

    ``exit_code_seen`` is that code, 32 bits without sign; ``setup_log`` the section of setupapi.dev.log that tells why.
    """

    def __init__(self, wanted: str, *, exit_code: int, where: str, log: str) -> None:
        self.exit_code_seen, self.setup_log = exit_code, log
        self.meaning = MEANINGS.get(exit_code, "unknown")
        seen = [f"pnputil exit code {exit_code} (0x{exit_code:X}): {self.meaning}", *setup_log.errors(log)]
        super().__init__(wanted, seen="\n".join(seen), where=where, next_step=_HINTS.get(exit_code, ""))


@dataclass(frozen=True)
class StoredDriver:
    """One third-party package in the store."""

    published: str
    """``oem3.inf``"""
    original_inf: str
    """File name of the INF that was added, lower case."""
    provider: str
    version: str
    date: datetime.date
    folder: str
    """In the store's FileRepository."""
    signature: str
    """Signed, Unsigned or Unknown, as DISM says."""

    def is_of(self, package: Package) -> bool:
        """Whether it is of the same driver (INF name and provider), in whichever version."""
        return (self.original_inf, self.provider) == (package.inf_name.lower(), package.provider)

    @property
    def age_key(self) -> tuple[datetime.date, tuple[int, ...]]:
        return self.date, tuple(int(part) for part in self.version.split(".") if part.isdigit())


@dataclass(frozen=True)
class InstallResult:
    """What became of a package that was added."""

    exit_code: int
    published: str
    new: bool
    """False when the store had this very package before."""
    reboot_needed: bool
    """The device goes on with what it had until Windows restarts (3010)."""

    @property
    def installed(self) -> bool:
        """Whether at least one device got the package now; False when one has it, or a better one, already."""
        return self.exit_code != NO_BETTER_DRIVER


class DriverStore:
    """The store of one machine.

    ``restarting`` is called at each restart of Windows for a package. :meth:`install`, :meth:`uninstall`,
    :meth:`remove_all` and :meth:`restore` make it when Windows asks for one, :meth:`add` and :meth:`delete` say so.
    """

    def __init__(self, machine: Machine, restarting: Callable[[], None] = lambda: None) -> None:
        self._machine, self._restarting = machine, restarting
        self._log_begin: int | None = None

    def list(self) -> tuple[StoredDriver, ...]:
        """Every third-party package, by published name."""
        found = self._machine.shell.run(Command("Get-WindowsDriver", Online=True), timeout_s=60.0)
        drivers = (_stored(record) for record in found)
        return tuple(sorted(drivers, key=lambda driver: (len(driver.published), driver.published)))

    def of(self, package: Package) -> tuple[StoredDriver, ...]:
        """Packages of the same driver (INF name and provider) in any version, oldest first."""
        return tuple(sorted(filter(lambda driver: driver.is_of(package), self.list()), key=lambda one: one.age_key))

    def versions(self, package: Package) -> tuple[str, ...]:
        """Which versions of this driver are in the store, oldest first."""
        return tuple(driver.version for driver in self.of(package))

    def install(self, package: Package) -> InstallResult:
        """:meth:`add`, to the end: with a restart of Windows when it asks for one."""
        result = self.add(package)
        if result.reboot_needed:
            self._restart()
        return result

    def add(self, package: Package, *, install: bool = True, reboot: bool = False) -> InstallResult:
        """Send the package, add it to the store and, with ``install``, put it on devices that it fits better.

        With ``reboot`` Windows restarts by itself if it has to; this comes back once it has, proven by its boot.
        Raises PackageRefused when Windows takes it not, DriverInstallFailed when it says yes and the store has it not.
        """
        machine = self._machine
        self._note_log()
        inf = self.send(package)
        with machine.journal.span("step", f"add {package.inf_name} {package.version}", inf=inf) as outcome:
            before = {driver.published for driver in self.list()}
            flags = ["/install"] * install + ["/reboot"] * reboot
            boot = machine.boot() if reboot else None
            done = machine.ssh.run(["pnputil", "/add-driver", inf, *flags], timeout_s=PNPUTIL_TIMEOUT_S)
            outcome["exit_code"] = done.exit_code
            if boot and done.exit_code == REBOOT_BEGUN:
                self._restarting()
                machine.wait_booted(after=boot)
            elif done.exit_code not in (DONE, NO_BETTER_DRIVER, REBOOT_NEEDED):
                raise self._refused(f"Windows to take {package.inf_name} {package.version}", done.exit_code, inf)
            stored = self._which(package, before)
            outcome["published"] = stored.published
        new, reboot = stored.published not in before, done.exit_code == REBOOT_NEEDED
        return InstallResult(done.exit_code, stored.published, new, reboot)

    def send(self, package: Package) -> str:
        """Upload the package into a folder named by its content; the INF's path there."""
        identity = hashlib.sha256("".join(file.sha256 for file in package.files).encode()).hexdigest()[:12]
        folder = rf"{FOLDER}\{package.inf_name.rpartition('.')[0]}-{package.version}-{identity}"
        for file in package.files:
            self._machine.upload(file.location, "\\".join([folder, *file.path.split("/")]))
        return rf"{folder}\{package.inf_name}"

    def delete(self, published: str, *, uninstall: bool = True) -> bool:
        """Take a package out; with ``uninstall`` its devices get the next best one. True when a reboot is needed.

        Raises PackageRefused, with 0xE000023D for a package in use that is not to be uninstalled.
        """
        machine = self._machine
        self._note_log()
        with machine.journal.span("step", f"delete {published}") as outcome:
            flags = ["/uninstall"] if uninstall else []
            done = machine.ssh.run(["pnputil", "/delete-driver", published, *flags], timeout_s=PNPUTIL_TIMEOUT_S)
            outcome["exit_code"] = done.exit_code
            if done.exit_code not in (DONE, REBOOT_NEEDED):
                raise self._refused(f"Windows to remove {published}", done.exit_code, published)
        return done.exit_code == REBOOT_NEEDED

    def uninstall(self, *published: str) -> None:
        """:meth:`delete`, to the end: with one restart of Windows when it asks for it."""
        if any([self.delete(name) for name in published]):
            self._restart()

    def remove_all(self, *packages: Package) -> None:
        """No version of these drivers stays; oldest first, so that no device is bound to one of them on the way."""
        self.uninstall(*dict.fromkeys(driver.published for package in packages for driver in self.of(package)))

    def restore(self, package: Package) -> None:
        """Make ``package`` the only one of its driver, and bound: what a test that changed packages undoes with."""
        self.uninstall(*(driver.published for driver in self.of(package) if not self.holds(driver, package)))
        self.install(package)

    def log(self) -> str:
        """What Windows noted in setupapi.dev.log since the first change that was made through this object."""
        return setup_log.since(self._machine, self._log_begin) if self._log_begin is not None else ""

    def _restart(self) -> None:
        self._restarting()
        self._machine.reboot()

    def _note_log(self) -> None:
        if self._log_begin is None:
            self._log_begin = setup_log.size(self._machine)

    def _which(self, package: Package, before: Iterable[str]) -> StoredDriver:
        """The entry that an add made, or found: Windows does not say which by any code."""
        same = [d for d in self.of(package) if (d.version, d.date) == (package.version, package.date)]
        new = [driver for driver in same if driver.published not in set(before)]
        candidates = new or same
        if len(candidates) > 1:
            candidates = [driver for driver in candidates if self.holds(driver, package)] or candidates
        if not candidates:
            raise DriverInstallFailed(
                f"{package.inf_name} {package.version} in the driver store", seen=f"versions {self.versions(package)}",
                where=self._machine.where, tried="pnputil /add-driver, which ended as a success",
            )  # fmt: skip
        return candidates[-1]

    def holds(self, driver: StoredDriver, package: Package) -> bool:
        """Whether this entry is the package, by INF and image: version and date of an altered one look the same."""
        if (driver.version, driver.date) != (package.version, package.date):
            return False
        wanted = {rf"{driver.folder}\{file.path.replace('/', chr(92))}": file.sha256 for file in package.told_by}
        return file_hashes(self._machine, *wanted) == [*wanted.values()]

    def _refused(self, wanted: str, exit_code: int, subject: str) -> PackageRefused:
        log = setup_log.last_section(self._machine, subject)
        self._machine.journal.event("observation", "setupapi.dev.log", subject=subject, section=log)
        return PackageRefused(wanted, exit_code=exit_code, where=self._machine.where, log=log)


def file_hashes(machine: Machine, *paths: str) -> list[str]:
    """SHA-256 of files on the machine, upper-case hexadecimal; one that is not there is left out."""
    found = machine.shell.run(Command("Get-FileHash", LiteralPath=list(paths), Algorithm="SHA256"), check=False)
    return [str(row["Hash"]).upper() for row in found]


def _day(value: object) -> datetime.date:
    """DISM's dates are midnights without a zone."""
    return value.date() if isinstance(value, datetime.datetime) else datetime.date.min


def _stored(record: PSObject) -> StoredDriver:
    folder, _, inf = str(record["OriginalFileName"]).rpartition("\\")
    return StoredDriver(
        published=str(record["Driver"]), original_inf=inf.lower(), provider=str(record["ProviderName"]),
        version=str(record["Version"]), date=_day(record["Date"]), folder=folder,
        signature=str(record["DriverSignature"]),
    )  # fmt: skip
