"""A computer behind a real SSH server, on a thread of its own: what its programs do is told by who starts it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncssh

from hil.testbed import model

T = TypeVar("T")


class SshHost:
    """Context manager. ``run`` gets each command; with ``root``, SFTP serves that folder. ``ssh`` goes into a testbed.

    The keys are made in ``folder``. With ``drops`` each client is let in, and dropped at its
    first keep-alive.
    """

    def __init__(
        self, folder: Path, run: Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]],
        *, root: Path | None = None, drops: bool = False,
    ) -> None:  # fmt: skip
        self._drops = drops
        self._folder, self._run, self._root = folder, run, root
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: list[asyncssh.SSHServerConnection] = []

    def __enter__(self) -> Self:
        self._thread.start()
        user, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        (self._folder / "key").touch(mode=0o600)
        user.write_private_key(self._folder / "key")
        keys = asyncssh.import_authorized_keys(user.export_public_key().decode())
        files = str(self._root).encode() if self._root else None

        async def listen() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen(
                "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=keys, encoding=None,
                process_factory=self._run, acceptor=self._accepted,
                sftp_factory=(lambda channel: asyncssh.SFTPServer(channel, files)) if files else None,
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
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _accepted(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connections.append(connection)
        if self._drops:
            # asyncssh looks for a method of this name; only so is it certain that the logon was over
            connection._process_keepalive_at_openssh_dot_com_global_request = lambda _: connection.abort()  # type: ignore[attr-defined]

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for connection in self._connections:
            connection.close()
            await connection.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)
