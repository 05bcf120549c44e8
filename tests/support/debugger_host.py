"""A computer with a debugger behind a real SSH server: SFTP onto a folder, and one program, which really runs."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import asyncssh

from hil.testbed import model
from hil.virtual.tools.command_line import split

T = TypeVar("T")
PROGRAM = Path(__file__).with_name("kd_stand_in.py")


class DebuggerHost:
    """Context manager; ``settings`` go into a testbed. The stand-in answers to ``kd``; no other program is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.drive = folder / "C:"
        self.drive.mkdir(parents=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: list[asyncssh.SSHServerConnection] = []
        self.lines: list[str] = []

    def __enter__(self) -> DebuggerHost:
        self._thread.start()
        user, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        (self._folder / "key").touch(mode=0o600)
        user.write_private_key(self._folder / "key")
        keys = asyncssh.import_authorized_keys(user.export_public_key().decode())

        async def listen() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen(
                "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=keys, encoding=None,
                process_factory=self._run, acceptor=self._connections.append,
                sftp_factory=lambda channel: asyncssh.SFTPServer(channel, self._root),
            )  # fmt: skip

        self._server = self._do(listen())
        self.ssh = model.Ssh(
            host="127.0.0.1", port=self._server.get_port(), user="lab", key_file=self._folder / "key",
            host_key=host.export_public_key().decode().strip(),
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            self._server.close()
            await self._server.wait_closed()
            for connection in self._connections:
                connection.close()
                await connection.wait_closed()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def _root(self) -> bytes:
        return str(self._folder).encode()

    def settings(self, **fields: Any) -> model.Debugger:
        return model.Debugger(ssh=self.ssh, **{"symbols": r"srv*C:\symbols*https://symbols.example", **fields})

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
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
