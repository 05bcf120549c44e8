"""The SSH server of the virtual machine, used by OpenSSH's own programs and watched at the socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from ssh_machine import SshMachine

from hil.virtual.powershell import Module, PowerShellHost
from hil.virtual.ssh_server import far_end_of

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the program ssh (openssh-client)")


@pytest.fixture(scope="module")
def machine() -> Iterator[SshMachine]:
    with SshMachine() as machine:
        yield machine


@pytest.fixture
def fresh_machine() -> Iterator[SshMachine]:
    with SshMachine() as machine:
        yield machine


def client(machine: SshMachine, program: str, *args: str, user: str = "hil", key: Path | None = None) -> list[str]:
    """A command line of ssh or sftp that knows nothing but this machine."""
    known_hosts = machine.key_file.with_name("known_hosts")
    known_hosts.write_text(f"[127.0.0.1]:{machine.port} {machine.host_key}\n")
    settings = {
        "UserKnownHostsFile": str(known_hosts), "GlobalKnownHostsFile": "none", "StrictHostKeyChecking": "yes",
        "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "ConnectTimeout": "5",
    }  # fmt: skip
    line = [program, "-F", "none", "-i", str(key or machine.key_file), "-o", f"Port={machine.port}"]
    for name, value in settings.items():
        line += ["-o", f"{name}={value}"]
    return [*line, "-b", "-", f"{user}@127.0.0.1"] if program == "sftp" else [*line, f"{user}@127.0.0.1", *args]


def ssh(machine: SshMachine, *args: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(client(machine, "ssh", *args, **more), capture_output=True, timeout=20)  # type: ignore[arg-type]


def test_openssh_runs_programs(machine: SshMachine) -> None:
    """OpenSSH's client gets output, errors and exit codes; it shares no code with either half of ours."""
    done = ssh(machine, "echo", "hello")
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")
    done = ssh(machine, "nosuch")
    assert done.returncode == 1 and b"not recognized" in done.stderr
    piped = subprocess.run(client(machine, "ssh", "cat"), input=b"x" * 300_000, capture_output=True, timeout=20)
    assert piped.stdout == b"x" * 300_000


def test_a_wrong_key_or_user_is_refused(machine: SshMachine, tmp_path: Path) -> None:
    """Only keys of administrators_authorized_keys and the machine's own account come in; there is no password logon."""
    other = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(other))
    other.chmod(0o600)
    for refused in (ssh(machine, "echo", key=other), ssh(machine, "echo", user="guest")):
        assert refused.returncode == 255 and b"Permission denied (publickey)" in refused.stderr


def test_unknown_subsystems_and_shells_are_refused(machine: SshMachine) -> None:
    """A subsystem that sshd_config does not name fails at once, with OpenSSH's own words at the client."""
    assert b"subsystem request failed" in ssh(machine, "-s", "nosuch").stderr
    assert ssh(machine).returncode != 0


