"""Arrangements that several suites share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hil.run.fixtures import Record
    from hil.testbed.model import Limits
    from hil.traffic import Traffic
    from hil.windows import Adapter

# not the default of any known INF, so that a setting that was lost shows
RECEIVE_BUFFERS = "384"


@pytest.fixture
def configured(driver: object, adapter: Adapter, undo: Callable[..., None]) -> dict[str, str]:
    """The adapter's settings, with receive buffers moved off their default."""
    before = adapter.settings()["*ReceiveBuffers"]
    adapter.set("*ReceiveBuffers", RECEIVE_BUFFERS)
    undo(adapter.set, "*ReceiveBuffers", before)
    adapter.wait_up()
    return adapter.settings()


@pytest.fixture
def full_rate(traffic: Traffic, adapter: Adapter, limits: Limits, record: Record) -> Callable[[str], None]:
    """Asserts that the link carries what it should: called after something that must not have slowed it."""

    def check(when: str) -> None:
        # 1448 of 1538 bytes on the wire are payload at MTU 1500 with TCP timestamps
        limit_mbps = limits.tcp_of_ceiling * adapter.link_mbps * 1448 / 1538
        mbps = traffic.tcp(streams=4, seconds=2).mbps
        record(f"tcp {when}", mbps, "Mbit/s", at_least=limit_mbps)
        assert mbps >= limit_mbps, f"{mbps:.0f} Mbit/s {when}, at least {limit_mbps:.0f} wanted"

    return check
