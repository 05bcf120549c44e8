"""Super-frames as a stack hands them to its adapter, made at random for property tests."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hypothesis import strategies as st

from hil.virtual.nic.segment import VnetHeader

PARTNER_MAC = bytes.fromhex("02aabbccdd02")
MACHINE_MAC = bytes.fromhex("021d0f000001")


@dataclass(frozen=True)
class Segment:
    header: VnetHeader
    frame: bytes

    @property
    def headers_size(self) -> int:
        return self.header.checksum_start + (self.frame[self.header.checksum_start + 12] >> 4) * 4


def build(
    *, version: int, payload: bytes, segment_size: int, flags: int, options: bytes, identification: int, sequence: int,
    vlan: int | None = None, target: bytes = PARTNER_MAC,
) -> Segment:  # fmt: skip
    """A TCP super-frame with the pseudo-header's sum in its checksum, as Linux and Windows hand it down."""
    ethernet = target + MACHINE_MAC + (b"" if vlan is None else struct.pack("!HH", 0x8100, vlan))
    length = 20 + len(options) + len(payload)
    if version == 4:
        addresses = bytes([198, 18, 0, 1, 198, 18, 0, 2])
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, identification, 0x4000, 64, 6, 0) + addresses
        ip = ip[:10] + (-_sum(ip) % 65535).to_bytes(2, "big") + ip[12:]
    else:
        addresses = bytes.fromhex("fd00" + "00" * 13 + "01" + "fd00" + "00" * 13 + "02")
        ip = struct.pack("!IHBB", 0x60000000, length, 6, 64) + addresses
    ethernet += b"\x08\x00" if version == 4 else b"\x86\xdd"
    pseudo = _sum(addresses + struct.pack("!II", length, 6))
    offset = (20 + len(options)) // 4 << 4
    tcp = struct.pack("!HHIIBBHHH", 40000, 5201, sequence, 7, offset, flags, 65535, pseudo, 0) + options
    start = len(ethernet) + len(ip)
    frame = ethernet + ip + tcp + payload
    cuttable = len(payload) > segment_size
    kind = (1 if version == 4 else 4) if cuttable else 0
    header = VnetHeader(1, kind, start + len(tcp), segment_size if cuttable else 0, start, 16)
    return Segment(header, frame)


def super_frames(*, vlan: bool = True, biggest: int = 20_000) -> st.SearchStrategy[Segment]:
    return st.builds(
        build,
        version=st.sampled_from([4, 6]),
        # grown from a short seed: what matters is length and that words differ
        payload=st.tuples(st.binary(min_size=1, max_size=64), st.integers(1, biggest)).map(
            lambda made: (made[0] * (made[1] // len(made[0]) + 1))[: made[1]]
        ),
        segment_size=st.integers(536, 1400),  # 1500 less IPv6 and the longest TCP header
        flags=st.sampled_from([0x10, 0x18, 0x19, 0x90, 0x98, 0x11]),
        options=st.sampled_from([b"", bytes.fromhex("0101080a0102030405060708"), b"\x01" * 40]),
        identification=st.integers(0, 65535),
        sequence=st.integers(0, 2**32 - 1),
        vlan=st.one_of(st.none(), st.integers(0, 0xFFFF)) if vlan else st.none(),
    )


def _sum(data: bytes) -> int:
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 65535
