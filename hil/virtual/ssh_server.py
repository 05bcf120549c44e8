"""OpenSSH for Windows on the virtual machine: exec, the powershell subsystem and SFTP, over real TCP on loopback.

What a client sees is that of openssh-psrp.md: exec goes to the machine's programs, ``pwsh -sshs`` (or the subsystem
"powershell") and Windows PowerShell 5.1 behind its stdin stub speak PSRP, ten sessions fit into a connection.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import logging
import re
import socket
import struct
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import asyncssh

from hil.virtual.gate import Gate, bound
from hil.virtual.powershell import PowerShellHost
from hil.virtual.psrp_server import PsrpServer

if TYPE_CHECKING:
    from asyncssh.channel import SSHChannel

    from hil.virtual.faults.chain import FaultChain

log = logging.getLogger(__name__)

DLL_INIT_FAILED = 0xC0000142
"""Exit code of a program for which there is no memory left in its session (ntstatus.h)."""
MAX_SESSIONS = 10
"""sshd_config MaxSessions: channels at once on one connection."""
_NO_PROMPT = b"the virtual machine has no prompt; name a command, for example: ssh ... whoami /groups\r\n"
_WORD = re.compile(r'"([^"]*)"|(\S+)')


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

    def files(self, channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
        """A new SFTP session over the virtual disk; paths come as /C:/x, C:/x or C:\\x."""
        ...

    async def execute(self, command_line: str, stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter) -> int:
        """Run a native program; the exit code as Windows has it (32 bits). Unknown programs answer as cmd.exe does."""
        ...


class SshServer:
    """The SSH service. All methods run on the bench's event loop.

    ``stall``: the machine sleeps or hangs; nothing is read or written any more, no FIN, and new connections are not
    accepted. ``reset``: power lost; every connection gets RST, the port closes, ``command_count`` starts at zero again.
    """

    def __init__(self, host: SshHost, faults: FaultChain) -> None:
        self.host, self.faults = host, faults
        self.command_count = 0
        self.port = 0
        self._gates: set[Gate] = set()
        self._stalled = False
        self._accepting: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reserved: socket.socket | None = None

    async def start(self) -> int:
        """Listen on loopback; returns the port, which stays the same after ``listen_again``."""
        self._reserved = bound(0)  # bound for good, so that nobody takes the port while the machine is off
        self.port = self._reserved.getsockname()[1]
        await self.listen_again()
        return self.port

    async def listen_again(self) -> None:
        """The machine booted: accept connections on the same port."""
        self._stalled = False
        if self._listener is None:
            self._listener = bound(self.port)
            self._listener.listen(64)
        self._accept()

    def stall(self) -> None:
        self._stalled = True
        self._stop_accepting()
        for gate in self._gates:
            gate.freeze()

    def forget(self) -> None:
        """Somebody in between lost track of the connections that stand: they are silent for good, new ones are not."""
        for gate in self._gates:
            gate.freeze()

    def resume(self) -> None:
        """Go on with the connections that stalled, as after a short sleep."""
        self._stalled = False
        for gate in self._gates:
            gate.thaw()
        if self._listener is not None:
            self._accept()

    def reset(self) -> None:
        self.command_count = 0
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for gate in tuple(self._gates):
            gate.reset()
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        self.reset()
        if self._reserved is not None:
            self._reserved.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def running(self, task: asyncio.Task[None] | None) -> None:
        """A task that power loss ends."""
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def ran_a_command(self) -> None:
        """Count it, and fall silent when a fault says so."""
        self.command_count += 1
        if self.faults.ssh_stalls(False, command_count=self.command_count):
            self.stall()

    def opened(self, connection: asyncssh.SSHServerConnection) -> Gate:
        """A connection began: put the gate between it and its socket."""
        gate = Gate(connection._transport)
        connection._transport = gate  # type: ignore[assignment] # asyncssh has no public place to freeze a connection
        self._gates.add(gate)
        if self._stalled:
            gate.freeze()
        return gate

    def closed(self, gate: Gate) -> None:
        self._gates.discard(gate)

    def _accept(self) -> None:
        if self._accepting is None:
            self._accepting = asyncio.get_running_loop().create_task(self._serve())

    def _stop_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None

    async def _serve(self) -> None:
        options = asyncssh.SSHServerConnectionOptions(
            server_factory=lambda: _Connection(self), server_host_keys=[self.host.host_key], encoding=None,
            server_version="OpenSSH_for_Windows_9.5", password_auth=False, kbdint_auth=False, keepalive_interval=0,
        )  # fmt: skip
        assert self._listener is not None
        while True:
            connected, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self.running(asyncio.get_running_loop().create_task(self._greet(connected, options)))

    async def _greet(self, connected: socket.socket, options: asyncssh.SSHServerConnectionOptions) -> None:
        try:
            await asyncssh.run_server(connected, options=options)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            log.info("SSH client did not get in: %s", error)


class _Connection(asyncssh.SSHServer):
    """One client: logon by key, and its sessions."""

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._gate: Gate | None = None
        self.sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._gate = self._server.opened(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        if self._gate is not None:
            self._server.closed(self._gate)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Against administrators_authorized_keys: the account is an administrator (sshd_config, Match Group)."""
        allowed = [asyncssh.import_public_key(line).public_data for line in self._server.host.authorized_keys]
        return username.lower() == self._server.host.user.lower() and key.public_data in allowed

    def session_requested(self) -> asyncssh.SSHServerSession[bytes] | bool:
        if self.sessions >= MAX_SESSIONS:
            return False
        self.sessions += 1
        return _Session(self, self._server)


