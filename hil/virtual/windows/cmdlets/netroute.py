"""NetTCPIP module: routes and connections (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSUInt, PSUInt16

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.nettcpip import FAMILIES, Alias, Family, Index, OneFamily, enum, live, named, numbers
from hil.virtual.windows.network import IPV4, MANAGEMENT_ADDRESS, MANAGEMENT_GATEWAY, Route

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetTCPIP", cdxml=True)

ROUTE = "MSFT_NetRoute"
_PROTOCOLS = {"Local": 2, "NetMgmt": 3}
_SSH_CLIENT_PORT = 52144


def _route_object(route: Route) -> PSRecord:
    properties: dict[str, object] = {
        "ifIndex": PSUInt(route.index), "DestinationPrefix": route.destination, "NextHop": route.next_hop,
        "InterfaceAlias": route.alias, "InterfaceIndex": PSUInt(route.index), "RouteMetric": PSUInt16(route.metric),
        "AddressFamily": enum("NetRoute", "AddressFamily", route.family, "IPv4" if route.family == IPV4 else "IPv6"),
        "Protocol": enum("NetRoute", "Protocol", _PROTOCOLS[route.protocol], route.protocol),
        "Publish": enum("NetRoute", "Publish", 0, "No"), "Store": enum("NetRoute", "Store", 1, "Active"),
        "State": enum("NetRoute", "State", 0, "Alive"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(ROUTE, "ROOT/StandardCimv2", "CIM_NextHopRoute"), properties, ROUTE)


def _routes(
    call: Call, destination: list[str] | None, index: list[PSUInt] | None, alias: list[str] | None,
    next_hop: list[str] | None, family: list[str] | None,
) -> list[tuple[Adapter, Route]]:  # fmt: skip
    pairs = [(adapter, route) for adapter in live(call) for route in call.host.network.routes(adapter)]
    filters: cdxml.Filters = {
        "DestinationPrefix": destination, "InterfaceIndex": index, "InterfaceAlias": alias, "NextHop": next_hop,
        "AddressFamily": numbers(family, FAMILIES),
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
    InterfaceAlias: Annotated[str | None, Param(aliases=("ifAlias",), set="ByInterfaceAlias", mandatory=True)] = None,
    InterfaceIndex: Annotated[
        PSUInt | None, Param(aliases=("ifIndex",), set="ByInterfaceIndex", mandatory=True)
    ] = None,
    NextHop: str | None = None,
    RouteMetric: PSUInt16 | None = None,
    AddressFamily: OneFamily = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    adapter = named(call, InterfaceAlias, InterfaceIndex)
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
            "RemotePort": PSUInt16(remote_port), "State": enum("NetTCPConnection", "State", number, state),
            "AppliedSetting": enum("NetTCPConnection", "AppliedSetting", 0, ""), "OwningProcess": PSUInt(2948),
            "CreationTime": call.host.last_boot, "OffloadState": enum("NetTCPConnection", "OffloadState", 0, "InHost"),
            "InstanceID": f"{local}++{local_port}++{remote}++{remote_port}", "PSComputerName": None,
        }  # fmt: skip
        yield PSRecord(cdxml.types("MSFT_NetTCPConnection"), properties, "MSFT_NetTCPConnection")
