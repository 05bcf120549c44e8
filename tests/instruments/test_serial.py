"""The guarded session on a serial line: a real terminal device, with the instrument at its other end."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from contextlib import suppress

import pytest

from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.wait import pause

pytest.importorskip("serial", reason="pyserial is not installed")


@pytest.fixture
def line():
    """``line(answer)``: a resource name; ``answer(message, count)`` gives the bytes to send back."""
    ends, threads = [], []

    def start(answer):
        master, slave = pty.openpty()
        tty.setraw(slave)
        ends.extend((master, slave))

        def serve():
            with suppress(OSError), os.fdopen(os.dup(master), "rb", buffering=0) as reader:
                pending, count = b"", 0
                while data := reader.read(4096):
                    *messages, pending = (pending + data).split(b"\n")
                    for message in messages:
                        count += 1
                        os.write(master, answer(message.decode(), count))

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return f"ASRL{os.ttyname(slave)}::INSTR"

    yield start
    for end in reversed(ends):
        os.close(end)


def usual(message, _count=0):
    known = {"*IDN?": "HIL Lab,Serial,S-1,1.0", "*ESR?": "0", "SYST:ERR?": '0,"No error"'}
    return (known.get(message, message) + "\n").encode() if message.endswith("?") else b""


def test_query_and_command(line, session):
    """A serial instrument is identified, asked and told like any other."""
    unit = session(line(usual), serial="S-1")
    unit.command("OUTP 1")
    assert unit.query("VOLT?") == "VOLT?"


def test_silence_ends_at_the_deadline(line, session):
    """A serial instrument that does not answer costs its timeout."""
    unit = session(line(lambda message, _: b"" if message == "SILENT?" else usual(message)))
    assert unit.identity.model == "Serial"
    started = time.monotonic()
    with pytest.raises(InstrumentLost):
        unit.query("SILENT?", timeout_s=0.25)
    assert time.monotonic() - started < 4.0
    assert unit.query("VOLT?") == "VOLT?"


def test_late_answer_is_not_taken_for_another(line, session):
    """A serial line has no connection to drop, so a late answer meets the identity check, which refuses it."""

    def late(message, _count):
        if message == "LATE?":
            pause(0.6, why="a late answer")
        return usual(message)

    unit = session(line(late))
    assert unit.identity.model == "Serial"
    with pytest.raises(InstrumentLost):
        unit.query("LATE?", timeout_s=0.25)
    seen = []
    for _ in range(4):
        try:
            seen.append(unit.query("NEXT?"))
        except (InstrumentLost, InstrumentRefused, WrongInstrument):
            continue
    assert set(seen) == {"NEXT?"}


def test_second_line_is_dropped(line, session):
    """Bytes that nobody asked for are found before the next question."""
    unit = session(line(lambda message, _: usual(message) + (b"extra\n" if message == "TWO?" else b"")))
    assert unit.query("TWO?") == "TWO?"
    pause(0.05, why="the second line to arrive")
    assert unit.query("NEXT?") == "NEXT?"

