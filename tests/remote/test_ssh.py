"""SSH sessions: what works, what is refused, and that nothing ever waits longer than it was told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_EOF
from ssh_host import SshHost
from ssh_machine import SshMachine

from hil.clock import Deadline, now_s
from hil.errors import BenchError, UsageError
from hil.journal import Journal, Record
from hil.remote import (
    CommandTimeout,
    ConnectionLost,
    HostKeyMismatch,
    SshRefused,
    SshSession,
    SshUnreachable,
    host_key_offered,
)
from hil.remote.logon import fingerprint, parse_host_key
from hil.testbed.model import Secret, Ssh
from hil.wait import wait_until


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that is no SSH server; ``serve`` gets each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(2)
        for connection in held:
            connection.close()


def connect(ssh: Ssh, **changes: object) -> SshSession:
    session = SshSession(ssh.model_copy(update=changes))
    session.connect()
    return session


def test_a_program_runs_with_its_arguments_and_exit_code(session: SshSession) -> None:
    """Exit codes are Windows' 32 bits without sign, streams are apart: verdicts rest on them, not on text."""
    done = session.run(["echo", "a b", 'say "hi"'])
    assert (done.exit_code, done.stdout, done.stderr) == (0, b'"a b" "say \\"hi\\""\r\n', b"")
    assert session.run(["exit", "3010"]).exit_code == 3010
    assert session.run("exit 0xE000022F").exit_code == 0xE000022F
    assert session.run("exit -1").exit_code == 0xFFFFFFFF
    unknown = session.run("nosuch /x")
    assert unknown.exit_code == 1 and b"not recognized" in unknown.stderr


def test_much_data_both_ways(session: SshSession) -> None:
    """Megabytes on stdin, stdout and stderr do not block each other: full windows have hung many a test run."""
    sent = bytes(range(256)) * 20_000
    assert session.run("cat", stdin=sent).stdout == sent
    flood = session.run("flood")
    assert (flood.exit_code, flood.stdout, len(flood.stderr)) == (3010, b"through", 64 * 65536)


def test_a_command_that_does_not_end(session: SshSession) -> None:
    """A hanging program costs its deadline, not the night; the session goes on."""
    deadline = Deadline(5)
    with pytest.raises(CommandTimeout, match=r"sleep 60.*did not end in 0.3 s"):
        session.run("sleep 60", timeout_s=0.3)
    assert not deadline.expired
    assert session.run("noop").exit_code == 0


