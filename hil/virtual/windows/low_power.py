"""A NIC in D3: what it was told to listen for, and what it answers for the host that sleeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hil.testbed.model import VIRTUAL_WAKE
from hil.virtual.windows.presence import advertisement, arp_reply
from hil.virtual.windows.wake import Pattern, is_magic_packet, patterns_for

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

STANDBY_MAGIC_KEYWORD, SOFT_OFF_KEYWORD = "*ModernStandbyWoLMagicPacket", "WakeFromS5"
"""The first is standardized and governs S0ix only (network/standardized-inf-keywords-for-power-management); the second
is this driver's own."""


@dataclass(frozen=True)
class LowPower:
    """Set when the machine goes to sleep; nothing of it changes until the adapter is back in D0."""

    state: str
    mac: str
    magic: bool = False
    password: bytes = b""
    patterns: tuple[Pattern, ...] = ()
    link: bool = False
    """A change of the link wakes."""
    ipv4: tuple[str, ...] = ()
    """Addresses for which ARP is answered."""
    ipv6: tuple[str, ...] = ()

    @property
    def listens(self) -> bool:
        """The receiver stays on, and with it the link."""
        return bool(self.magic or self.patterns or self.link or self.ipv4 or self.ipv6)

    def disarmed(self) -> LowPower:
        """What is left when nothing may wake."""
        return replace(self, magic=False, patterns=(), link=False)

    def wakes(self, frame: bytes) -> bool:
        if self.magic and is_magic_packet(frame, self.mac, self.password):
            return True
        return any(pattern.matches(frame) for pattern in self.patterns)

    def reply(self, frame: bytes) -> bytes | None:
        """The frame that goes out for this one, if any."""
        return arp_reply(frame, self.mac, self.ipv4) or advertisement(frame, self.mac, self.ipv6)


def armed_patterns(adapter: Adapter) -> tuple[Pattern, ...]:
    """What Windows has given the adapter to look for; none when it may not wake the machine by patterns."""
    if not (adapter.wake_enabled and adapter.value("*WakeOnPattern", "0") == "1"):
        return ()
    name = adapter.windows.computer_name
    return patterns_for(_ips(adapter, 2) + _ips(adapter, 23), name, VIRTUAL_WAKE.patterns)


def low_power(adapter: Adapter, state: str) -> LowPower:
    """What a started adapter is told when the machine goes to S3, S4, S0ix or S5. From S5 only magic packets wake."""
    may_wake = adapter.wake_enabled
    switches = {"S0ix": STANDBY_MAGIC_KEYWORD, "S5": SOFT_OFF_KEYWORD}
    keywords = ["*WakeOnMagicPacket"] + ([switches[state]] if state in switches else [])
    magic = may_wake and all(adapter.value(keyword, "0") == "1" for keyword in keywords)
    password = _password(adapter.value(VIRTUAL_WAKE.secureon_keyword or ""))
    if state == "S5":
        return LowPower(state, adapter.mac, magic, password)
    return LowPower(
        state, adapter.mac, magic, password, armed_patterns(adapter),
        link=may_wake and adapter.value(VIRTUAL_WAKE.link_keyword or "", "0") == "1",
        ipv4=_ips(adapter, 2) if adapter.value("*PMARPOffload", "0") == "1" else (),
        ipv6=_ips(adapter, 23) if adapter.value("*PMNSOffload", "0") == "1" else (),
    )  # fmt: skip


def _password(text: str) -> bytes:
    """Twelve hexadecimal digits; anything else is no password."""
    return bytes.fromhex(text) if re.fullmatch("[0-9A-Fa-f]{12}", text) else b""


def _ips(adapter: Adapter, family: int) -> tuple[str, ...]:
    return tuple(address.ip for address in adapter.windows.network.addresses(adapter) if address.family == family)
