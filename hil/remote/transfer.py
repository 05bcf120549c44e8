"""Files to and from the machine by SFTP, compared by SHA-256.

Read without paramiko's prefetch: it works in a thread that nobody owns, which dies with a traceback on the console when
the connection does. Over loopback it gives 110 MB/s instead of 85, over a bench's network less than that.
"""

from __future__ import annotations

import hashlib
import posixpath
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

import paramiko

from hil.errors import BenchError, UsageError
from hil.remote.errors import CommandTimeout
from hil.remote.ssh import GRACE_S, SshSession

_BLOCK = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def upload(session: SshSession, local: Path, remote: str, *, timeout_s: float = 120.0) -> bool:
    """Make the remote file equal to the local one; False when it already was. ``remote`` is C:\\x\\y or C:/x/y.

    Missing folders are made. The file is written beside its target under a temporary name, read back, and renamed.
    Raises UsageError when there is no local file, BenchError when what was read back differs, ConnectionLost when the
    machine went away or did not end in time.
    """
    try:
        wanted, size = _digest_of(local), local.stat().st_size
    except OSError as error:
        raise UsageError("a file to send to the machine", seen=str(error), where=str(local)) from error
    target = sftp_path(remote)
    with _sftp(session, f"sending {local.name} to {remote}", timeout_s) as sftp:
        if _is(sftp, target, size, wanted):
            return False
        _make_folders(sftp, posixpath.dirname(target))
        partial = f"{target}.{uuid.uuid4().hex[:8]}.part"
        try:
            sftp.put(str(local), partial, confirm=False)
            if not _is(sftp, partial, size, wanted):
                raise BenchError(
                    f"{remote} with SHA-256 {wanted}", seen="what was written reads back differently",
                    where=session.where, next_step="check the disk of the machine and its free space",
                )  # fmt: skip
            _replace(sftp, partial, target)
        except BaseException:
            with suppress(OSError, EOFError, paramiko.SSHException):
                sftp.remove(partial)
            raise
    return True


def download(
    session: SshSession, remote: str, local: Path, *, timeout_s: float = 120.0, limit_bytes: int | None = None
) -> None:
    """Fetch a file, or its first ``limit_bytes``; written under a temporary name and renamed when complete.

    Raises BenchError when it is missing.
    """
    partial = local.with_name(f"{local.name}.{uuid.uuid4().hex[:8]}.part")
    with _sftp(session, f"fetching {remote}", timeout_s) as sftp:
        try:
            if limit_bytes is None:
                sftp.get(sftp_path(remote), str(partial), prefetch=False)
            else:
                with sftp.open(sftp_path(remote), "rb") as file:
                    partial.write_bytes(file.read(limit_bytes))
            partial.replace(local)
        except FileNotFoundError as error:
            raise BenchError(f"the file {remote}", seen="it does not exist", where=session.where) from error
        finally:
            partial.unlink(missing_ok=True)


def fetch(session: SshSession, remote: str, local: Path, *, sha256: str, timeout_s: float = 1800.0) -> None:
    """Fetch a file of the known hash (hexadecimal); one that broke off before goes on where it was.

    What has arrived stays beside ``local`` as ``.part`` until it is whole. Raises BenchError when the file is missing,
    or when what arrived twice is not what was wanted.
    """
    partial = local.with_name(f"{local.name}.part")
    with _sftp(session, f"fetching {remote}", timeout_s) as sftp:
        for _ in range(2):
            try:
                _append(sftp, sftp_path(remote), partial)
            except FileNotFoundError as error:
                raise BenchError(f"the file {remote}", seen="it does not exist", where=session.where) from error
            if (seen := _digest_of(partial)).lower() == sha256.lower():
                partial.replace(local)
                return
            # another file of this name had begun to arrive, or the file grew since its hash was taken
            partial.unlink()
    raise BenchError(
        f"{remote} with SHA-256 {sha256}", seen=f"what arrived has {seen}", where=session.where,
        tried="fetching it twice", next_step="see whether something still writes to it",
    )  # fmt: skip


def _append(sftp: paramiko.SFTPClient, remote: str, partial: Path) -> None:
    """Bring what is missing at the end of ``partial``."""
    with sftp.open(remote, "rb") as file, partial.open("ab") as local:
        file.seek(local.tell())
        while block := file.read(_BLOCK):
            local.write(block)


def sftp_path(windows: str) -> str:
    """C:\\x\\y as OpenSSH for Windows names it over SFTP: /C:/x/y."""
    return "/" + windows.replace("\\", "/").lstrip("/")


@contextmanager
def _sftp(session: SshSession, what: str, timeout_s: float) -> Iterator[paramiko.SFTPClient]:
    with session.operation(what, timeout_s + GRACE_S):
        channel = session.open_channel(timeout_s=timeout_s, what=what)
        try:
            channel.settimeout(timeout_s)
            channel.invoke_subsystem("sftp")
            yield paramiko.SFTPClient(channel)
        except TimeoutError as error:
            raise CommandTimeout(what, seen=f"no answer for {timeout_s:g} s", where=session.where) from error
        except OSError as error:
            if not session.connected:
                raise
            raise BenchError(
                what, seen=f"the machine refuses: {error}", where=session.where,
                next_step="see whether the file is in use, the path is right, and the disk has space",
            ) from error  # fmt: skip
        finally:
            channel.close()


def _is(sftp: paramiko.SFTPClient, path: str, size: int, digest: str) -> bool:
    try:
        if sftp.stat(path).st_size != size:
            return False
        with sftp.open(path, "rb") as remote:
            return _sha256(remote) == digest
    except FileNotFoundError:
        return False


def _digest_of(local: Path) -> str:
    with local.open("rb") as file:
        return _sha256(file)


def _sha256(file: _Readable | IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _make_folders(sftp: paramiko.SFTPClient, folder: str) -> None:
    if folder in ("", "/"):
        return
    try:
        sftp.stat(folder)
    except FileNotFoundError:
        _make_folders(sftp, posixpath.dirname(folder))
        sftp.mkdir(folder)


def _replace(sftp: paramiko.SFTPClient, source: str, target: str) -> None:
    """Rename over what is there, also on servers without the POSIX rename extension."""
    try:
        sftp.posix_rename(source, target)
    except PermissionError:
        raise
    except OSError:
        with suppress(FileNotFoundError):
            sftp.remove(target)
        sftp.rename(source, target)