def test_commands_from_many_threads(session: SshSession) -> None:
    """Guards, fixtures and traffic use one session at once."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: session.run(["echo", str(number)]).stdout, range(24)))
    assert answers == [f"{number}\r\n".encode() for number in range(24)]


def test_a_program_that_ends_before_its_stdin_does(session: SshSession) -> None:
    """An EOF that was made before the server's CLOSE and is sent after it stays unsaid.

    paramiko says it, and sshd ends the connection for it: a quick command would cost all others, one time in thousands.
    """
    channel = session.open_channel()
    late = paramiko.Message()
    late.add_byte(bytes([MSG_CHANNEL_EOF]))
    late.add_int(channel.remote_chanid)
    channel.exec_command("exit 7")
    wait_until(lambda: channel.closed, what="the server's CLOSE", timeout_s=5)
    channel.get_transport()._send_user_message(late)
    assert session.run(["echo", "more"]).stdout == b"more\r\n"


def test_more_channels_than_the_server_allows(session: SshSession) -> None:
    """sshd takes ten sessions on a connection; the eleventh waits, then is an error, and the connection lives."""
    held = [session.open_channel() for _ in range(10)]
    with pytest.raises(BenchError, match="the SSH server says"):
        session.open_channel(timeout_s=0.3)
    for channel in held:
        channel.close()
    assert session.alive()


def test_commands_stand_on_the_journal(machine: SshMachine) -> None:
    """The timeline of a run shows each command with its duration and exit code."""
    seen: list[Record] = []
    journal = Journal()
    journal.listen(seen.append)
    with SshSession(machine.ssh, journal) as session:
        session.run(["exit", "5"])
    (end,) = [record for record in seen if record["phase"] == "end" and record["what"] == "exit 5"]
    assert end["kind"] == "command" and end["exit_code"] == 5 and end["duration_s"] > 0


# who answers


def test_a_refused_port(machine: SshMachine) -> None:
    """Nobody listens: the message says that a computer is there but no SSH server."""
    with listener(lambda _: None) as port:
        pass
    with pytest.raises(SshUnreachable, match="refuses connections"):
        connect(machine.ssh, port=port)


def test_a_name_that_does_not_exist(machine: SshMachine) -> None:
    """A typing error in the host name is told as one."""
    with pytest.raises(SshUnreachable, match="not known"):
        connect(machine.ssh, host="no-such-host.invalid")


def test_a_server_that_is_no_ssh_server(machine: SshMachine) -> None:
    """The wrong port is the person's to correct, so it is a usage error that shows what answered."""
    answer = listener(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with answer as port, pytest.raises(UsageError, match=r"HTTP/1\.1 400"):
        connect(machine.ssh, port=port)


def test_a_machine_that_says_nothing(machine: SshMachine) -> None:
    """A sleeping or hanging machine: told as that, when the time given is over and not later."""
    deadline = Deadline(3)
    with listener(lambda _: None) as port, pytest.raises(SshUnreachable, match="asleep, hangs, or is still booting"):
        connect(machine.ssh, port=port, connect_timeout_s=0.5)
    assert not deadline.expired


def test_a_machine_that_hangs_up(machine: SshMachine) -> None:
    """sshd going down accepts and closes at once."""
    with listener(socket.socket.close) as port, pytest.raises(SshUnreachable, match=r"closed|dropped"):
        connect(machine.ssh, port=port)


def test_a_machine_that_hangs_after_its_banner(machine: SshMachine) -> None:
    """The deadline covers the key exchange too."""
    deadline = Deadline(5)
    answer = listener(lambda connection: connection.sendall(b"SSH-2.0-Test\r\n"))
    with answer as port, pytest.raises(SshUnreachable, match="key exchange"):
        connect(machine.ssh, port=port, connect_timeout_s=0.5)
    assert not deadline.expired


# keys


def test_another_host_key_is_refused(machine: SshMachine) -> None:
    """A reinstalled machine, or another one at that address, is not talked to; both fingerprints are shown."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(HostKeyMismatch) as caught:
        connect(machine.ssh, host_key=other)
    for line in (other, machine.host_key):
        assert fingerprint(parse_host_key(line, "")[1]) in str(caught.value)
    assert "--trust-host-key" in str(caught.value)


def test_a_host_key_of_another_type_is_refused(machine: SshMachine) -> None:
    """Pinning an RSA key must not make an Ed25519 key pass, nor end in a quarrel about algorithms."""
    other = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode()
    with pytest.raises(HostKeyMismatch, match=r"ssh-rsa SHA256.*ssh-ed25519 SHA256"):
        connect(machine.ssh, host_key=other)


def test_no_pinned_key_is_not_trust(machine: SshMachine) -> None:
    """An unknown machine is refused: trust on first use happens only by hil check --trust-host-key."""
    with pytest.raises(HostKeyMismatch, match="none is set"):
        connect(machine.ssh, host_key="")


def test_a_host_key_that_is_none(machine: SshMachine) -> None:
    """A fingerprint or a file name in place of the key is a mistake in the testbed file."""
    with pytest.raises(UsageError, match="AAAA"):
        connect(machine.ssh, host_key="SHA256:abc")


def test_the_offered_key_can_be_seen_and_pinned(machine: SshMachine) -> None:
    """The explicit way to trust: look at the key, pin it, connect."""
    offered = host_key_offered("127.0.0.1", machine.port)
    assert offered.split() == machine.host_key.split()[:2]
    with connect(machine.ssh, host_key=f"[127.0.0.1]:{machine.port} {offered} comment") as session:
        assert session.alive()


def test_a_key_that_the_machine_does_not_know(machine: SshMachine, tmp_path: Path) -> None:
    """The silent trap of administrators' keys is named, since the server tells the client nothing."""
    key_file = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key_file))
    with pytest.raises(SshRefused, match="administrators_authorized_keys"):
        connect(machine.ssh, key_file=key_file)


def test_a_user_that_does_not_exist(machine: SshMachine) -> None:
    """The wrong account is refused like the wrong key; the message names the account."""
    with pytest.raises(SshRefused, match="logon of nobody"):
        connect(machine.ssh, user="nobody")


def test_key_files_that_are_no_good(machine: SshMachine, tmp_path: Path) -> None:
    """Missing, not a key, a public key: the person's to mend, with the file named."""
    public = tmp_path / "id.pub"
    public.write_text(machine.host_key)
    for key_file in (tmp_path / "missing", public, Path(__file__)):
        with pytest.raises(UsageError, match=str(key_file)):
            connect(machine.ssh, key_file=key_file)


