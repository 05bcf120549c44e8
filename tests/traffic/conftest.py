from __future__ import annotations

from collections.abc import Iterator

import pytest
from virtual_wire import VirtualWire, virtual_wire


@pytest.fixture(scope="module")
def wire() -> Iterator[VirtualWire]:
    """A gigabit wire with a Linux at each end; tests leave it as they found it."""
    with virtual_wire() as opened:
        yield opened
