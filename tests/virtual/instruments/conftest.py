"""Devices without a server, and the whole lab behind real sockets."""

from __future__ import annotations

import asyncio

import pytest
from instrument_lab import InstrumentLab


@pytest.fixture
def lab():
    lab = InstrumentLab()
    yield lab
    lab.close()


@pytest.fixture
def loop():
    """An event loop for devices that are driven without a server."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def ask(loop):
    """``ask(device, message)``: the response message, or None."""
    return lambda device, message: loop.run_until_complete(device.execute(message))
