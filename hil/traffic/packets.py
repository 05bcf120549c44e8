"""Packets that a sleeping NIC must know, ready for the wire, and who answers for an address."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from hil.clock import Deadline
from hil.traffic.frames import BROADCAST
from hil.wait import pause

if TYPE_CHECKING:
    from hil.traffic.partner import Partner

ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0806, 0x86DD
_ANSWER_S, _POLL_S = 1.0, 0.02
_SOURCE_PORT, _NETBIOS_NAME_PORT = 52000, 137


def tcp(mac: str, address: str, partner: Partner, *, port: int = 445, flags: str = "S") -> bytes:
    """A TCP segment without data from the partner; ``flags`` as scapy writes them: S is SYN, SA SYN and ACK."""
    from scapy.layers.inet import TCP

    return _packet(mac, address, partner, TCP(sport=_SOURCE_PORT, dport=port, flags=flags))


def ping(mac: str, address: str, partner: Partner) -> bytes:
    """An ICMP echo request (IPv4)."""
    from scapy.layers.inet import ICMP

    return _packet(mac, address, partner, ICMP())


def netbios_query(name: str, partner: Partner) -> bytes:
    """A broadcast question for a computer's NetBIOS name (RFC 1002, 4.2.12)."""
    from scapy.layers.inet import UDP
    from scapy.layers.netbios import NBNSHeader, NBNSQueryRequest

    network = ipaddress.ip_interface(partner.address).network
    question = NBNSHeader() / NBNSQueryRequest(QUESTION_NAME=name)
    port = _NETBIOS_NAME_PORT
    return _packet(BROADCAST, str(network.broadcast_address), partner, UDP(sport=port, dport=port) / question)


def resolve(partner: Partner, address: str, timeout_s: float = _ANSWER_S) -> str | None:
    """The MAC that answers for ``address`` to ARP (IPv4) or neighbour solicitation (IPv6); None when nobody does."""
    from scapy.layers.l2 import Ether

    question, ethertype = _question(partner, address)
    deadline = Deadline(timeout_s)
    with partner.capture(ethertype=ethertype) as capture:
        partner.send([question])
        while True:
            for frame in capture.frames():
                if mac := _answer(Ether(frame.data), address):
                    return mac.upper().replace(":", "-")
            if deadline.expired:
                return None
            pause(_POLL_S, why=f"an answer for {address}")


def _question(partner: Partner, address: str) -> tuple[bytes, int]:
    from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether

    source, wanted = _colons(partner.mac), ipaddress.ip_address(address)
    if wanted.version == 4:
        own = partner.address.partition("/")[0]
        asked = ARP(op="who-has", hwsrc=source, psrc=own, pdst=address)
        return bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=source) / asked).ljust(60, b"\0"), ETHERTYPE_ARP
    # RFC 4291, 2.7.1: ff02::1:ff and the last 24 bits; its Ethernet group is 33:33 and the last 32
    last = wanted.packed[-3:]
    group = ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + last)
    header = Ether(dst="33:33:ff:" + last.hex(":"), src=source) / IPv6(
        src=_link_local(partner.mac), dst=str(group), hlim=255
    )
    return bytes(header / ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=source)), ETHERTYPE_IPV6


def _answer(frame: Any, address: str) -> str:
    """The MAC in an answer for ``address``; empty for any other frame."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr
    from scapy.layers.l2 import ARP

    if ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == address:
        return str(frame[ARP].hwsrc)
    if ICMPv6ND_NA in frame and ipaddress.ip_address(frame[ICMPv6ND_NA].tgt) == ipaddress.ip_address(address):
        option = frame.getlayer(ICMPv6NDOptDstLLAddr)
        return str(option.lladdr if option else frame.src)
    return ""


def _packet(mac: str, address: str, partner: Partner, payload: Any) -> bytes:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    network: Any
    if ipaddress.ip_address(address).version == 4:
        network = IP(src=partner.address.partition("/")[0], dst=address)
    else:
        network = IPv6(src=_link_local(partner.mac), dst=address)
    return bytes(Ether(dst=_colons(mac), src=_colons(partner.mac)) / network / payload).ljust(60, b"\0")


def _link_local(mac: str) -> str:
    """fe80::/64 with the modified EUI-64 of the MAC (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace("-", ""))
    octets[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + octets[:3] + b"\xff\xfe" + octets[3:]))


def _colons(mac: str) -> str:
    return mac.replace("-", ":").lower()
