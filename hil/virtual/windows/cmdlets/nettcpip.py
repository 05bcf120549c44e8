"""NetTCPIP module: addresses, interfaces, routes, connections (reference windows/cmdlets.json)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSByte, PSUInt, PSUInt16

from hil.virtual.powershell import Call, Module, Param, PSEnum, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.network import (
    AUTOMATIC_METRIC,
    IPV4,
    IPV6,
    LOOPBACK_INDEX,
    LOOPBACK_NAME,
    MANAGEMENT_ADDRESS,
    MANAGEMENT_GATEWAY,
    Address,
    Route,
)  # fmt: skip

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetTCPIP", cdxml=True)

ADDRESS, INTERFACE, ROUTE = "MSFT_NetIPAddress", "MSFT_NetIPInterface", "MSFT_NetRoute"
_ENUMS = "Microsoft.PowerShell.Cmdletization.GeneratedTypes"
_FAMILIES = {"IPv4": IPV4, "IPv6": IPV6}
_ORIGINS = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "RouterAdvertisement": 4}
_SUFFIXES = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "Link": 4, "Random": 5}
_TENTATIVE, _PREFERRED = 1, 4
_PROTOCOLS = {"Local": 2, "NetMgmt": 3}
_FOREVER = timedelta(days=10675199, hours=2, minutes=48, seconds=5)
"""How NetTCPIP shows an infinite lifetime: TimeSpan.MaxValue to the second."""
_SSH_CLIENT_PORT = 52144

Family = Annotated[list[str] | None, Param(choices=("IPv4", "IPv6"))]
OneFamily = Annotated[str | None, Param(choices=("IPv4", "IPv6"))]
Index = Annotated[list[PSUInt] | None, Param(aliases=("ifIndex",), pipeline="property")]
Alias = Annotated[list[str] | None, Param(aliases=("ifAlias",), pipeline="property")]
Toggle = Annotated[str | None, Param(choices=("Disabled", "Enabled"))]

_LOOPBACK = (
    Address(LOOPBACK_INDEX, LOOPBACK_NAME, "127.0.0.1", 8, "WellKnown", "WellKnown"),
    Address(LOOPBACK_INDEX, LOOPBACK_NAME, "::1", 128, "WellKnown", "WellKnown"),
)


def _enum(module: str, name: str, value: int, text: str) -> PSEnum:
    return PSEnum(f"{_ENUMS}.{module}.{name}", value, text)


def _numbers(names: list[str] | None, known: dict[str, int]) -> list[object] | None:
    return None if names is None else [known[name] for name in names]


def _live(call: Call) -> list[Adapter]:
    return [adapter for adapter in call.host.devices.adapters if adapter.node.present]


def address_object(address: Address) -> PSRecord:
    family = "IPv4" if address.family == IPV4 else "IPv6"
    state = _PREFERRED if address.usable else _TENTATIVE
    properties: dict[str, object] = {
        "ifIndex": PSUInt(address.index), "InstanceID": f"{address.index}/{address.ip}", "Caption": None,
        "ElementName": None, "AddressType": None, "IPv4Address": address.ip if family == "IPv4" else None,
        "IPv6Address": address.ip if family == "IPv6" else None, "IPAddress": address.ip,
        "InterfaceAlias": address.alias, "InterfaceIndex": PSUInt(address.index), "PrefixLength": PSByte(address.prefix),
        "AddressFamily": _enum("NetIPAddress", "AddressFamily", address.family, family),
        "Type": _enum("NetIPAddress", "Type", 1, "Unicast"),
        "PrefixOrigin": _enum("NetIPAddress", "PrefixOrigin", _ORIGINS[address.origin], address.origin),
        "SuffixOrigin": _enum("NetIPAddress", "SuffixOrigin", _SUFFIXES[address.suffix], address.suffix),
        "AddressState": _enum(
            "NetIPAddress", "AddressState", state, {_TENTATIVE: "Tentative", _PREFERRED: "Preferred"}[state]
        ),
        "ValidLifetime": _FOREVER, "PreferredLifetime": _FOREVER, "SkipAsSource": address.skip_as_source,
        "Store": _enum("NetIPAddress", "Store", 1, "Active"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(ADDRESS, "ROOT/StandardCimv2", "CIM_IPProtocolEndpoint"), properties, ADDRESS)


def _field(address: Address, name: str) -> object:
    return {
        "IPAddress": address.ip, "InterfaceIndex": address.index, "InterfaceAlias": address.alias,
        "AddressFamily": address.family, "PrefixLength": address.prefix, "PrefixOrigin": _ORIGINS[address.origin],
    }[name]  # fmt: skip


def _addresses(call: Call) -> list[Address]:
    configured = [address for adapter in _live(call) for address in call.host.network.addresses(adapter)]
    return [*configured, *_LOOPBACK]


@cmdlets.cmdlet("Get-NetIPAddress", default_set="ByName")
def get_ip_address(
    call: Call,
    IPAddress: Annotated[
        list[str] | None, Param(position=0, aliases=("LocalAddress",), pipeline="property")
    ] = None,
    InterfaceIndex: Index = None,
    InterfaceAlias: Alias = None,
    AddressFamily: Family = None,
    PrefixLength: list[PSByte] | None = None,
    PrefixOrigin: Annotated[list[str] | None, Param(choices=tuple(_ORIGINS))] = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    filters: cdxml.Filters = {
        "IPAddress": IPAddress, "InterfaceIndex": InterfaceIndex, "InterfaceAlias": InterfaceAlias,
        "AddressFamily": _numbers(AddressFamily, _FAMILIES), "PrefixLength": PrefixLength,
        "PrefixOrigin": _numbers(PrefixOrigin, _ORIGINS),
    }  # fmt: skip
    yield from (address_object(item) for item in cdxml.select(call, ADDRESS, _addresses(call), filters, _field))


@cmdlets.cmdlet("New-NetIPAddress", default_set="ByInterfaceAlias", should_process=True)
def new_ip_address(
    call: Call,
    IPAddress: Annotated[str, Param(position=0, mandatory=True, aliases=("LocalAddress",))] = "",
    InterfaceAlias: Annotated[
        str | None, Param(aliases=("ifAlias",), set="ByInterfaceAlias", mandatory=True)
    ] = None,
    InterfaceIndex: Annotated[
        PSUInt | None, Param(aliases=("ifIndex",), set="ByInterfaceIndex", mandatory=True)
    ] = None,
    PrefixLength: PSByte | None = None,
    AddressFamily: OneFamily = None,
    DefaultGateway: str | None = None,
    Type: Annotated[str, Param(choices=("Unicast", "Anycast"))] = "Unicast",
    PolicyStore: str | None = None,
    SkipAsSource: bool = False,
) -> Iterator[PSRecord]:
    """Reference cmdlets.json: nothing is written when it succeeds."""
    adapter = _one(call, InterfaceAlias, InterfaceIndex)
    if adapter is None or cdxml.refused(call):
        return
    try:
        parsed = ipaddress.ip_address(IPAddress)
    except ValueError:
        call.write_error(cdxml.windows_error(call, 87, f"Invalid parameter IPAddress {IPAddress}.", target=ADDRESS))
        return
    prefix = PrefixLength if PrefixLength is not None else (32 if parsed.version == 4 else 128)
    address = Address(
        adapter.index, adapter.name, str(parsed), int(prefix), persistent=(PolicyStore or "").lower() != "activestore",
        skip_as_source=SkipAsSource,
    )  # fmt: skip
    if any(known.ip == address.ip for known in _addresses(call)):
        call.write_error(cdxml.windows_error(call, 87, f"Instance {ADDRESS} already exists ", target=ADDRESS))
        return
    call.host.network.add(adapter, address)
    if DefaultGateway:
        prefix_all = "0.0.0.0/0" if parsed.version == 4 else "::/0"
        call.host.network.add_route(adapter, Route(prefix_all, DefaultGateway, adapter.index, adapter.name))
    yield from ()


@cmdlets.cmdlet("Remove-NetIPAddress", default_set="ByName", should_process=True)
def remove_ip_address(
    call: Call,
    IPAddress: Annotated[
        list[str] | None, Param(position=0, aliases=("LocalAddress",), pipeline="property")
    ] = None,
    InterfaceIndex: Index = None,
    InterfaceAlias: Alias = None,
    AddressFamily: Family = None,
    DefaultGateway: str | None = None,
    PrefixLength: list[PSByte] | None = None,
    PolicyStore: str | None = None,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    filters: cdxml.Filters = {
        "IPAddress": IPAddress, "InterfaceIndex": InterfaceIndex, "InterfaceAlias": InterfaceAlias,
        "AddressFamily": _numbers(AddressFamily, _FAMILIES), "PrefixLength": PrefixLength,
    }  # fmt: skip
    for address in cdxml.select(call, ADDRESS, _addresses(call), filters, _field):
        if cdxml.refused(call):
            return
        for adapter in _live(call):
            if adapter.index == address.index and call.host.network.remove(adapter, address.ip) and PassThru:
                yield address_object(address)


def _one(call: Call, alias: str | None, index: int | None) -> Adapter | None:
    """The interface that a New- command names; writes error 1168 when there is none."""
    for adapter in _live(call):
        if (alias is not None and adapter.name.lower() == alias.lower()) or (index is not None and adapter.index == index):
            return adapter
    call.write_error(cdxml.windows_error(call, 1168, "Element not found. ", "ObjectNotFound"))
    return None


# interfaces


def _interface_object(call: Call, adapter: Adapter, family: int) -> PSRecord:
    kept, name = call.host.network.interface(adapter, family), "IPv4" if family == IPV4 else "IPv6"
    state = 1 if adapter.link_up else 0
    properties: dict[str, object] = {
        "ifIndex": PSUInt(adapter.index), "InterfaceAlias": adapter.name, "InterfaceIndex": PSUInt(adapter.index),
        "AddressFamily": _enum("NetIPInterface", "AddressFamily", family, name),
        "NlMtu": PSUInt(min(kept.mtu or adapter.mtu, adapter.mtu)), "InterfaceMetric": PSUInt(kept.metric),
        "Dhcp": _enum("NetIPInterface", "Dhcp", int(kept.dhcp), ("Disabled", "Enabled")[kept.dhcp]),
        "ConnectionState": _enum(
            "NetIPInterface", "ConnectionState", state, ("Disconnected", "Connected")[state]
        ),
        "AutomaticMetric": _enum(
            "NetIPInterface", "AutomaticMetric", int(kept.automatic_metric), ("Disabled", "Enabled")[kept.automatic_metric]
        ),
        "Forwarding": _toggle(kept.others, "Forwarding"), "WeakHostSend": _toggle(kept.others, "WeakHostSend"),
        "WeakHostReceive": _toggle(kept.others, "WeakHostReceive"), "CompartmentId": PSUInt(1),
        "DadTransmits": PSUInt(kept.others.get("DadTransmits", 3 if family == IPV4 else 1)),
        "Store": _enum("NetIPInterface", "Store", 1, "Active"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(INTERFACE, "ROOT/StandardCimv2", "CIM_LANEndpoint"), properties, INTERFACE)


def _toggle(values: dict[str, int], name: str) -> PSEnum:
    value = values.get(name, 0)
    return _enum("NetIPInterface", name, value, ("Disabled", "Enabled")[value])


def _interfaces(
    call: Call, index: list[PSUInt] | None, alias: list[str] | None, family: list[str] | None
) -> list[tuple[Adapter, int]]:
    pairs = [(adapter, number) for adapter in _live(call) if adapter.node.started for number in (IPV6, IPV4)]
    filters: cdxml.Filters = {
        "InterfaceIndex": index, "InterfaceAlias": alias, "AddressFamily": _numbers(family, _FAMILIES)
    }
    return cdxml.select(
        call, INTERFACE, pairs, filters,
        lambda pair, name: {"InterfaceIndex": pair[0].index, "InterfaceAlias": pair[0].name}.get(name, pair[1]),
    )  # fmt: skip


@cmdlets.cmdlet("Get-NetIPInterface", default_set="ByName")
def get_ip_interface(
    call: Call,
    InterfaceAlias: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias",), pipeline="property")] = None,
    InterfaceIndex: Index = None,
    AddressFamily: Family = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    for adapter, family in _interfaces(call, InterfaceIndex, InterfaceAlias, AddressFamily):
        yield _interface_object(call, adapter, family)


@cmdlets.cmdlet("Set-NetIPInterface", default_set="ByName", should_process=True)
def set_ip_interface(
    call: Call,
    InterfaceAlias: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias",), pipeline="property")] = None,
    InterfaceIndex: Index = None,
    AddressFamily: Family = None,
    Dhcp: Toggle = None,
    InterfaceMetric: PSUInt | None = None,
    AutomaticMetric: Toggle = None,
    NlMtuBytes: PSUInt | None = None,
    DadTransmits: PSUInt | None = None,
    Forwarding: Toggle = None,
    WeakHostSend: Toggle = None,
    WeakHostReceive: Toggle = None,
    PolicyStore: str | None = None,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    toggles = {"Forwarding": Forwarding, "WeakHostSend": WeakHostSend, "WeakHostReceive": WeakHostReceive}
    for adapter, family in _interfaces(call, InterfaceIndex, InterfaceAlias, AddressFamily):
        if cdxml.refused(call):
            return
        kept = call.host.network.interface(adapter, family)
        kept.dhcp = Dhcp == "Enabled" if Dhcp else kept.dhcp
        kept.mtu = int(NlMtuBytes) if NlMtuBytes is not None else kept.mtu
        if InterfaceMetric is not None:
            kept.metric, kept.automatic_metric = int(InterfaceMetric), False
        kept.automatic_metric = AutomaticMetric == "Enabled" if AutomaticMetric else kept.automatic_metric
        if kept.automatic_metric:
            kept.metric = AUTOMATIC_METRIC
        kept.others |= {name: int(value == "Enabled") for name, value in toggles.items() if value}
        kept.others |= {"DadTransmits": int(DadTransmits)} if DadTransmits is not None else {}
        if PassThru:
            yield _interface_object(call, adapter, family)


# routes


def _route_object(route: Route) -> PSRecord:
    properties: dict[str, object] = {
        "ifIndex": PSUInt(route.index), "DestinationPrefix": route.destination, "NextHop": route.next_hop,
        "InterfaceAlias": route.alias, "InterfaceIndex": PSUInt(route.index), "RouteMetric": PSUInt16(route.metric),
        "AddressFamily": _enum("NetRoute", "AddressFamily", route.family, "IPv4" if route.family == IPV4 else "IPv6"),
        "Protocol": _enum("NetRoute", "Protocol", _PROTOCOLS[route.protocol], route.protocol),
        "Publish": _enum("NetRoute", "Publish", 0, "No"), "Store": _enum("NetRoute", "Store", 1, "Active"),
        "State": _enum("NetRoute", "State", 0, "Alive"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(ROUTE, "ROOT/StandardCimv2", "CIM_NextHopRoute"), properties, ROUTE)


def _routes(
    call: Call, destination: list[str] | None, index: list[PSUInt] | None, alias: list[str] | None,
    next_hop: list[str] | None, family: list[str] | None,
) -> list[tuple[Adapter, Route]]:  # fmt: skip
    pairs = [(adapter, route) for adapter in _live(call) for route in call.host.network.routes(adapter)]
    filters: cdxml.Filters = {
        "DestinationPrefix": destination, "InterfaceIndex": index, "InterfaceAlias": alias, "NextHop": next_hop,
        "AddressFamily": _numbers(family, _FAMILIES),
    }  # fmt: skip

    def read(pair: tuple[Adapter, Route], name: str) -> object:
        route = pair[1]
        return {
            "DestinationPrefix": route.destination, "InterfaceIndex": route.index, "InterfaceAlias": pair[0].name,
            "NextHop": route.next_hop, "AddressFamily": route.family,
        }[name]  # fmt: skip

    return cdxml.select(call, ROUTE, pairs, filters, read)


@cmdlets.cmdlet("Get-NetRoute", default_set="ByName")
def get_route(
    call: Call,
    DestinationPrefix: Annotated[list[str] | None, Param(position=0)] = None,
    InterfaceIndex: Index = None,
    InterfaceAlias: Alias = None,
    NextHop: list[str] | None = None,
    AddressFamily: Family = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    found = _routes(call, DestinationPrefix, InterfaceIndex, InterfaceAlias, NextHop, AddressFamily)
    yield from (_route_object(route) for _, route in found)


@cmdlets.cmdlet("New-NetRoute", default_set="ByInterfaceAlias", should_process=True)
def new_route(
    call: Call,
    DestinationPrefix: Annotated[str, Param(position=0, mandatory=True)] = "",
    InterfaceAlias: Annotated[
        str | None, Param(aliases=("ifAlias",), set="ByInterfaceAlias", mandatory=True)
    ] = None,
    InterfaceIndex: Annotated[
        PSUInt | None, Param(aliases=("ifIndex",), set="ByInterfaceIndex", mandatory=True)
    ] = None,
    NextHop: str | None = None,
    RouteMetric: PSUInt16 | None = None,
    AddressFamily: OneFamily = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    adapter = _one(call, InterfaceAlias, InterfaceIndex)
    if adapter is None or cdxml.refused(call):
        return
    hop = NextHop or ("::" if ":" in DestinationPrefix else "0.0.0.0")
    route = Route(
        DestinationPrefix, hop, adapter.index, adapter.name, int(RouteMetric) if RouteMetric is not None else 256,
        persistent=(PolicyStore or "").lower() != "activestore",
    )  # fmt: skip
    try:
        call.host.network.add_route(adapter, route)
    except ValueError:
        call.write_error(cdxml.windows_error(call, 87, f"Instance {ROUTE} already exists ", target=ROUTE))
    yield from ()


@cmdlets.cmdlet("Remove-NetRoute", default_set="ByName", should_process=True)
def remove_route(
    call: Call,
    DestinationPrefix: Annotated[list[str] | None, Param(position=0)] = None,
    InterfaceIndex: Index = None,
    InterfaceAlias: Alias = None,
    NextHop: list[str] | None = None,
    AddressFamily: Family = None,
    PolicyStore: str | None = None,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    for adapter, route in _routes(call, DestinationPrefix, InterfaceIndex, InterfaceAlias, NextHop, AddressFamily):
        if cdxml.refused(call):
            return
        call.host.network.remove_route(adapter, route)
        if PassThru:
            yield _route_object(route)


# connections


@cmdlets.cmdlet("Get-NetTCPConnection", default_set="ByName")
def get_tcp_connection(
    call: Call,
    LocalAddress: Annotated[list[str] | None, Param(position=0, aliases=("IPAddress",))] = None,
    LocalPort: Annotated[list[PSUInt16] | None, Param(position=1)] = None,
    RemoteAddress: list[str] | None = None,
    RemotePort: list[PSUInt16] | None = None,
    State: list[str] | None = None,
    OwningProcess: list[PSUInt] | None = None,
) -> Iterator[PSRecord]:
    """sshd: what it listens on, and the connection by which this question came, over the management adapter."""
    port = call.bench.ssh.port if call.bench.ssh else 22
    rows = [
        ("0.0.0.0", port, "0.0.0.0", 0, 2, "Listen"),
        (MANAGEMENT_ADDRESS, port, MANAGEMENT_GATEWAY, _SSH_CLIENT_PORT, 5, "Established"),
    ]
    names = ("LocalAddress", "LocalPort", "RemoteAddress", "RemotePort", "Number", "State")
    filters: cdxml.Filters = {
        "LocalAddress": LocalAddress, "LocalPort": LocalPort, "RemoteAddress": RemoteAddress,
        "RemotePort": RemotePort, "State": State, "OwningProcess": OwningProcess,
    }  # fmt: skip
    found = cdxml.select(
        call, "MSFT_NetTCPConnection", rows, filters,
        lambda row, name: 2948 if name == "OwningProcess" else row[names.index(name)],
    )  # fmt: skip
    for local, local_port, remote, remote_port, number, state in found:
        properties: dict[str, object] = {
            "LocalAddress": local, "LocalPort": PSUInt16(local_port), "RemoteAddress": remote,
            "RemotePort": PSUInt16(remote_port), "State": _enum("NetTCPConnection", "State", number, state),
            "AppliedSetting": _enum("NetTCPConnection", "AppliedSetting", 0, ""), "OwningProcess": PSUInt(2948),
            "CreationTime": call.host.last_boot, "OffloadState": _enum("NetTCPConnection", "OffloadState", 0, "InHost"),
            "InstanceID": f"{local}++{local_port}++{remote}++{remote_port}", "PSComputerName": None,
        }  # fmt: skip
        yield PSRecord(cdxml.types("MSFT_NetTCPConnection"), properties, "MSFT_NetTCPConnection")