def test_a_key_with_a_passphrase(machine: SshMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase comes by reference, from the environment or a file; without it the message says so."""
    key_file, secret = tmp_path / "id", tmp_path / "secret"
    asyncssh.read_private_key(machine.key_file).write_private_key(str(key_file), passphrase="open sesame", rounds=50)
    secret.write_text("open sesame\n")
    monkeypatch.setenv("HIL_TEST_PASSPHRASE", "open sesame")
    for reference in (Secret(file=secret), Secret(env="HIL_TEST_PASSPHRASE")):
        connect(machine.ssh, key_file=key_file, key_passphrase=reference).close()
    with pytest.raises(UsageError, match="key_passphrase"):
        connect(machine.ssh, key_file=key_file)
    with pytest.raises(UsageError, match="HIL_NOT_SET"):
        connect(machine.ssh, key_file=key_file, key_passphrase=Secret(env="HIL_NOT_SET"))


# machines that go away


def test_a_machine_that_falls_asleep(fresh_machine: SshMachine) -> None:
    """A half-open connection is found dead by its pulse, and what was running is named: sleep looks like this."""
    session = connect(fresh_machine.ssh, keepalive_s=0.2)
    assert session.alive()
    fresh_machine.tell("stall")
    assert not session.alive(0.3)
    deadline = Deadline(5)
    with pytest.raises(ConnectionLost, match=r"echo long gone.*asleep, hangs, or its network is down"):
        session.run("echo long gone", timeout_s=30)
    assert not deadline.expired and not session.connected
    session.close()


def test_deadlines_hold_when_the_machine_sleeps(fresh_machine: SshMachine) -> None:
    """A command asked of a machine that just fell asleep ends at its own deadline, before any pulse would notice."""
    session = connect(fresh_machine.ssh, keepalive_s=60)
    fresh_machine.tell("stall")
    deadline = Deadline(4)
    with pytest.raises(BenchError):
        session.run("noop", timeout_s=0.5)
    assert not deadline.expired
    session.close()


def test_a_short_sleep_is_survived(fresh_machine: SshMachine) -> None:
    """A machine that wakes before anybody gave up goes on with the same connection, as TCP does."""
    with connect(fresh_machine.ssh, keepalive_s=5) as session:
        fresh_machine.tell("stall")
        assert not session.alive(0.2)
        fresh_machine.tell("resume")
        assert session.alive()
        assert session.run("echo awake").stdout == b"awake\r\n"


def test_mains_lost_in_the_middle(fresh_machine: SshMachine) -> None:
    """Power loss during a command is told at once, with the command."""
    session = connect(fresh_machine.ssh)
    threading.Timer(0.3, lambda: fresh_machine.tell("reset")).start()
    deadline = Deadline(5)
    with pytest.raises(ConnectionLost, match="sleep 30"):
        session.run("sleep 30", timeout_s=60)
    assert not deadline.expired
    with pytest.raises(ConnectionLost):
        session.run("noop")
    session.close()


def test_back_after_a_reboot(fresh_machine: SshMachine) -> None:
    """Reconnecting waits for the machine and wants two good logons, since sshd starts before Windows is done."""
    session = connect(fresh_machine.ssh)
    fresh_machine.tell("reset")
    threading.Timer(0.5, lambda: fresh_machine.tell("listen_again")).start()
    called_s = now_s()
    assert called_s + 0.3 < session.reconnect(10) < now_s()
    assert session.run("noop").exit_code == 0
    session.close()


def test_not_back_in_time(fresh_machine: SshMachine) -> None:
    """A reboot that never returns ends at the deadline with the last cause."""
    session = connect(fresh_machine.ssh)
    fresh_machine.tell("reset")
    deadline = Deadline(4)
    with pytest.raises(SshUnreachable, match="refuses connections"):
        session.reconnect(0.6)
    assert not deadline.expired
    session.close()


def test_let_in_and_dropped(tmp_path: Path) -> None:
    """A server that lets us in and drops us, time and again, ends at the deadline like one that does not answer.

    sshd does so when the user's profile cannot be loaded; a run that waits for ever says nothing.
    """

    async def nothing(_: asyncssh.SSHServerProcess[bytes]) -> None:
        return

    with SshHost(tmp_path, nothing, drops=True) as host:
        session, deadline = SshSession(host.ssh), Deadline(4)
        with pytest.raises(ConnectionLost, match="an answer after the logon"):
            session.reconnect(0.6)
        assert not deadline.expired
        session.close()
