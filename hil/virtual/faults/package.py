"""Defects of a driver package's life on Windows: install, upgrade, downgrade, removal, and what the INF says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Fault

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.state import BoundDriver

NO_BETTER_DRIVER, REBOOT_REQUIRED, REBOOT_INITIATED = 259, 3010, 1641


class StaleImageAfterUpgrade(Fault):
    """The old image stays in memory after an upgrade: a device object that is never freed keeps it loaded."""

    caught_by: ClassVar = ("install",)

    def attach(self, bench: VirtualBench) -> None:
        self._files = bench.windows.files

    def loaded_image(self, path: str, *, previous: str | None) -> str:
        return previous if previous and self._files.exists(previous) else path


class ServiceNamesOldImage(Fault):
    """The service goes on naming the old .sys after an upgrade: the next boot brings the old driver back."""

    caught_by: ClassVar = ("install",)

    def service_image(self, path: str, *, previous: str) -> str:
        return previous


class VersionNotUpdated(Fault):
    """Windows goes on showing the old version and date: the co-installer writes them from its own table."""

    caught_by: ClassVar = ("install",)

    def bound_driver(self, driver: BoundDriver, *, previous: BoundDriver) -> BoundDriver:
        return replace(driver, version=previous.version, date=previous.date)


class NeighbourRebound(Fault):
    """The upgrade takes another maker's NIC along: both have a component of one name, and the younger one wins."""

    caught_by: ClassVar = ("install",)

    def neighbour_driver(self, driver: BoundDriver, *, installed: BoundDriver) -> BoundDriver:
        return replace(driver, version=installed.version)


class PackageStaysInStore(Fault):
    """The uninstaller reports success, and the package stays in the driver store, to be bound again one day."""

    caught_by: ClassVar = ("install",)

    def deletes_package(self, deleted: bool) -> bool:
        return False


class ServiceStays(Fault):
    """The driver's service is left behind when its last package goes: the next release finds a service of its name."""

    caught_by: ClassVar = ("install",)

    def deletes_service(self, deleted: bool) -> bool:
        return False


class OlderPackageWins(Fault):
    """An older package replaces the newer one: its INF matches a more specific hardware id than its successor's."""

    caught_by: ClassVar = ("install",)

    def attach(self, bench: VirtualBench) -> None:
        bench.windows.driver_store.prefers = lambda match, current: match.stored.published != current.inf


class YoungerBeatsBetterMatch(Fault):
    """A PC maker's younger package for the whole family replaces the one for this very board."""

    caught_by: ClassVar = ("install",)

    def attach(self, bench: VirtualBench) -> None:
        bench.windows.driver_store.prefers = lambda match, current: match.stored.released > current.date


class DowngradeLeavesNoDriver(Fault):
    """With the newer package gone the older one is not taken, and nobody is told: the device stays without a driver."""

    caught_by: ClassVar = ("install",)

    def finds_driver(self, found: bool, *, occasion: str) -> bool:
        return found and occasion != "removal"


class AbsentDeviceStaysBare(Fault):
    """A NIC that is plugged after its package was staged gets no driver: the driver database was not updated."""

    caught_by: ClassVar = ("install",)

    def finds_driver(self, found: bool, *, occasion: str) -> bool:
        return found and occasion != "arrival"


class RestartNotAskedFor(Fault):
    """The installer ends with 0 where a restart is needed: the old driver runs on, and all believe in the new one."""

    caught_by: ClassVar = ("install",)

    def exit_code(self, code: int, *, verb: str) -> int:
        return 0 if code == REBOOT_REQUIRED else code


class RestartNotTold(Fault):
    """The installer restarts Windows and says that nothing more is to be done."""

    caught_by: ClassVar = ("install",)

    def exit_code(self, code: int, *, verb: str) -> int:
        return 0 if code == REBOOT_INITIATED else code


class OlderSaidInstalled(Fault):
    """The installer says that it installed the older package, which was only put into the store."""

    caught_by: ClassVar = ("install",)

    def exit_code(self, code: int, *, verb: str) -> int:
        return 0 if code == NO_BETTER_DRIVER else code


class SettingsLostOnUpgrade(Fault):
    """The INF deletes the driver key before it writes it: every advanced property is back at its default."""

    caught_by: ClassVar = ("settings",)

    def keeps_setting(self, kept: bool, *, keyword: str) -> bool:
        return False


class SettingKeptThoughReset(Fault):
    """A property that the new INF sets anew keeps the user's value: a default that was mended reaches nobody."""

    caught_by: ClassVar = ("settings",)

    def keeps_setting(self, kept: bool, *, keyword: str) -> bool:
        return True


class OtherDefaultsThanTheInf(Fault):
    """The driver writes its own idea of the receive buffers at its first start, whatever default the INF names."""

    caught_by: ClassVar = ("install",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*ReceiveBuffers": "128"} if reason == "install" else settings


class HalfRateAfterUpgrade(Fault):
    """After an upgrade in place the new driver finds the rings of the old one, and uses half of them."""

    caught_by: ClassVar = ("install",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps / 2 if reason == "install" else mbps


class StartsOnlyWhenInstalled(Fault):
    """The driver starts when it was just installed and fails at every boot (code 10): a value it reads is volatile."""

    caught_by: ClassVar = ("install",)

    def starts(self, started: bool, *, reason: str) -> bool:
        return started and reason != "boot"


class KeywordOfWrongType(Fault):
    """The INF offers interrupt moderation as a number where the standard has an enumeration: the kit refuses it."""

    caught_by: ClassVar = ("package",)

    def written_inf(self, text: str) -> str:
        moderation = r"params\*InterruptModeration, type, 0, "
        return text.replace(f'{moderation}"enum"', f'{moderation}"edit"')


class FileOutsideTheStore(Fault):
    """The INF copies the driver to System32\\drivers as in the days before DIRID 13: no isolated package."""

    caught_by: ClassVar = ("package",)

    def written_inf(self, text: str) -> str:
        return text.replace("HilNic.copy = 13", "HilNic.copy = 12").replace(r"%13%\hilnic.sys", r"%12%\hilnic.sys")
