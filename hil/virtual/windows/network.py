"""TCP/IP: addresses, routes and interface parameters, kept by interface as the registry keeps them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hil.virtual.windows.bindings import Bindings

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

IPV4, IPV6 = 2, 23
"""AddressFamily of the CIM classes."""
_PROTOCOLS = {IPV4: "ms_tcpip", IPV6: "ms_tcpip6"}

LOOPBACK_INDEX, LOOPBACK_NAME = 1, "Loopback Pseudo-Interface 1"
AUTOMATIC_METRIC = 25
"""What Windows gives a wired link between 200 Mbit/s and 2 Gbit/s."""
MANAGEMENT_ADDRESS, MANAGEMENT_PREFIX, MANAGEMENT_GATEWAY = "192.168.77.10", 24, "192.168.77.1"


@dataclass(frozen=True)
class Address:
    index: int
    """Interface index."""
    alias: str
    ip: str
    prefix: int
    origin: str = "Manual"
    """Manual, WellKnown or Dhcp; link-local addresses are WellKnown with suffix Link"""
    suffix: str = "Manual"
    usable: bool = True
    """Preferred, not Tentative: the interface has a link."""
    persistent: bool = True
    skip_as_source: bool = False

    @property
    def family(self) -> int:
        return IPV6 if ":" in self.ip else IPV4

    @property
    def cidr(self) -> str:
        return f"{self.ip}/{self.prefix}"

    @property
    def scoped(self) -> str:
        """As Windows writes it: a link-local address with the interface that it belongs to."""
        return f"{self.ip}%{self.index}" if self.suffix == "Link" else self.ip


@dataclass(frozen=True)
class Route:
    destination: str
    next_hop: str
    index: int
    alias: str
    metric: int = 256
    protocol: str = "NetMgmt"
    """Local for a route that follows from an address."""
    persistent: bool = True

    @property
    def family(self) -> int:
        return IPV6 if ":" in self.destination else IPV4


@dataclass
class Interface:
    """What Set-NetIPInterface changes, for one family of one adapter."""

    dhcp: bool = True
    metric: int = AUTOMATIC_METRIC
    automatic_metric: bool = True
    mtu: int = 0
    """0: what the adapter gives."""
    others: dict[str, int] = field(default_factory=dict)


class Network:
    """The machine's own view; the wired adapter's addresses also go to the NIC, so that its stack answers."""

    def __init__(self) -> None:
        self._addresses: dict[str, list[Address]] = {}
        self._routes: dict[str, list[Route]] = {}
        self._interfaces: dict[tuple[str, int], Interface] = {}
        self.bindings = Bindings()

    def interface(self, adapter: Adapter, family: int) -> Interface:
        return self._interfaces.setdefault((adapter.guid, family), Interface(dhcp=family == IPV4))

    def addresses(self, adapter: Adapter) -> list[Address]:
        """Configured addresses first, then the link-local one that a running interface makes for itself."""
        found = [
            replace(address, alias=adapter.name, usable=adapter.link_up)
            for address in self._addresses.get(adapter.guid, ())
        ]
        if adapter.node.started:
            local = _link_local(adapter.mac)
            found.append(Address(adapter.index, adapter.name, local, 64, "WellKnown", "Link", adapter.link_up))
        return found

    def add(self, adapter: Adapter, address: Address) -> None:
        """Raises ValueError when the interface has this address already."""
        held = self._addresses.setdefault(adapter.guid, [])
        if any(known.ip == address.ip for known in held):
            raise ValueError(address.ip)
        held.append(address)
        if address.family == IPV4:
            self.interface(adapter, IPV4).dhcp = False
        self.apply(adapter)

    def remove(self, adapter: Adapter, ip: str) -> bool:
        held = self._addresses.get(adapter.guid, [])
        kept = [address for address in held if address.ip != ip]
        self._addresses[adapter.guid] = kept
        self.apply(adapter)
        return len(kept) != len(held)

    def routes(self, adapter: Adapter) -> list[Route]:
        """Those that follow from the addresses of an interface with a link, and those that were added."""
        local = [
            Route(str(ipaddress.ip_interface(address.cidr).network), "::" if address.family == IPV6 else "0.0.0.0",
                  adapter.index, adapter.name, 256, "Local")
            for address in self.addresses(adapter) if address.usable
        ]  # fmt: skip
        return local + self._routes.get(adapter.guid, [])

    def add_route(self, adapter: Adapter, route: Route) -> None:
        """Raises ValueError when the interface has this route already."""
        held = self._routes.setdefault(adapter.guid, [])
        if any((known.destination, known.next_hop) == (route.destination, route.next_hop) for known in held):
            raise ValueError(route.destination)
        held.append(route)

    def remove_route(self, adapter: Adapter, route: Route) -> None:
        self._routes[adapter.guid] = [known for known in self._routes.get(adapter.guid, []) if known != route]

    def apply(self, adapter: Adapter) -> None:
        """Give the NIC's stack the addresses that this interface has, of the protocols that are bound to it."""
        if adapter.nic and adapter.node.started:
            bound = self.bindings.of(adapter.guid)
            held = self._addresses.get(adapter.guid, ())
            adapter.nic.set_address([address.cidr for address in held if bound[_PROTOCOLS[address.family]]])

    def forget(self, adapter: Adapter) -> None:
        """The interface is gone for good: its driver was uninstalled."""
        self.bindings.forget(adapter.guid)
        self._addresses.pop(adapter.guid, None)
        self._routes.pop(adapter.guid, None)
        for family in (IPV4, IPV6):
            self._interfaces.pop((adapter.guid, family), None)
        if adapter.nic:
            adapter.nic.set_address([])

    def booted(self) -> None:
        """What was set in the active store only does not outlive a boot."""
        for guid, held in self._addresses.items():
            self._addresses[guid] = [address for address in held if address.persistent]
        for guid, routes in self._routes.items():
            self._routes[guid] = [route for route in routes if route.persistent]


def _link_local(mac: str) -> str:
    """fe80::/64 with the modified EUI-64 of the MAC (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace("-", ""))
    octets[0] ^= 2
    suffix = bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + suffix))
