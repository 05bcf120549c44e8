"""The guarded session against servers that misbehave as instruments and networks do.

Each of the faults of pyvisa-py and of instruments that the session exists for has a test here, against a real socket.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading

import pytest
from misbehaving_peer import Connection, spent

from hil.errors import UsageError
from hil.instruments.manners import Manners, scpi_identity
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.wait import pause

SHORT_S = 0.25
"""For answers that do not come."""
HELD_S = 4.0
"""What a busy computer may add to it; whoever is held is held for ever, or for the session's patience."""
IDLE_CPU_S = 0.05
"""Processor time that waiting for 0.25 s may cost; a spin costs all of it."""


def test_query_and_identity(peer, session):
    """An instrument that behaves is identified, and answers come without their line end."""
    unit = session(peer(Connection.serve).resource)
    assert unit.query("VOLT?") == "VOLT?"
    assert str(unit.identity) == "HIL Lab, Peer, serial P-1"
    assert unit.opens == 1


def test_silent_peer_ends_at_the_deadline(peer, session):
    """An instrument that never answers costs its timeout, no more, and no processor time."""
    unit = session(peer(lambda connection: connection.greet()).resource)
    assert unit.identity.model == "Peer"
    with spent() as cost, pytest.raises(InstrumentLost, match="TimeoutError"):
        unit.query("VOLT?", timeout_s=SHORT_S)
    assert 0.2 < cost.wall_s < HELD_S
    assert cost.cpu_s < IDLE_CPU_S


def test_late_answer_is_never_taken_for_the_next(peer, session):
    """After a timeout the old answer dies with its connection; bare pyvisa would return it to the next query."""

    def late(connection):
        connection.greet()
        question = connection.line()
        if connection.number == 1:
            pause(0.4, why="a late answer")
        connection.send(connection.usual(question))
        connection.serve()

    unit = session(peer(late).resource)
    with pytest.raises(InstrumentLost):
        unit.query("FIRST?", timeout_s=SHORT_S)
    pause(0.25, why="the late answer to arrive")
    assert [unit.query("SECOND?"), unit.query("THIRD?")] == ["SECOND?", "THIRD?"]


def test_peer_that_ends_the_connection_is_noticed_at_once(peer, session):
    """FIN while an answer is awaited ends the wait at once and never spins a core."""

    def die(connection):
        connection.greet()
        connection.line()
        connection.finish()

    unit = session(peer(die).resource)
    assert unit.identity.model == "Peer"
    with spent() as cost, pytest.raises(InstrumentLost, match="closed the connection"):
        unit.query("VOLT?")
    assert cost.wall_s < HELD_S
    assert cost.cpu_s < IDLE_CPU_S


@pytest.mark.parametrize("ending", [Connection.finish, Connection.reset])
def test_dead_connection_is_found_before_a_write(peer, session, ending):
    """A set is not lost in a connection that had ended: it goes out, once, on a fresh one."""
    seen = []

    def end_first(connection):
        connection.greet()
        if connection.number == 1:
            ending(connection)
        seen.append(connection.line())
        connection.serve()

    unit = session(peer(end_first).resource)
    assert unit.identity.model == "Peer"
    pause(0.05, why="the end of the connection to arrive")
    unit.command("OUTP 1")
    assert seen == [b"OUTP 1"]
    assert unit.opens == 2


def test_reset_while_waiting(peer, session):
    """A reset is reported as a lost connection, and the next query stands on a fresh one."""

    def reset(connection):
        connection.greet()
        question = connection.line()
        if connection.number == 1:
            connection.reset()
        connection.send(connection.usual(question))

    unit = session(peer(reset).resource)
    with pytest.raises(InstrumentLost, match="ConnectionResetError"):
        unit.query("VOLT?")
    assert unit.query("VOLT?") == "VOLT?"


