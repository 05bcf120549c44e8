"""Files and folders of the virtual drive as PowerShell shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psrpcore.types import PSInt64

from hil.virtual.powershell import PSRecord

if TYPE_CHECKING:
    from hil.virtual.windows.files import Files

_PROVIDER = "Microsoft.PowerShell.Core\\FileSystem"


def file_object(files: Files, path: Path) -> PSRecord:
    """FileInfo or DirectoryInfo."""
    full, status = files.windows_path(path), path.stat()
    folder = full.rpartition("\\")[0]
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    properties: dict[str, object] = {
        "PSPath": f"{_PROVIDER}::{full}", "PSParentPath": f"{_PROVIDER}::{folder}", "PSChildName": path.name,
        "PSDrive": PSRecord(("System.Management.Automation.PSDriveInfo",), {"Name": "C"}, "C"),
        "PSProvider": PSRecord(("System.Management.Automation.ProviderInfo",), {"Name": "FileSystem"}, _PROVIDER),
        "PSIsContainer": path.is_dir(), "Mode": "d----" if path.is_dir() else "-a---", "Name": path.name,
        "FullName": full, "Extension": path.suffix, "BaseName": path.stem, "Exists": True,
        "CreationTime": written, "CreationTimeUtc": written, "LastWriteTime": written, "LastWriteTimeUtc": written,
        "LastAccessTime": written, "LastAccessTimeUtc": written,
    }  # fmt: skip
    if path.is_dir():
        return PSRecord(("System.IO.DirectoryInfo", "System.IO.FileSystemInfo", "System.Object"), properties, full)
    properties |= {"Length": PSInt64(status.st_size), "DirectoryName": folder, "IsReadOnly": False}
    return PSRecord(("System.IO.FileInfo", "System.IO.FileSystemInfo", "System.Object"), properties, full)
