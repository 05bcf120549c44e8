"""Which protocols, clients, services and filters are bound to each adapter (ncpa.cpl's list of check boxes)."""

from __future__ import annotations

from dataclasses import dataclass

NCF_HIDDEN, NCF_NOT_USER_REMOVABLE, NCF_HAS_UI, NCF_NDIS_PROTOCOL = 0x8, 0x20, 0x80, 0x2000


@dataclass(frozen=True)
class Component:
    """One network component of a stock Windows."""

    component_id: str
    display_name: str
    class_name: str
    """nettrans, netclient or netservice"""
    characteristics: int
    bound: bool = True
    """On a new adapter."""


CLASS_GUIDS = {
    "nettrans": "{4D36E975-E325-11CE-BFC1-08002BE10318}",
    "netclient": "{4D36E973-E325-11CE-BFC1-08002BE10318}",
    "netservice": "{4D36E974-E325-11CE-BFC1-08002BE10318}",
}
"""Microsoft, "System-Defined Device Setup Classes Available to Vendors"."""

COMPONENTS = (
    Component("ms_msclient", "Client for Microsoft Networks", "netclient", NCF_HAS_UI),
    Component("ms_server", "File and Printer Sharing for Microsoft Networks", "netservice", NCF_HAS_UI),
    Component("ms_pacer", "QoS Packet Scheduler", "netservice", 0),
    Component("ms_tcpip", "Internet Protocol Version 4 (TCP/IPv4)", "nettrans", NCF_HAS_UI | NCF_NOT_USER_REMOVABLE),
    Component("ms_implat", "Microsoft Network Adapter Multiplexor Protocol", "nettrans", 0, bound=False),
    Component("ms_lldp", "Microsoft LLDP Protocol Driver", "nettrans", 0),
    Component("ms_tcpip6", "Internet Protocol Version 6 (TCP/IPv6)", "nettrans", NCF_HAS_UI | NCF_NOT_USER_REMOVABLE),
    Component("ms_rspndr", "Link-Layer Topology Discovery Responder", "nettrans", 0),
    Component("ms_lltdio", "Link-Layer Topology Discovery Mapper I/O Driver", "nettrans", 0),
)
"""As a stock client has them; none is hidden."""


class Bindings:
    """By interface; an adapter that is forgotten starts over."""

    def __init__(self) -> None:
        self._changed: dict[str, dict[str, bool]] = {}

    def of(self, guid: str) -> dict[str, bool]:
        """Component id to whether it is bound."""
        return {one.component_id: one.bound for one in COMPONENTS} | self._changed.get(guid, {})

    def set(self, guid: str, component_id: str, bound: bool) -> None:
        self._changed.setdefault(guid, {})[component_id] = bound

    def forget(self, guid: str) -> None:
        self._changed.pop(guid, None)
