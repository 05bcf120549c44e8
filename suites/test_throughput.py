"""Throughput against what the headers leave of the line, and against nothing else."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.requires("partner")]


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - E2EPerf", "NDISTest 6.0 - [2 Machine] - 2c_Mini6Performance")
@pytest.mark.parametrize("streams", [1, 4])
@pytest.mark.parametrize("direction", ["send", "receive"])
def test_tcp(direction, streams, driver, adapter, traffic, limits, record, as_usual):
    """TCP fills at least 97 % of what the headers leave of the link, in each direction.

    A driver that moves less makes a gigabit port a 900 Mbit/s port, and every backup a little longer. Nor does it move
    less than the drivers before it did on the same bench.
    """
    adapter.wait_up()
    result = traffic.tcp(streams=streams, seconds=3, direction=direction)
    # 1448 of 1538 bytes on the wire are payload at MTU 1500 with TCP timestamps: 0.9415 of the line
    limit_mbps = limits.tcp_of_ceiling * adapter.link_mbps * 1448 / 1538
    record(f"tcp {direction}, {streams} streams", result.mbps, "Mbit/s", at_least=limit_mbps)
    record(f"processor, machine, {direction}, {streams} streams", result.cpu_machine_percent, "%")
    assert result.mbps >= limit_mbps
    as_usual(f"tcp {direction}, {streams} streams", result.mbps, "Mbit/s")


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - CheckConnectivity")
@pytest.mark.parametrize("streams", [1, 4])
def test_tcp_both_ways(streams, driver, adapter, traffic, record):
    """TCP both ways at once: the worse direction still has 90 % of the ceiling.

    Acknowledgements of one direction share the line with the data of the other: 66 + 24 bytes for at most every second
    segment of 1538, so 1 - 90 / (2 * 1538) = 0.97 of the ceiling is left; the rest is for the two queues.
    """
    adapter.wait_up()
    result = traffic.tcp(streams=streams, seconds=3, direction="both")
    limit_mbps = 0.90 * adapter.link_mbps * 1448 / 1538
    worse_mbps = min(result.sent_mbps, result.received_mbps)
    record(f"tcp both ways, {streams} streams, worse direction", worse_mbps, "Mbit/s", at_least=limit_mbps)
    assert worse_mbps >= limit_mbps


def test_udp_loss(driver, adapter, traffic, limits, record):
    """UDP at half the link's rate loses no more than one datagram in a thousand.

    Calls and games run over UDP: what the driver drops at half load is heard and seen.
    """
    adapter.wait_up()
    result = traffic.udp(mbps=limits.udp_load * adapter.link_mbps, seconds=3)
    record("udp loss at half load", 100 * result.loss_ratio, "%", at_most=100 * limits.udp_loss_ratio)
    assert result.sent_datagrams > 1000
    assert result.mbps >= 0.95 * limits.udp_load * adapter.link_mbps
    assert result.loss_ratio <= limits.udp_loss_ratio
