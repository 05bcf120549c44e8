"""A computer that is not what the testbed says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from hil.errors import UsageError
from hil.journal import Journal
from hil.testbed import model
from hil.windows import Machine


def shell_of_linux(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stderr.write("sh: 1: cmd: not found\n")
    process.exit(127)


class KeyServer(asyncssh.SSHServer):
    """Lets in whoever has the key."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._key.public_data


@pytest.fixture
def linux(tmp_path: Path) -> Iterator[model.Machine]:
    """An SSH server on loopback behind which no Windows stands."""
    key, host_key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    key_file = tmp_path / "id_ed25519"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.export_private_key())
    loop = asyncio.new_event_loop()
    how = {"server_factory": lambda: KeyServer(key), "process_factory": shell_of_linux, "server_host_keys": [host_key]}
    server = loop.run_until_complete(asyncssh.listen("127.0.0.1", 0, **how))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    pinned = " ".join(host_key.export_public_key().decode().split()[:2])
    ssh = model.Ssh(host="127.0.0.1", port=server.get_port(), user="me", key_file=key_file, host_key=pinned)
    yield model.Machine(ssh=ssh)
    asyncio.run_coroutine_threadsafe(close(server), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def close(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    await server.wait_closed()


def test_linux_is_refused(linux: model.Machine) -> None:
    """A testbed that points at the wrong computer is told so at once, before any file is written there."""
    with pytest.raises(UsageError, match="a Windows machine") as caught, Machine(linux, Journal()):
        pytest.fail("it was taken for Windows")
    assert "cmd: not found" in str(caught.value)
    assert "testbed" in str(caught.value)