def test_write_to_a_peer_that_reads_nothing_ends_at_the_deadline(peer, session):
    """A stalled receiver cannot hold the bench: the write is bounded as the read is."""
    unit = session(peer(lambda connection: connection.greet()).resource)
    assert unit.identity.model == "Peer"
    with spent() as cost, pytest.raises(InstrumentLost, match=r"TimeoutError|timed out"):
        unit.command("DATA " + "x" * 30_000_000, timeout_s=SHORT_S)
    assert cost.wall_s < HELD_S


def test_closed_port_is_found_at_open(session):
    """A wrong port is an error at open, naming the address; pyvisa-py opens it happily."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(InstrumentLost, match="ConnectionRefusedError") as found:
        _ = session(f"TCPIP::127.0.0.1::{port}::SOCKET").identity
    assert f"::{port}::" in str(found.value)


def test_unreachable_host_ends_at_the_deadline(session):
    """A host that swallows packets costs one timeout."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with spent() as cost, pytest.raises(InstrumentLost, match=r"TimeoutError|timed out"):
            _ = session(f"TCPIP::127.0.0.1::{listener.getsockname()[1]}::SOCKET", timeout_s=SHORT_S).identity
        for filler in fillers:
            filler.close()
    assert cost.wall_s < HELD_S
    assert cost.cpu_s < 0.2


def test_impossible_host_name(session):
    """A host name that no resolver can take is the same error family as any other failure to open."""
    with pytest.raises(InstrumentLost):
        _ = session(f"TCPIP::{'a' * 70}.example::5025::SOCKET").identity


def test_resource_name_that_visa_cannot_read(session):
    """A typing error in the testbed is the person's to mend, and says how."""
    with pytest.raises(UsageError, match="SOCKET"):
        _ = session("TCPIP:127.0.0.1:5025").identity


def test_file_descriptors_above_1023(peer, session):
    """A long run with many open files can still talk to its instruments; select() could not."""
    unit = session(peer(Connection.serve).resource)
    hoard = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert unit.query("VOLT?") == "VOLT?"
    finally:
        for number in hoard:
            os.close(number)


def test_close_and_use_again(peer, session):
    """A closed session opens again with its terminations and timeout as they were."""
    unit = session(peer(Connection.serve).resource)
    assert unit.query("VOLT?") == "VOLT?"
    unit.close()
    with spent() as cost:
        assert unit.query("VOLT?") == "VOLT?"
    assert cost.wall_s < HELD_S


def test_answer_without_its_end(peer, session):
    """Half an answer is an error at the deadline, and its bytes are never the start of the next answer."""

    def half(connection):
        connection.greet()
        question = connection.line()
        connection.send(b"12" if connection.number == 1 else connection.usual(question))

    unit = session(peer(half).resource)
    with pytest.raises(InstrumentLost):
        unit.query("VOLT?", timeout_s=SHORT_S)
    assert unit.query("VOLT?") == "VOLT?"


def test_dripping_answer_ends_at_the_deadline(peer, session):
    """A byte now and then does not extend the deadline."""

    def drip(connection):
        connection.greet()
        connection.line()
        for _ in range(400):
            connection.send(b"1")
            pause(0.02, why="the next byte")

    unit = session(peer(drip).resource)
    assert unit.identity.model == "Peer"
    with spent() as cost, pytest.raises(InstrumentLost):
        unit.query("VOLT?", timeout_s=SHORT_S)
    assert cost.wall_s < HELD_S


def test_flood_without_end_is_cut_off(peer, session):
    """An instrument that babbles cannot fill the controller's memory."""

    def babble(connection):
        connection.greet()
        connection.line()
        while True:
            connection.send(b"x" * 65536)

    unit = session(peer(babble).resource, timeout_s=2)
    assert unit.identity.model == "Peer"
    with pytest.raises(InstrumentLost):
        unit.query("VOLT?")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_both_line_ends(peer, session, end):
    """CR LF and LF are the same answer."""

    def serve(connection):
        while True:
            connection.send(connection.usual(connection.line()).rstrip() + end)

    assert session(peer(serve).resource).query("VOLT?") == "VOLT?"


