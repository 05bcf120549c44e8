"""A native program at work on the machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hil.errors import BenchError
from hil.remote import Command, CommandTimeout, Completed, ConnectionLost, PowerShellError
from hil.remote.quoting import join
from hil.wait import wait_until
from hil.windows.tools import TOOLS

if TYPE_CHECKING:
    from hil.remote import PowerShell, SshSession

_CHUNK = 65536
_START_S = 10.0
_ALIVE_S = 1.0


def end_programs(shell: PowerShell) -> int:
    """End every program that was sent to the machine and still runs, whoever started it; how many there were."""
    return _end(shell, lambda line: line.startswith(f"{TOOLS}\\".lower()))


def _end(shell: PowerShell, ours: Callable[[str], bool]) -> int:
    """End the programs with such a command line, as :func:`_plain` has it; how many there were."""
    running = Command("Get-CimInstance", ClassName="Win32_Process", Property=["ProcessId", "CommandLine"])
    ids = [int(row["ProcessId"]) for row in shell.run(running) if ours(_plain(str(row["CommandLine"] or "")))]
    if ids:
        shell.run(Command("Stop-Process", Id=ids, Force=True), check=False)
    return len(ids)


def _plain(line: str) -> str:
    """What stays of a command line, whatever shell started it: cmd.exe puts two blanks after the program."""
    return " ".join(line.replace('"', "").lower().split())


class RunningProcess:
    """Started on a channel of its own; output is read all the time, so that the program never blocks on a full pipe."""

    def __init__(self, session: SshSession, shell: PowerShell, args: Sequence[str]) -> None:
        self.args, self._session, self._shell = tuple(args), session, shell
        self._channel = session.open_channel()
        self._output: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._line = join(self.args)
        with session.operation(self._line, _START_S):
            self._channel.exec_command(self._line)
            self._channel.shutdown_write()
        sources = ((self._channel.recv, self._output["stdout"]), (self._channel.recv_stderr, self._output["stderr"]))
        self._readers = [threading.Thread(target=self._drain, args=source, daemon=True) for source in sources]
        for reader in self._readers:
            reader.start()

    @property
    def running(self) -> bool:
        return not self._channel.exit_status_ready() and not self._channel.closed

    @property
    def stdout(self) -> bytes:
        """What it wrote so far."""
        return bytes(self._output["stdout"])

    @property
    def exit_code(self) -> int | None:
        """Unsigned, as Windows writes it; None while it runs, and when the connection went away before its end."""
        code = -1 if self.running else self._channel.recv_exit_status()
        return code if code >= 0 else None

    def wait(self, timeout_s: float) -> Completed:
        """Its end. Raises BenchError when it still runs at the deadline, or when the connection went away first."""
        wait_until(lambda: not self.running, what=f"the end of {self.args[0]}", timeout_s=timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        code = self.exit_code
        if code is None:
            raise BenchError(f"the exit code of {self.args[0]}", seen="the connection went away before it ended")
        return Completed(self.args, code, self.stdout, bytes(self._output["stderr"]))

    def stop(self) -> None:
        """End it if it still runs; never raises for a machine that is gone.

        Closing its channel is not enough: sshd on Windows leaves a program running whose client went away
        (Win32-OpenSSH issue 1751).
        """
        was_running = self.running
        self._channel.close()
        if not was_running or not self._session.alive(_ALIVE_S):
            return
        try:
            _end(self._shell, lambda line: line == _plain(self._line))
        except (ConnectionLost, CommandTimeout, PowerShellError):
            return  # the machine goes away: what the test died of is the error to read

    @staticmethod
    def _drain(receive: Callable[[int], bytes], into: bytearray) -> None:
        try:
            while data := receive(_CHUNK):
                into += data
        except OSError:
            return  # the channel was closed under us: what came so far is what there is
