"""Defects of a driver package's life on Windows: install, upgrade, signature, removal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Fault

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench


class StaleImageAfterUpgrade(Fault):
    """The old image stays in memory after an upgrade: a device object that is never freed keeps it loaded."""

    caught_by: ClassVar = ("install",)

    def attach(self, bench: VirtualBench) -> None:
        self._files = bench.windows.files

    def loaded_image(self, path: str, *, previous: str | None) -> str:
        return previous if previous and self._files.exists(previous) else path


class BrokenSignatureAccepted(Fault):
    """Windows takes a package that was changed after signing: integrity checks were left off on the image of the PC."""

    caught_by: ClassVar = ("install",)

    def accepts_signature(self, accepted: bool) -> bool:
        return True


class PackageStaysInStore(Fault):
    """The uninstaller reports success, and the package stays in the driver store, to be bound again one day."""

    caught_by: ClassVar = ("install",)

    def deletes_package(self, deleted: bool) -> bool:
        return False


class OlderPackageWins(Fault):
    """An older package replaces the newer one: its INF matches a more specific hardware id than its successor's."""

    caught_by: ClassVar = ("install",)

    def attach(self, bench: VirtualBench) -> None:
        bench.windows.driver_store.prefers = lambda match, current: match.stored.published != current.inf


class SettingsLostOnUpgrade(Fault):
    """The INF deletes the driver key before it writes it: every advanced property is back at its default."""

    caught_by: ClassVar = ("install",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return dict(settings) | {"*ReceiveBuffers": "256"} if reason == "install" else settings


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
