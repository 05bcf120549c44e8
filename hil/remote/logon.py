"""From an address to an authenticated SSH transport, and a message that tells apart what can go wrong on the way."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path

import paramiko

from hil.clock import Deadline
from hil.errors import UsageError
from hil.remote.errors import HostKeyMismatch, SshRefused, SshUnreachable
from hil.remote.transport import Transport
from hil.testbed.model import Secret, Ssh
from hil.testbed.secret import reveal

ADMINISTRATORS_TRAP = (
    "for an administrator the public key belongs into %ProgramData%\\ssh\\administrators_authorized_keys (not into "
    "the user's .ssh folder), and only Administrators and SYSTEM may have access to that file, or sshd ignores it; "
    "see Event Log OpenSSH/Operational and docs/preparing-a-machine.md"
)
_QUIET_LOG = "hil.paramiko"
_RSA_NAMES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


def log_on(ssh: Ssh, timeout_s: float) -> paramiko.Transport:
    """Connect, check the host key, authenticate; all within ``timeout_s``.

    Raises SshUnreachable, HostKeyMismatch, SshRefused; UsageError for a key file or pinned key that is no good.
    """
    deadline, where = Deadline(timeout_s), f"{ssh.host}:{ssh.port}"
    pinned = parse_host_key(ssh.host_key, where) if ssh.host_key.strip() else None
    key = load_key(ssh.key_file, ssh.key_passphrase)
    transport = negotiate(ssh.host, ssh.port, deadline, prefer=pinned[0] if pinned else None)
    try:
        check_host_key(transport.get_remote_server_key(), pinned, where)
        authenticate(transport, ssh, key, deadline)
    except BaseException:
        transport.close()
        raise
    return transport


def negotiate(host: str, port: int, deadline: Deadline, *, prefer: str | None = None) -> paramiko.Transport:
    """TCP, the banner and the key exchange. ``prefer`` is the type of host key to ask for first."""
    where = f"{host}:{port}"
    connected = _connect(host, port, deadline)
    try:
        _expect_banner(connected, deadline, where)
        connected.settimeout(None)
        transport = Transport(connected)
        transport.set_log_channel(_QUIET_LOG)
        # what paramiko's thread meets is raised to whoever asked; told a second time it looks like another error
        logging.getLogger(_QUIET_LOG).disabled = True
    except BaseException:
        connected.close()
        raise
    try:
        options = transport.get_security_options()
        if prefer is not None:
            names = _RSA_NAMES if prefer == "ssh-rsa" else (prefer,)
            options.key_types = (
                *(name for name in names if name in options.key_types),
                *(name for name in options.key_types if name not in names),
            )
        transport.banner_timeout = transport.handshake_timeout = max(0.1, deadline.remaining_s)
        transport.start_client(timeout=max(0.1, deadline.remaining_s))
        if not transport.initial_kex_done:
            raise SshUnreachable(
                f"an SSH key exchange within {deadline.timeout_s:g} s",
                seen="the server stopped answering in its middle", where=where,
                next_step="see whether the machine fell asleep or hangs",
            )  # fmt: skip
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise SshUnreachable(
            "an SSH key exchange", seen=str(error) or "the server closed the connection", where=where,
            next_step="see whether the machine is going down or starting, and the sshd log",
        ) from error  # fmt: skip
    except BaseException:
        transport.close()
        raise
    return transport


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    where = f"{host}:{port}"
    wanted = "a TCP connection to the machine's SSH server"
    try:
        connected = socket.create_connection((host, port), timeout=max(0.05, deadline.remaining_s))
    except socket.gaierror as error:
        raise SshUnreachable(
            wanted, seen=f"the name {host} is not known: {error}", where=where, next_step="check machine.ssh.host"
        ) from error
    except ConnectionRefusedError as error:
        raise SshUnreachable(
            wanted, seen="the port refuses connections: a computer answers, but no SSH server listens", where=where,
            next_step="check machine.ssh.port, and that service sshd runs on the machine (it may still be booting)",
        ) from error  # fmt: skip
    except TimeoutError as error:
        raise SshUnreachable(
            wanted, seen=f"no answer in {deadline.timeout_s:g} s: off, asleep, or a firewall drops it", where=where,
            next_step="see whether the machine has power and its management network is connected",
        ) from error  # fmt: skip
    except OSError as error:
        raise SshUnreachable(
            wanted, seen=f"unreachable: {os.strerror(error.errno or 0)}", where=where,
            next_step="check the management network of this computer",
        ) from error  # fmt: skip
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connected


def _expect_banner(connected: socket.socket, deadline: Deadline, where: str) -> None:
    """Look at the first bytes without taking them: SSH- says that an SSH server speaks (RFC 4253, 4.2)."""
    connected.settimeout(max(0.05, deadline.remaining_s))
    try:
        start = connected.recv(64, socket.MSG_PEEK)
    except TimeoutError as error:
        raise SshUnreachable(
            f"the banner of an SSH server within {deadline.timeout_s:g} s",
            seen="the connection stands but nothing is said: the machine is asleep, hangs, or is still booting",
            where=where, next_step="wake or restart the machine",
        ) from error  # fmt: skip
    except OSError as error:
        raise SshUnreachable(
            "the banner of an SSH server", seen=f"the connection was dropped: {error}", where=where,
            next_step="the machine may be going down or starting; sshd also drops clients above MaxStartups",
        ) from error  # fmt: skip
    if not start:
        raise SshUnreachable(
            "the banner of an SSH server", seen="the connection was closed at once", where=where,
            next_step="the machine may be going down or starting; sshd also drops clients above MaxStartups",
        )  # fmt: skip
    if not (start.startswith(b"SSH-") or b"\nSSH-" in start or b"SSH-".startswith(start)):
        raise UsageError(
            "an SSH server", seen=f"something else that says {start[:40]!r}", where=where,
            next_step="check machine.ssh.port",
        )  # fmt: skip


def parse_host_key(line: str, where: str) -> tuple[str, bytes]:
    """Type and blob of a pinned key, "ssh-ed25519 AAAA..." (a host name before it and a comment after it may stay)."""
    words = line.split()
    for kind, encoded in itertools.pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-")):
            with suppress(binascii.Error):
                return kind, base64.b64decode(encoded, validate=True)
    raise UsageError(
        'a host key such as "ssh-ed25519 AAAA..."', seen=repr(line), where=f"host_key of {where}",
        next_step="run hil check --trust-host-key to see the key that the machine offers",
    )  # fmt: skip


def fingerprint(blob: bytes) -> str:
    """As ssh-keygen -l shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def check_host_key(offered: paramiko.PKey, pinned: tuple[str, bytes] | None, where: str) -> None:
    """Raise HostKeyMismatch unless the key is the pinned one."""
    name, blob = offered.get_name(), offered.asbytes()
    if pinned is not None and blob == pinned[1]:
        return
    wanted = f"the pinned host key {pinned[0]} {fingerprint(pinned[1])}" if pinned else "a pinned host key; none is set"
    raise HostKeyMismatch(
        wanted, seen=f"the machine offers {name} {fingerprint(blob)}", where=where,
        next_step="if the machine was reinstalled, or this is its first time, compare the fingerprint at its console "
        "(ssh-keygen -lf) and pin the key with hil check --trust-host-key; if not, another computer answers there",
    )  # fmt: skip


