"""Where leases and the state of benches are kept, and how users share it."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import IO

from hil.errors import UsageError
from hil.testbed.model import Testbed

SHARED = Path("/var/lib/hil")
"""Used by default where an administrator made it, so that all users of this computer see each other's leases."""


def state_dir(testbed: Testbed) -> Path:
    """The testbed's own, or the one that all users share, or one per user."""
    if testbed.state_dir is not None or SHARED.is_dir():
        return testbed.state_dir or SHARED
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "hil"


def user_name() -> str:
    """Who runs this; in a container often a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return str(os.getuid())


def machine_folder(testbed: Testbed) -> Path:
    """Where the state of this machine is kept, by its address, so that two testbed files of one machine share it."""
    ssh = testbed.machine.ssh if testbed.machine else None
    bench = f"{ssh.host}_{ssh.port}".replace(":", "-") if ssh else testbed.name
    return state_dir(testbed) / bench


def open_shared(path: Path) -> IO[str]:
    """A file for reading and writing, made if need be, and as open to other users as the folder that it is in.

    A missing folder of a machine is made as open as the state folder. Raises UsageError when it cannot be written.
    """
    try:
        folder = path.parent
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(exist_ok=True)
            folder.chmod(folder.parent.stat().st_mode & 0o7777)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, folder.stat().st_mode & 0o666)
    except OSError as error:
        raise UsageError(
            "a folder for the state of benches that can be written", seen=str(error), where=str(path),
            next_step="name another one as state_dir in the testbed, or let your group write there",
        ) from error  # fmt: skip
    return os.fdopen(descriptor, "r+", encoding="utf-8")
