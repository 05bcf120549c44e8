r"""The C: drive: a folder of the host, with Windows paths, whatever their case."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

FOLDERS = (
    r"Windows\System32\drivers", r"Windows\System32\DriverStore\FileRepository", r"Windows\System32\CatRoot",
    r"Windows\INF", r"Windows\Minidump", r"Windows\LiveKernelReports", r"Windows\Temp", r"Program Files\PowerShell\7",
    r"ProgramData\ssh", r"Users\hil\AppData\Local\Temp",
)  # fmt: skip
VARIABLES = {
    "systemroot": r"C:\Windows", "windir": r"C:\Windows", "systemdrive": "C:", "programdata": r"C:\ProgramData",
    "programfiles": r"C:\Program Files", "userprofile": r"C:\Users\hil", "temp": r"C:\Users\hil\AppData\Local\Temp",
}  # fmt: skip


def expanded(text: str) -> str:
    """Replace %variables%, whatever their case; a name that is not set stays as it is."""
    return re.sub(r"%(\w+)%", lambda found: VARIABLES.get(found[1].lower(), found[0]), text)


class Files:
    r"""Paths are accepted as ``C:\x``, ``C:/x``, ``/C:/x``, ``%SystemRoot%\x``, ``\SystemRoot\x`` and ``\??\C:\x``.

    FileNotFoundError, FileExistsError and PermissionError are raised as the host raises them; a path on another drive,
    or one that leaves the drive, is FileNotFoundError.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in FOLDERS:
            (root / folder.replace("\\", "/")).mkdir(parents=True, exist_ok=True)

    def parts(self, path: str) -> list[str]:
        """The names below the drive. A relative path starts in the user's profile, as in a shell over SSH."""
        text = expanded(path.replace("/", "\\"))
        for prefix in ("\\??\\", "\\\\?\\", "Microsoft.PowerShell.Core\\FileSystem::", "FileSystem::"):
            text = text.removeprefix(prefix)
        if text.lower().startswith("\\systemroot\\"):
            text = "C:\\Windows" + text[len("\\systemroot") :]
        text = text.lstrip("\\") if text[1:3].lower() == "c:" else text
        if text[:2].lower() == "c:":
            text = text[2:]
        elif text[1:2] == ":":
            raise FileNotFoundError(f"Cannot find drive. A drive with the name '{text[0]}' does not exist.")
        elif not text.startswith("\\"):
            text = "\\Users\\hil\\" + text
        names: list[str] = []
        for name in text.split("\\"):
            if name == "..":
                del names[-1:]
            elif name not in ("", "."):
                names.append(name)
        return names

    def locate(self, path: str) -> Path:
        """The host's path: existing names as they are spelt on disk, others as they are given."""
        found = self.root
        for name in self.parts(path):
            if not (found / name).exists() and found.is_dir():
                name = next((entry for entry in os.listdir(found) if entry.lower() == name.lower()), name)
            found = found / name
        return found

    def windows_path(self, host_path: Path) -> str:
        r"""``C:\...`` of a path below the drive's folder."""
        return "C:\\" + "\\".join(host_path.relative_to(self.root).parts)

    def exists(self, path: str) -> bool:
        try:
            return self.locate(path).exists()
        except FileNotFoundError:
            return False

    def read(self, path: str) -> bytes:
        return self.locate(path).read_bytes()

    def write(self, path: str, content: bytes) -> str:
        r"""Write the file, with its folders; returns its path as ``C:\...``."""
        target = self.locate(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return self.windows_path(target)

    def copy_in(self, source: Path, path: str) -> str:
        """Copy a file of the host onto the drive."""
        target = self.locate(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return self.windows_path(target)

    def listing(self, path: str) -> list[Path]:
        return sorted(self.locate(path).iterdir(), key=lambda entry: entry.name.lower())

    def remove(self, path: str) -> None:
        """A file, or a folder with all that is in it."""
        target = self.locate(path)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
