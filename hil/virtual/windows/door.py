"""What the SSH server opens onto: the user, the keys, the drive, the shell and the native programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncssh

from hil.virtual import tools
from hil.virtual.powershell import PowerShellHost
from hil.virtual.windows.cmdlets import modules
from hil.virtual.windows.sftp import DriveServer

if TYPE_CHECKING:
    from asyncssh.channel import SSHChannel

    from hil.virtual.bench import VirtualBench


class Door:
    """The host side of :class:`hil.virtual.ssh_server.SshServer` for one Windows."""

    def __init__(self, bench: VirtualBench, authorized_keys: Sequence[str]) -> None:
        self._bench = bench
        self.user = bench.windows.user
        self.authorized_keys = authorized_keys
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.shell = PowerShellHost(
            bench.windows, bench, modules(), bench.windows.files.read, bench.config.far_end, bench.windows.build
        )

    def files(self, channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
        return DriveServer(channel, self._bench.windows.files)

    async def execute(self, command_line: str, stdin: tools.Reader, stdout: tools.Writer, stderr: tools.Writer) -> int:
        """Run a native program as sshd does through cmd.exe; the exit code, 32 bits."""
        return await tools.execute(command_line, self._bench, stdin, stdout, stderr)
