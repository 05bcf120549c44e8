"""Files to and from the machine by SFTP, compared by SHA-256."""

from __future__ import annotations

from pathlib import Path

from hil.remote.ssh import SshSession


def upload(session: SshSession, local: Path, remote: str, *, timeout_s: float = 120.0) -> bool:
    """Make the remote file equal to the local one; False when it already was. ``remote`` is C:\\x\\y or C:/x/y.

    Missing folders are made. The file is written beside its target under a temporary name, read back, and renamed.
    Raises BenchError when what was read back differs, ConnectionLost or CommandTimeout as ``run``.
    """
    raise NotImplementedError


def download(session: SshSession, remote: str, local: Path, *, timeout_s: float = 120.0) -> None:
    """Fetch a file; written under a temporary name and renamed when complete. Raises BenchError when it is missing."""
    raise NotImplementedError
