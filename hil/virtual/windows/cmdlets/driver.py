"""Get-WindowsDriver (Dism module). Property names: reference windows/cmdlets.json, unconfirmed there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSEnum, PSRecord, Switch

if TYPE_CHECKING:
    from hil.virtual.windows.driver_store import StoredPackage
    from hil.virtual.windows.system import Windows

cmdlets = Module("Dism")
_BASE = "Microsoft.Dism.Commands"
_ELEVATION = "The requested operation requires elevation."


@cmdlets.cmdlet("Get-WindowsDriver", default_set="Online", implemented_by=f"{_BASE}.GetWindowsDriverCommand")
def get_windows_driver(
    call: Call,
    Online: Annotated[Switch, Param(mandatory=True, set="Online")] = False,
    Path: Annotated[str | None, Param(mandatory=True, set="Offline")] = None,
    Driver: str | None = None,
    All: Switch = False,
    WindowsDirectory: str | None = None,
    SystemDrive: str | None = None,
    LogPath: str | None = None,
    ScratchDirectory: str | None = None,
    LogLevel: str | None = None,
) -> Iterator[PSRecord]:
    """Third-party packages of the running Windows; with -Driver, one of them with its devices."""
    windows: Windows = call.host
    if not windows.elevated:
        raise CmdletError(
            _ELEVATION, error_id=f"{_BASE}.GetWindowsDriverCommand", category="NotSpecified",
            exception="System.Runtime.InteropServices.COMException",
        )  # fmt: skip
    if Path is not None:
        raise CmdletError(
            f"The path '{Path}' is not a Windows image.", error_id=f"{_BASE}.GetWindowsDriverCommand",
            category="ObjectNotFound", target=Path,
        )  # fmt: skip
    store = windows.driver_store
    if Driver is None:
        yield from (_basic(windows, stored) for stored in store.all())
        return
    stored = store.find(Driver)
    if stored is None:
        raise CmdletError(
            f"The driver package {Driver} was not found.", error_id=f"{_BASE}.GetWindowsDriverCommand",
            category="ObjectNotFound", target=Driver,
        )  # fmt: skip
    yield from _advanced(windows, stored)


def _common(windows: Windows, stored: StoredPackage) -> dict[str, object]:
    package = stored.package
    version = [int(part) for part in package.version.split(".")]
    return {
        "Driver": stored.published, "OriginalFileName": rf"{stored.folder}\{stored.original_inf}", "Inbox": False,
        "CatalogFile": package.files[1].path if package.catalog else "", "ClassName": package.inf.class_name,
        "ClassGuid": package.inf.class_guid.upper(), "ClassDescription": "Network adapters", "BootCritical": False,
        "DriverSignature": PSEnum("Microsoft.Dism.Commands.DriverSignature", 2, "Signed"),
        "ProviderName": package.provider, "Date": stored.released, "Version": package.version,
        "MajorVersion": version[0], "MinorVersion": version[1], "Build": version[2], "Revision": version[3],
        "Path": "", "Online": True, "WinPath": "", "SysDrivePath": "", "RestartNeeded": False,
        "LogPath": r"C:\Windows\Logs\DISM\dism.log", "ScratchDirectory": "",
        "LogLevel": PSEnum("Microsoft.Dism.Commands.LogLevel", 3, "WarningsInfo"),
    }  # fmt: skip


def _basic(windows: Windows, stored: StoredPackage) -> PSRecord:
    return PSRecord((f"{_BASE}.BasicDriverObject", f"{_BASE}.DismObject"), _common(windows, stored), stored.published)


def _advanced(windows: Windows, stored: StoredPackage) -> Iterator[PSRecord]:
    """One object for each model of the INF."""
    package = stored.package
    for model in package.models:
        service = stored.install_of(model).function_driver
        properties = _common(windows, stored) | {
            "ManufacturerName": model.manufacturer, "HardwareDescription": model.description,
            "HardwareId": model.hardware_id, "CompatibleIds": "", "ExcludeIds": "",
            "ServiceName": service.name if service else "", "Architecture": 9,
        }  # fmt: skip
        yield PSRecord((f"{_BASE}.AdvancedDriverObject", f"{_BASE}.DismObject"), properties, stored.published)