def test_sftp_of_openssh(machine: SshMachine, tmp_path: Path) -> None:
    """Files go there and back with OpenSSH's sftp, under Windows' names."""
    local, back = tmp_path / "a", tmp_path / "b"
    local.write_bytes(os.urandom(100_000))
    batch = f"mkdir /C:/d\nput {local} /C:/d/a.bin\nrename /C:/d/a.bin /C:/d/b.bin\nget /C:/d/b.bin {back}\n"
    done = subprocess.run(client(machine, "sftp"), input=batch.encode(), capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == local.read_bytes() == (machine.root / "d/b.bin").read_bytes()


def greeted(machine: SshMachine) -> socket.socket:
    """A TCP connection on which the server has said its banner."""
    connection = socket.create_connection(("127.0.0.1", machine.port), timeout=5)
    assert connection.recv(256).startswith(b"SSH-2.0-OpenSSH_for_Windows")
    return connection


def test_stall_is_silence(fresh_machine: SshMachine) -> None:
    """Asleep: no FIN, no byte, no new connection served; afterwards all goes on. Windows in S3 is like that."""
    running = subprocess.Popen(client(fresh_machine, "ssh", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None and running.stdout is not None
    running.stdin.write(b"before\n")
    running.stdin.flush()
    assert running.stdout.readline() == b"before\n"
    fresh_machine.tell("stall")
    running.stdin.write(b"during\n")
    running.stdin.flush()
    late = socket.create_connection(("127.0.0.1", fresh_machine.port), timeout=5)
    late.settimeout(0.3)
    with pytest.raises(TimeoutError):
        late.recv(1)
    os.set_blocking(running.stdout.fileno(), False)
    assert running.stdout.read() is None and running.poll() is None
    os.set_blocking(running.stdout.fileno(), True)
    fresh_machine.tell("resume")
    assert running.stdout.readline() == b"during\n"
    late.settimeout(5)
    assert late.recv(4) == b"SSH-"
    late.close()
    running.stdin.close()
    assert running.wait(5) == 0
    running.stdout.close()


def test_nothing_is_read_while_stalled(fresh_machine: SshMachine) -> None:
    """Bytes stay in the kernel while the machine sleeps, so that a sender's buffers fill as they do on a real wire."""
    connection = greeted(fresh_machine)
    fresh_machine.tell("stall")
    connection.setblocking(False)
    sent, stopped = 0, time.monotonic() + 5
    with pytest.raises(BlockingIOError):
        while time.monotonic() < stopped:
            sent += connection.send(bytes(65536))
    assert sent > 0
    connection.close()


def test_reset_is_rst(fresh_machine: SshMachine) -> None:
    """Power lost: open connections get RST, new ones are refused, and after boot the same port answers."""
    connection = greeted(fresh_machine)
    fresh_machine.tell("reset")
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", fresh_machine.port), timeout=5)
    fresh_machine.tell("listen_again")
    greeted(fresh_machine).close()
    assert ssh(fresh_machine, "echo", "back").stdout == b"back\r\n"


def test_reset_while_asleep(fresh_machine: SshMachine) -> None:
    """Mains lost in sleep: the connections that hung are dropped too."""
    connection = greeted(fresh_machine)
    fresh_machine.tell("stall")
    fresh_machine.tell("reset")
    fresh_machine.tell("listen_again")
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    connection.close()
    greeted(fresh_machine).close()


def test_the_fault_that_stalls_ssh() -> None:
    """ssh_stalls silences the server after so many commands, of either kind, counted anew at each boot."""
    with SshMachine(stall_after=2) as machine:
        assert ssh(machine, "echo", "one").returncode == 0
        ssh(machine, "echo", "two")
        with socket.create_connection(("127.0.0.1", machine.port), timeout=5) as connection:
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        machine.tell("reset")
        machine.tell("listen_again")
        assert ssh(machine, "echo", "again").returncode == 0


STUB = "powershell.exe -NoProfile -EncodedCommand {}"


@pytest.mark.parametrize(
    ("line", "installed", "far_end"),
    [
        ("pwsh -sshs", "pwsh", "pwsh"), ("pwsh.exe -NoLogo -SSHServerMode", "pwsh", "pwsh"),
        (r'"C:\Program Files\PowerShell\7\pwsh.exe" -sshs', "pwsh", "pwsh"), ("pwsh -sshs", "powershell", None),
        ("pwsh -s", "pwsh", None), ("pwsh", "pwsh", None), ("hostname", "pwsh", None), ("", "pwsh", None),
        ("powershell.exe -NoProfile -EncodedCommand !", "pwsh", None), ("powershell -Command dir", "pwsh", None),
        # base64 of "x -ServerMode" in UTF-16LE
        ("powershell -enc eAAgAC0AUwBlAHIAdgBlAHIATQBvAGQAZQA=", "pwsh", "powershell"),
    ],
)  # fmt: skip
def test_which_powershell_a_command_line_starts(line: str, installed: str, far_end: str | None) -> None:
    """PowerShell 7 in server mode, 5.1 behind its stub, or some other program."""
    shell = PowerShellHost(None, None, (Module("M"),), bytes, far_end=installed)  # type: ignore[arg-type]
    found = far_end_of(line, shell)
    assert (found and found.far_end) == far_end
