"""OpenSSH for Windows on the virtual machine: exec, the powershell subsystem and SFTP, over real TCP on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import asyncssh

from hil.virtual.powershell import PowerShellHost

if TYPE_CHECKING:
    from hil.virtual.faults.chain import FaultChain


class ByteReader(Protocol):
    async def read(self, n: int = -1) -> bytes: ...


class ByteWriter(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...


class SshHost(Protocol):
    """What the SSH server asks of the Windows model."""

    user: str
    authorized_keys: Sequence[str]
    """OpenSSH lines of administrators_authorized_keys; read at each logon."""
    host_key: asyncssh.SSHKey
    shell: PowerShellHost

    def files(self, channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        """A new SFTP session over the virtual disk; paths come as /C:/x, C:/x or C:\\x (the server's factory)."""
        ...

    async def execute(self, command_line: str, stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter) -> int:
        """Run a native program; the exit code as Windows has it (32 bits). Unknown programs answer as cmd.exe does."""
        ...


class SshServer:
    """The SSH service. All methods run on the bench's event loop.

    ``stall``: the machine sleeps or hangs; nothing is read or written any more, no FIN, new connections are not accepted.
    ``reset``: power lost; every connection gets RST and the port closes. ``command_count`` starts again at zero then.
    """

    def __init__(self, host: SshHost, faults: FaultChain) -> None:
        self.host, self.faults = host, faults
        self.command_count = 0

    async def start(self) -> int:
        """Listen on loopback; returns the port, which stays the same after ``listen_again``."""
        raise NotImplementedError

    def stall(self) -> None: ...

    def resume(self) -> None:
        """Go on with the connections that stalled, as after a short sleep."""

    def reset(self) -> None: ...

    async def listen_again(self) -> None:
        """The machine booted: accept connections on the same port."""

    async def close(self) -> None: ...
