"""SFTP over the virtual C: drive, with the paths of OpenSSH for Windows (``/C:/hil/x``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncssh import SFTPNoSuchFile, SFTPOpUnsupported, SFTPServer

if TYPE_CHECKING:
    from hil.virtual.windows.files import Files


class DriveServer(SFTPServer):
    """One session. Symbolic links and owners are not offered, so that nothing outside the drive can be reached."""

    def __init__(self, channel: Any, files: Files) -> None:
        super().__init__(channel)
        self._files = files

    def map_path(self, path: bytes) -> bytes:
        try:
            return str(self._files.locate(path.decode("utf-8", "replace"))).encode()
        except FileNotFoundError as error:
            raise SFTPNoSuchFile(str(error)) from error

    def reverse_map_path(self, path: bytes) -> bytes:
        return ("/" + self._files.windows_path(Path(path.decode())).replace("\\", "/")).encode()

    def realpath(self, path: bytes) -> bytes:
        return self.reverse_map_path(self.map_path(path))

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002
        raise SFTPOpUnsupported("symbolic links need a privilege")

    def link(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002
        raise SFTPOpUnsupported("hard links are not offered")

    def setstat(self, path: bytes, attrs: Any, *, follow_symlinks: bool = True) -> None:  # noqa: ARG002
        """Times only: modes and owners of POSIX mean nothing on the drive."""
        if attrs.atime is not None and attrs.mtime is not None:
            os.utime(self.map_path(path), (attrs.atime, attrs.mtime))

    lsetstat = setstat

    def exit(self) -> None:
        """sftp-server.exe ends with 0; scp takes a session without an exit status for a failed one."""
        if not self.channel.is_closing():
            self.channel.exit(0)
