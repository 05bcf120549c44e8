from __future__ import annotations

from collections.abc import Iterator

import pytest
from virtual_wire import VirtualWire, virtual_wire


@pytest.fixture(scope="module")
def wire() -> Iterator[VirtualWire]:
    """A plugged NIC on a gigabit wire; tests leave it as they found it."""
    with virtual_wire() as opened:
        yield opened
