"""Files arrive whole or not at all, and are not sent twice."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ssh_machine import SshMachine

from hil.errors import BenchError, UsageError
from hil.remote import ConnectionLost, SshSession, download, upload
from hil.remote.transfer import fetch, sftp_path


def test_a_file_goes_there_and_back(session: SshSession, machine: SshMachine, tmp_path: Path) -> None:
    """Drivers and dumps are megabytes of any bytes; folders on the way are made."""
    local, back = tmp_path / "a.bin", tmp_path / "b.bin"
    local.write_bytes(os.urandom(3_000_000))
    assert upload(session, local, r"C:\hil\new folder\a.bin")
    assert (machine.root / "hil/new folder/a.bin").read_bytes() == local.read_bytes()
    download(session, "C:/hil/new folder/a.bin", back)
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(local.read_bytes()).digest()


def test_an_equal_file_is_not_sent_again(session: SshSession, machine: SshMachine, tmp_path: Path) -> None:
    """Provisioning every night sends tools only when they changed, also when only the content did."""
    local = tmp_path / "tool.exe"
    local.write_bytes(b"one")
    assert upload(session, local, r"C:\hil\tool.exe")
    before = (machine.root / "hil/tool.exe").stat().st_ino
    assert not upload(session, local, r"C:\hil\tool.exe")
    assert (machine.root / "hil/tool.exe").stat().st_ino == before
    local.write_bytes(b"two")
    assert upload(session, local, r"C:\hil\tool.exe")
    assert (machine.root / "hil/tool.exe").read_bytes() == b"two"


def test_nothing_half_done_is_left(session: SshSession, machine: SshMachine, tmp_path: Path) -> None:
    """A target that cannot be replaced leaves no partial file behind that an installer could pick up."""
    local = tmp_path / "x"
    local.write_bytes(b"x")
    (machine.root / "folder/x").mkdir(parents=True)
    (machine.root / "folder/x/inside").touch()
    with pytest.raises(BenchError, match="the machine refuses") as caught:
        upload(session, local, r"C:\folder\x")
    assert not isinstance(caught.value, ConnectionLost)
    assert [path.name for path in (machine.root / "folder").iterdir()] == ["x"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest().upper()


def test_a_broken_transfer_goes_on_where_it_was(session: SshSession, machine: SshMachine, tmp_path: Path) -> None:
    """A kernel dump of hundreds of megabytes must not start anew each time a sick machine falls off the network.

    What is there of it is not read again: the beginning here is one that the machine does not even have any more.
    """
    whole = os.urandom(3_000_000)
    (machine.root / "MEMORY.DMP").write_bytes(b"\0" * 1_000_000 + whole[1_000_000:])
    local = tmp_path / "MEMORY.DMP"
    local.with_name("MEMORY.DMP.part").write_bytes(whole[:1_000_000])
    fetch(session, r"C:\MEMORY.DMP", local, sha256=sha256(whole))
    assert local.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["MEMORY.DMP"]


def test_the_beginning_of_another_file_is_thrown_away(
    session: SshSession, machine: SshMachine, tmp_path: Path
) -> None:
    """Half of yesterday's MEMORY.DMP and half of today's are no dump; the hash finds it, and all is fetched anew."""
    whole, local = os.urandom(200_000), tmp_path / "MEMORY.DMP"
    (machine.root / "MEMORY.DMP").write_bytes(whole)
    for stale in (bytes(50_000), bytes(300_000)):
        local.with_name("MEMORY.DMP.part").write_bytes(stale)
        fetch(session, r"C:\MEMORY.DMP", local, sha256=sha256(whole))
        assert local.read_bytes() == whole


def test_a_file_that_is_not_what_was_asked_for(session: SshSession, machine: SshMachine, tmp_path: Path) -> None:
    """A file that changes while it is read is refused, and nothing of it stays."""
    (machine.root / "log.txt").write_bytes(b"growing")
    with pytest.raises(BenchError, match="fetching it twice"):
        fetch(session, r"C:\log.txt", tmp_path / "log.txt", sha256=sha256(b"other"))
    with pytest.raises(BenchError, match="does not exist"):
        fetch(session, r"C:\nothing", tmp_path / "nothing", sha256=sha256(b""))
    assert list(tmp_path.iterdir()) == []


def test_missing_files(session: SshSession, tmp_path: Path) -> None:
    """Missing here is the person's to mend; missing there is the bench's; both are named."""
    with pytest.raises(UsageError, match="nowhere"):
        upload(session, tmp_path / "nowhere", r"C:\hil\x")
    with pytest.raises(BenchError, match=r"C:\\hil\\nothing"):
        download(session, r"C:\hil\nothing", tmp_path / "y")
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_falls_asleep_while_files_go(fresh_machine: SshMachine, tmp_path: Path) -> None:
    """A transfer to a sleeping machine ends at the pulse, not never: its window fills and the send would block."""
    local = tmp_path / "big"
    local.write_bytes(bytes(40_000_000))
    ssh = fresh_machine.ssh.model_copy(update={"keepalive_s": 0.2})
    with SshSession(ssh) as session:
        session.run("noop")
        fresh_machine.tell("stall")
        with pytest.raises(BenchError, match="sending big"):
            upload(session, local, r"C:\hil\big")


def test_windows_paths_over_sftp() -> None:
    """OpenSSH for Windows names drives as folders."""
    assert sftp_path(r"C:\a b\c") == sftp_path("C:/a b/c") == sftp_path("/C:/a b/c") == "/C:/a b/c"