class _Session(asyncssh.SSHServerProcess[bytes]):
    """One channel: SFTP, a native program, or PSRP (which is fed directly, to save the way through a stream)."""

    def __init__(self, connection: _Connection, server: SshServer) -> None:
        super().__init__(self._execute, server.host.files, 3, False)
        self._connection, self._server = connection, server
        self._shell: PowerShellHost | None = None
        self._psrp: PsrpServer | None = None

    def exec_requested(self, command: str) -> bool:
        self._shell = far_end_of(command, self._server.host.shell)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        if subsystem == "powershell" and self._server.host.shell.far_end == "pwsh":
            self._shell = self._server.host.shell
        return subsystem == "sftp" or self._shell is not None

    def shell_requested(self) -> bool:
        return True

    def session_started(self) -> None:
        if self._shell is None:
            super().session_started()
            return
        if not self._server.faults.shell_starts(True):
            self._exit(DLL_INIT_FAILED)
            return
        if self._shell.far_end == "powershell":
            self._chan.write(b"#< CLIXML\r\n", asyncssh.EXTENDED_DATA_STDERR)  # -EncodedCommand always says so
        self._psrp = PsrpServer(self._shell, self._chan.write, self._exit, self._server.ran_a_command)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._psrp is None:
            super().data_received(data, datatype)
        else:
            self._psrp.feed(data)

    def eof_received(self) -> bool:
        if self._psrp is None:
            return super().eof_received()
        self._psrp.stop()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.sessions -= 1
        if self._psrp is not None:
            self._psrp.abandon()
        super().connection_lost(exc)

    async def _execute(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._server.running(asyncio.current_task())
        if process.command is None:
            process.stderr.write(_NO_PROMPT)
            self._exit(1)
            return
        try:
            code = await self._server.host.execute(process.command, process.stdin, process.stdout, process.stderr)
        except (asyncssh.Error, OSError, ConnectionError) as error:
            log.info("client of %s went away: %s", process.command, error)
            return
        except Exception:
            log.exception("defect of the virtual bench in %s", process.command)
            process.stderr.write(traceback.format_exc().encode())
            code = 0xE0000001
        self._exit(code)
        self._server.ran_a_command()

    def _exit(self, code: int) -> None:
        """End with 32 bits of exit code (RFC 4254, 6.10), as Windows has it; asyncssh's own exit() keeps eight."""
        if not self._chan.is_closing():
            self._chan._send_request(b"exit-status", struct.pack(">I", code & 0xFFFFFFFF))
            self._chan.close()


def far_end_of(command_line: str, shell: PowerShellHost) -> PowerShellHost | None:
    """The PowerShell that this command line starts in server mode; None when it is some other program."""
    words = [quoted or plain for quoted, plain in _WORD.findall(command_line)]
    program = words[0].replace("/", "\\").rpartition("\\")[2].lower().removesuffix(".exe") if words else ""
    options = [word.lower() for word in words[1:]]
    if program == "pwsh" and shell.far_end == "pwsh":
        return shell if any("-sshservermode".startswith(word) and len(word) >= 5 for word in options) else None
    if program == "powershell" and _encoded_script(words).lower().find("-servermode") >= 0:
        return replace(shell, far_end="powershell")
    return None


def _encoded_script(words: Sequence[str]) -> str:
    """The script behind -EncodedCommand (base64 of UTF-16LE), or nothing."""
    for option, value in itertools.pairwise(words):
        if len(option) > 1 and "-encodedcommand".startswith(option.lower()):
            try:
                return base64.b64decode(value, validate=True).decode("utf-16-le")
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""
