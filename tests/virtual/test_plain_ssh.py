"""The machine as people and scripts reach it: OpenSSH's own ssh, scp and sftp."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk import Desk

from hil.testbed.model import Virtual

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="openssh-client is not installed")
CONFIG = """\
Host box
  HostName {ssh.host}
  Port {ssh.port}
  User {ssh.user}
  IdentityFile {ssh.key_file}
  IdentitiesOnly yes
  StrictHostKeyChecking yes
  UserKnownHostsFile {folder}/known_hosts
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With a configuration of ssh for a machine that is up."""
    folder = tmp_path_factory.mktemp("ssh")
    with closing(Desk(folder, Virtual(timescale=0.01))) as desk:
        assert desk.testbed.machine is not None
        ssh = desk.testbed.machine.ssh
        (folder / "config").write_text(CONFIG.format(ssh=ssh, folder=folder))
        (folder / "known_hosts").write_text(f"[{ssh.host}]:{ssh.port} {ssh.host_key}\n")
        yield folder


def client(folder: Path, program: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [program, "-F", "config", *words]
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=20)


def test_command(folder: Path) -> None:
    """A command's text and exit code come through, as a person at a console sees them."""
    done = client(folder, "ssh", "box", "hostname")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "HIL-VM", "")
    assert client(folder, "ssh", "box", "cmd /c exit 5").returncode == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "has no prompt; name a command"),
        (("pwsh -Command Get-NetAdapter",), "through remoting only"),
        (("powershell.exe -File x.ps1",), "through remoting only"),
        (("nothing",), "'nothing' is not recognized"),
    ],
)
def test_what_it_cannot_do_is_said(folder: Path, words: tuple[str, ...], message: str) -> None:
    """No prompt and no scripts are here: whoever tries is told so, and does not wait for an answer."""
    done = client(folder, "ssh", "box", *words)
    assert done.returncode == 1
    assert message in done.stderr


def test_scp_there_and_back(folder: Path) -> None:
    """scp ends with success, which it takes from the exit status of the far end, and the bytes are the same."""
    (folder / "there").write_bytes(bytes(range(256)) * 1000)
    for words in (("there", "box:/C:/hil/copy.bin"), ("box:/C:/hil/copy.bin", "back")):
        done = client(folder, "scp", *words)
        assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "back").read_bytes() == (folder / "there").read_bytes()


def test_sftp_batch(folder: Path) -> None:
    """The file operations of a person who looks around; a missing file is named."""
    (folder / "note").write_text("x")
    steps = [
        "pwd", "mkdir /C:/hil/new", "put note /C:/hil/new/a", "rename /C:/hil/new/a /C:/hil/new/b", "ls -1 /C:/hil/new",
        "rm /C:/hil/new/b", "rmdir /C:/hil/new",
    ]  # fmt: skip
    done = client(folder, "sftp", "-b", "-", "box", stdin="\n".join(steps) + "\n")
    assert done.returncode == 0, done.stderr
    assert "/C:/Users/hil" in done.stdout
    assert "/C:/hil/new/b" in done.stdout
    missing = client(folder, "sftp", "-b", "-", "box", stdin="get /C:/nothing\n")
    assert missing.returncode == 1
    assert '"/C:/nothing" not found' in missing.stderr
