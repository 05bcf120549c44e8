"""A computer that answers over SSH and is no Windows machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
from ssh_host import SshHost

from hil.testbed import model


@contextmanager
def linux_machine(folder: Path) -> Iterator[model.Ssh]:
    """How to reach it; ``folder`` gets the key."""
    with SshHost(folder, _shell) as host:
        yield host.ssh


async def _shell(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stderr.write(b"sh: 1: cmd: not found\n")
    process.exit(127)
