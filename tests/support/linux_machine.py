"""A computer with an SSH server on loopback behind which no Windows stands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from hil.testbed import model


@contextmanager
def linux_machine(folder: Path) -> Iterator[model.Ssh]:
    """How to reach it; ``folder`` gets the key."""
    key, host_key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    key_file = folder / "id_linux"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.export_private_key())
    loop = asyncio.new_event_loop()
    how = {"server_factory": lambda: _KeyServer(key), "process_factory": _shell, "server_host_keys": [host_key]}
    server = loop.run_until_complete(asyncssh.listen("127.0.0.1", 0, **how))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    pinned = " ".join(host_key.export_public_key().decode().split()[:2])
    try:
        yield model.Ssh(host="127.0.0.1", port=server.get_port(), user="me", key_file=key_file, host_key=pinned)
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _KeyServer(asyncssh.SSHServer):
    """Lets in whoever has the key."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._key.public_data


def _shell(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stderr.write("sh: 1: cmd: not found\n")
    process.exit(127)


async def _close(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    await server.wait_closed()
