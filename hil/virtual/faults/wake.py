"""Defects of wake: the filter for magic packets and patterns, how it is armed, and what the machine is told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from hil.virtual.faults import Fault

if TYPE_CHECKING:
    from hil.virtual.windows.power_events import WakeSource
    from hil.virtual.windows.wake import Pattern

_RAW, _IPV4, _GROUP = b"\x08\x42", b"\x08\x00", 1
_SYNCHRONISATION, _MAC_BYTES = b"\xff" * 6, 6


def _copies(frame: bytes) -> int:
    """How often the same six bytes follow the first six bytes FF behind the Ethernet header."""
    start = frame.find(_SYNCHRONISATION, 14) + _MAC_BYTES
    mac, count = frame[start : start + _MAC_BYTES], 0
    while start >= _MAC_BYTES and mac and frame[start : start + _MAC_BYTES] == mac:
        start, count = start + _MAC_BYTES, count + 1
    return count


class WakesOnAnyMagicPacket(Fault):
    """The filter looks for a repeated address and never compares it with its own: every machine of the floor wakes."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken or _copies(frame) >= 16


class WakesOnFifteenCopies(Fault):
    """The counter of repetitions is compared before it is incremented: fifteen copies of the MAC are enough."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken or _copies(frame) >= 15


class UnicastMagicIgnored(Fault):
    """The receive filter is left at broadcast in D3: a magic packet to the NIC's own address is not seen."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken and bool(frame[0] & _GROUP)


class UdpMagicIgnored(Fault):
    """The filter looks at a fixed offset behind the Ethernet header: a magic packet in UDP is not found."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken and frame[12:14] == _RAW


class RawMagicIgnored(Fault):
    """Only UDP goes to the filter, since the driver's tests used nothing else: EtherType 0x0842 is dropped before."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken and frame[12:14] == _IPV4


class SecureOnIgnored(Fault):
    """The SecureOn password is stored and shown, and never compared."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        adapter = self._bench.windows.devices.under_test()
        told = adapter.low_power if adapter else None
        return woken or bool(told and replace(told, password=b"").wakes(frame))


class WakesAlthoughDisarmed(Fault):
    """*WakeOnMagicPacket is read once at installation: switching it off later changes nothing."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        adapter = self._bench.windows.devices.under_test()
        told = adapter.low_power if adapter else None
        return woken or bool(told and replace(told, magic=True).wakes(frame))


class NoWakeAtReducedSpeed(Fault):
    """The wake logic is clocked by the gigabit PHY: at 100 Mbit/s nothing is matched."""

    caught_by: ClassVar = ("wake",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        adapter = self._bench.windows.devices.under_test()
        return woken and adapter is not None and adapter.link_mbps > 100


class NoWakeFromHibernate(Fault):
    """The driver arms wake for S3 only: the power state that comes with the set-power request is compared with S3."""

    caught_by: ClassVar = ("power",)

    def wake_armed(self, armed: bool, *, sleep_count: int, state: str) -> bool:
        return armed and state != "S4"


class NoStartFromSoftOff(Fault):
    """MiniportShutdownEx resets the chip, and with it the wake filter: a machine that was shut down stays off."""

    caught_by: ClassVar = ("power",)

    def wake_armed(self, armed: bool, *, sleep_count: int, state: str) -> bool:
        return armed and state != "S5"


class LinkChangeLost(Fault):
    """The wake-up control register is written before the link event is unmasked: a pulled cable wakes nobody."""

    caught_by: ClassVar = ("wake",)

    def wakes_on_link(self, woken: bool, *, connected: bool) -> bool:
        return False


class WakesOnLinkUnasked(Fault):
    """Wake on link change is on by default in the chip and never switched off: a switch that restarts wakes a floor."""

    caught_by: ClassVar = ("wake",)

    def wakes_on_link(self, woken: bool, *, connected: bool) -> bool:
        return True


class FirmwareHidesWakeSource(Fault):
    """The firmware clears the PME status before Windows reads it: the source of each wake is unknown."""

    caught_by: ClassVar = ("power", "wake")

    def wake_source(self, source: WakeSource) -> WakeSource:
        return replace(source, kind=0, text="", instance_id="")


class WakeNamedAfterNeighbour(Fault):
    """PME is routed to the wrong root port: Windows names the other NIC as the one that woke the machine."""

    caught_by: ClassVar = ("power", "wake")

    def wake_source(self, source: WakeSource) -> WakeSource:
        other = next(adapter for adapter in self._bench.windows.devices.adapters if not adapter.port.under_test)
        named = replace(source, text=other.description, instance_id=other.node.instance_id)
        return named if source.instance_id else source


class PatternsNotWritten(Fault):
    """OID_PM_ADD_WOL_PATTERN succeeds and the pattern is never written to the chip."""

    caught_by: ClassVar = ("wake_pattern",)

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return ()


class PatternTableTooShort(Fault):
    """The driver states twelve patterns and the chip has eight: the last ones are dropped without an error."""

    caught_by: ClassVar = ("wake_pattern",)

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return patterns[:8]


class PatternMaskShort(Fault):
    """The last byte of each mask is lost: a SYN and its acknowledgement are all one, and each answer wakes."""

    caught_by: ClassVar = ("wake_pattern",)

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return tuple(replace(pattern, mask=pattern.mask[:-1], value=pattern.value[:-1]) for pattern in patterns)


class PatternBitsIgnored(Fault):
    """The CRC of the pattern leaves out the lowest bit of each byte: a neighbour's address is taken for one's own."""

    caught_by: ClassVar = ("wake_pattern",)

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        def blind(data: bytes) -> bytes:
            return bytes(byte & 0xFE for byte in data)

        return tuple(replace(one, mask=blind(one.mask), value=blind(one.value)) for one in patterns)


class PatternsStayArmed(Fault):
    """Patterns of an earlier sleep stay in the chip after Windows removed them."""

    caught_by: ClassVar = ("wake_pattern",)

    def __init__(self) -> None:
        self._known: tuple[Pattern, ...] = ()

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        self._known = patterns or self._known
        return self._known


class Ipv6PatternLost(Fault):
    """The pattern for IPv6 is written with the offsets of IPv4: a connection over IPv6 does not wake."""

    caught_by: ClassVar = ("wake_pattern",)

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        return woken and frame[12:14] != b"\x86\xdd"
