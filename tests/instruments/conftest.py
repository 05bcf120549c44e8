"""Misbehaving servers, virtual instruments, and a journal that is kept in memory."""

from __future__ import annotations

import pytest
from instrument_lab import InstrumentLab
from misbehaving_peer import Peer

from hil.instruments.session import Session
from hil.journal import Journal

PATIENT_S = 8.0
"""For answers that come: a busy computer may take its time."""


@pytest.fixture
def records():
    return []


@pytest.fixture
def journal(records):
    journal = Journal()
    journal.listen(records.append)
    return journal


@pytest.fixture
def peer():
    """``peer(behaviour)``: a server on loopback that behaves so on each connection."""
    started = []

    def start(behaviour, **options):
        started.append(Peer(behaviour, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def session(journal):
    """``session(resource, ...)``: a guarded session that is closed afterwards."""
    opened = []

    def open_session(resource, *, timeout_s=PATIENT_S, **options):
        opened.append(Session("unit", resource, journal, timeout_s=timeout_s, **options))
        return opened[-1]

    yield open_session
    for one in opened:
        one.close()


@pytest.fixture
def lab():
    """The virtual instruments, wired to a machine that only remembers."""
    lab = InstrumentLab()
    yield lab
    lab.close()
