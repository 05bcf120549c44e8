"""The sums of the line, against the published table."""

from __future__ import annotations

import pytest

from hil.traffic.line import frames_per_second, tcp_ceiling, udp_ceiling

SIZES = (64, 128, 256, 512, 1024, 1280, 1518, 9018)
TABLE = {
    100: (148_809, 84_459, 45_289, 23_496, 11_973, 9_615, 8_127, 1_383),
    1_000: (1_488_095, 844_594, 452_898, 234_962, 119_731, 96_153, 81_274, 13_830),
    2_500: (3_720_238, 2_111_486, 1_132_246, 587_406, 299_329, 240_384, 203_185, 34_576),
    5_000: (7_440_476, 4_222_972, 2_264_492, 1_174_812, 598_659, 480_769, 406_371, 69_152),
    10_000: (14_880_952, 8_445_945, 4_528_985, 2_349_624, 1_197_318, 961_538, 812_743, 138_304),
}


@pytest.mark.parametrize("mbps", TABLE)
def test_frames_a_second(mbps: int) -> None:
    """Frame rates are those of the tables that test equipment is checked with (RFC 2544 sizes; within one frame)."""
    assert [frames_per_second(mbps, size) for size in SIZES] == pytest.approx(TABLE[mbps], abs=1)


@pytest.mark.parametrize(
    ("ceiling", "expected"),
    [
        (tcp_ceiling(), 1448 / 1538),
        (tcp_ceiling(), 0.9415),
        (tcp_ceiling(timestamps=False), 1460 / 1538),
        (tcp_ceiling(9000), 8948 / 9038),
        (tcp_ceiling(vlan=True), 1448 / 1542),
        (tcp_ceiling(ipv6=True), 1428 / 1538),
        (udp_ceiling(), 1472 / 1538),
    ],
)
def test_ceilings(ceiling: float, expected: float) -> None:
    """What the headers leave: the number every throughput limit is a share of."""
    assert ceiling == pytest.approx(expected, abs=5e-5)