def load_key(path: Path, passphrase: Secret | None) -> paramiko.PKey:
    """The private key. Raises UsageError that says what is wrong with the file."""
    try:
        secret = reveal(passphrase, "key_passphrase").encode() if passphrase else None
        # bytes, whatever the annotation says: cryptography takes nothing else
        key: paramiko.PKey = paramiko.PKey.from_path(path.expanduser(), secret)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise UsageError("the file named as key_file", seen="no such file", where=str(path)) from error
    except (paramiko.SSHException, ValueError, OSError, TypeError) as error:
        raise UsageError(
            "a private key in OpenSSH or PEM format", seen=str(error) or type(error).__name__, where=str(path),
            next_step="check the file, its permissions, and key_passphrase if it has one",
        ) from error  # fmt: skip
    return key


def authenticate(transport: paramiko.Transport, ssh: Ssh, key: paramiko.PKey, deadline: Deadline) -> None:
    """Log on with the key."""
    where = f"{ssh.user}@{ssh.host}:{ssh.port}"
    transport.auth_timeout = max(0.1, deadline.remaining_s)
    try:
        transport.auth_publickey(ssh.user, key)
    except paramiko.AuthenticationException as error:
        if deadline.expired:
            raise SshUnreachable(
                f"a logon within {deadline.timeout_s:g} s", seen="the server stopped answering", where=where
            ) from error
        raise SshRefused(
            f"logon of {ssh.user} with the key {ssh.key_file} {fingerprint(key.asbytes())}", seen=f"refused: {error}",
            where=where, next_step=ADMINISTRATORS_TRAP,
        ) from error  # fmt: skip
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise SshUnreachable(
            "an SSH logon", seen=str(error) or "the server closed the connection", where=where,
            next_step="the machine may be going down",
        ) from error  # fmt: skip
