"""A computer with a debugger behind a real SSH server: SFTP onto a folder, and one program, which really runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncssh
from ssh_host import SshHost

from hil.testbed import model
from hil.virtual.tools.command_line import split

PROGRAM = Path(__file__).with_name("kd_stand_in.py")


class DebuggerHost(SshHost):
    """Context manager; ``settings`` go into a testbed. The stand-in answers to ``kd``; no other program is there."""

    def __init__(self, folder: Path) -> None:
        self.drive = folder / "C:"
        self.drive.mkdir(parents=True)
        self.lines: list[str] = []
        super().__init__(folder, self._debug, root=folder)

    def settings(self, **fields: Any) -> model.Debugger:
        return model.Debugger(ssh=self.ssh, **{"symbols": r"srv*C:\symbols*https://symbols.example", **fields})

    async def _debug(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        line = str(process.command)
        self.lines.append(line)
        program, *args = split(line)
        if program != "kd":
            process.stderr.write(f"'{program}' is not recognized as an internal or external command".encode())
            process.exit(1)
            return
        started = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), str(self.drive), *args, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await started.communicate()
        process.stdout.write(out)
        process.exit(started.returncode or 0)