def test_garbage_byte(peer, session):
    """A byte that is no ASCII is an error of the instrument, not a crash, and the next answer is right."""

    def garble(connection):
        connection.greet()
        question = connection.line()
        connection.send((b"\xff" if connection.number == 1 else b"") + connection.usual(question))

    unit = session(peer(garble).resource)
    with pytest.raises(InstrumentLost, match="UnicodeDecodeError"):
        unit.query("VOLT?")
    assert unit.query("VOLT?") == "VOLT?"


def test_second_line_is_not_the_next_answer(peer, session):
    """Two lines for one question do not put every later answer one behind."""

    def chatty(connection):
        connection.greet()
        while True:
            question = connection.line()
            connection.send(connection.usual(question) + (b"extra\n" if question == b"TWO?" else b""))

    unit = session(peer(chatty).resource)
    assert unit.query("TWO?") == "TWO?"
    pause(0.02, why="the second line to arrive")
    assert unit.query("NEXT?") == "NEXT?"


def test_wrong_model_is_refused_by_both_names(peer, session):
    """A swapped cable is found before anything is switched; the message names who was wanted and who answers."""
    unit = session(peer(Connection.serve).resource, manners=Manners(models="KEYSIGHT.*,34980A"))
    with pytest.raises(WrongInstrument, match="34980A") as found:
        unit.command("ROUT:OPEN (@1)")
    assert "HIL Lab, Peer" in str(found.value)


def test_wrong_serial_is_refused(peer, session):
    """Two instruments of one kind are told apart by serial number."""
    with pytest.raises(WrongInstrument, match=r"P-2.*P-1"):
        _ = session(peer(Connection.serve).resource, serial="P-2").identity


def test_instrument_exchanged_behind_the_address(peer, session):
    """When the connection comes back with another instrument on it, nothing is switched on that one."""

    def exchange(connection):
        connection.greet(f"HIL Lab,Peer,P-{connection.number},1.0".encode())
        connection.finish()

    unit = session(peer(exchange).resource)
    assert unit.identity.serial == "P-1"
    pause(0.05, why="the end of the connection to arrive")
    with pytest.raises(WrongInstrument, match="as before"):
        unit.command("OUTP 1")


def test_answer_that_is_no_identity(peer, session):
    """A telnet banner or a web server on the port is not an instrument."""
    with pytest.raises(WrongInstrument, match="HTTP"):
        _ = session(peer(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")).resource).identity


def test_command_reads_the_error_queue(peer, session):
    """A set that the instrument refused raises with its own words; every entry is taken out."""
    queue = [b'-222,"Data out of range"', b'-113,"Undefined header"', b'0,"No error"']

    def refuse(connection):
        connection.greet()
        connection.line()
        for entry in queue:
            connection.line()
            connection.send(entry + b"\n")

    unit = session(peer(refuse).resource)
    with pytest.raises(InstrumentRefused, match=r"out of range.*Undefined header"):
        unit.command("VOLT 99")


def test_error_queue_without_end_is_bounded(peer, session):
    """An instrument that repeats its error for ever does not hold the run."""

    def moan(connection):
        for _ in range(2):
            connection.send(connection.usual(connection.line()))
        while True:
            connection.line()
            connection.send(b'-310,"System error"\n')

    unit = session(peer(moan).resource)
    with spent() as cost:
        assert len(unit.errors()) == 32
    assert cost.wall_s < HELD_S


def test_errors_of_an_earlier_user_are_not_ours(peer, session, records):
    """What the last user left in the queue is noted at open and does not fail our first set."""
    queue = [b'-113,"Undefined header"']

    def serve(connection):
        while True:
            message = connection.line()
            if message == b"SYST:ERR?" and queue:
                connection.send(queue.pop() + b"\n")
            elif message.endswith(b"?"):
                connection.send(connection.usual(message))

    session(peer(serve).resource).command("OUTP 1")
    assert any(record.get("entry") == '-113,"Undefined header"' for record in records)


def test_command_then_query_does_not_wait_for_delayed_acknowledgement(peer, session):
    """A set with its error query takes milliseconds; Nagle's algorithm would add 44."""
    unit = session(peer(Connection.serve).resource)
    unit.command("OUTP 0")
    best = []
    for _ in range(20):
        with spent() as cost:
            unit.command("OUTP 1")
        best.append(cost.wall_s)
    assert min(best) < 0.02


def test_threads_get_their_own_answers(peer, session):
    """Eight threads on one session never see each other's answers."""
    unit = session(peer(Connection.serve).resource, timeout_s=5)
    wrong = []

    def ask(thread):
        for count in range(60):
            question = f"T{thread}:N{count}?"
            answer = unit.query(question)
            if answer != question:
                wrong.append((question, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert unit.opens == 1


def test_forked_child_does_not_share_the_connection(peer, session):
    """A child process that inherits a session opens its own; the parent's answers stay the parent's."""
    server = peer(Connection.serve)
    unit = session(server.resource, timeout_s=2)
    assert unit.query("A?") == "A?"
    child = os.fork()
    if child == 0:
        os._exit(0 if all(unit.query(f"C{count}?") == f"C{count}?" for count in range(50)) else 1)
    assert all(unit.query(f"P{count}?") == f"P{count}?" for count in range(50))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(server.connections) == 2
    assert unit.opens == 1


def test_a_neighbours_resource_manager(peer, session):
    """Somebody else's ``rm.close()`` in the process does not touch our session."""
    import pyvisa

    unit = session(peer(Connection.serve).resource)
    assert unit.query("A?") == "A?"
    pyvisa.ResourceManager("@py").close()
    assert unit.query("B?") == "B?"
    assert unit.opens == 1


def test_interrupt_in_the_middle_drops_the_connection(peer, session):
    """Ctrl-C while an answer is awaited leaves nothing behind that the undo steps could mistake for theirs."""

    def slow(connection):
        connection.greet()
        question = connection.line()
        if question == b"SLOW?":
            threading.Timer(0.05, lambda: os.kill(os.getpid(), 2)).start()
            pause(0.15, why="a slow answer")
        connection.send(connection.usual(question))

    unit = session(peer(slow).resource, timeout_s=2)
    with pytest.raises(KeyboardInterrupt):
        unit.query("SLOW?")
    assert unit.query("AFTER?") == "AFTER?"


def test_every_message_is_on_the_journal(peer, session, records):
    """What was sent, what was answered and how long it took is evidence; so is what failed."""

    def once(connection):
        connection.greet()
        connection.send(connection.usual(connection.line()))
        connection.line()

    unit = session(peer(once).resource)
    unit.query("VOLT?")
    with pytest.raises(InstrumentLost):
        unit.query("SILENT?", timeout_s=SHORT_S)
    told = {record["what"]: record for record in records if record["kind"] == "instrument"}
    assert told["unit: VOLT?"]["reply"] == "VOLT?"
    assert 0 < told["unit: VOLT?"]["duration_s"] < HELD_S
    assert "TimeoutError" in told["unit: SILENT?"]["error"]
    assert told["unit: VOLT?"]["resource"] == unit.resource


@pytest.mark.parametrize("reply", ["", "OK", ",,,", "no commas at all"])
def test_identity_needs_vendor_and_model(reply):
    """Something that is not four fields by comma is not an identity."""
    with pytest.raises(ValueError, match=f"^{re.escape(reply)}$"):
        scpi_identity(lambda _question: reply)


def test_pyvisa_is_loaded_when_used():
    """Importing the instruments costs a command-line tool nothing."""
    probe = "import sys, hil.instruments; sys.exit(any(m in sys.modules for m in ('pyvisa', 'pyvisa_py')))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
