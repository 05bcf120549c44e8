"""NetTCPIP module: addresses and interfaces (reference windows/cmdlets.json)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSByte, PSUInt

from hil.virtual.powershell import Call, Module, Param, PSEnum, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.network import (
    AUTOMATIC_METRIC,
    IPV4,
    IPV6,
    LOOPBACK_INDEX,
    LOOPBACK_NAME,
    Address,
    Route,
)  # fmt: skip

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetTCPIP", cdxml=True)

ADDRESS, INTERFACE = "MSFT_NetIPAddress", "MSFT_NetIPInterface"
_ENUMS = "Microsoft.PowerShell.Cmdletization.GeneratedTypes"
FAMILIES = {"IPv4": IPV4, "IPv6": IPV6}
_ORIGINS = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "RouterAdvertisement": 4}
_SUFFIXES = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "Link": 4, "Random": 5}
_TENTATIVE, _PREFERRED = 1, 4
_FOREVER = timedelta(days=10675199, hours=2, minutes=48, seconds=5)
"""How NetTCPIP shows an infinite lifetime: TimeSpan.MaxValue to the second."""

Family = Annotated[list[str] | None, Param(choices=("IPv4", "IPv6"))]
OneFamily = Annotated[str | None, Param(choices=("IPv4", "IPv6"))]
Index = Annotated[list[PSUInt] | None, Param(aliases=("ifIndex",), pipeline="property")]
Alias = Annotated[list[str] | None, Param(aliases=("ifAlias",), pipeline="property")]
Toggle = Annotated[str | None, Param(choices=("Disabled", "Enabled"))]

_LOOPBACK = (
    Address(LOOPBACK_INDEX, LOOPBACK_NAME, "127.0.0.1", 8, "WellKnown", "WellKnown"),
    Address(LOOPBACK_INDEX, LOOPBACK_NAME, "::1", 128, "WellKnown", "WellKnown"),
)


def enum(module: str, name: str, value: int, text: str) -> PSEnum:
    return PSEnum(f"{_ENUMS}.{module}.{name}", value, text)


def numbers(names: list[str] | None, known: dict[str, int]) -> list[object] | None:
    return None if names is None else [known[name] for name in names]


def live(call: Call) -> list[Adapter]:
    return [adapter for adapter in call.host.devices.adapters if adapter.node.present]


def address_object(address: Address) -> PSRecord:
    family = "IPv4" if address.family == IPV4 else "IPv6"
    state = _PREFERRED if address.usable else _TENTATIVE
    properties: dict[str, object] = {
        "ifIndex": PSUInt(address.index), "InstanceID": f"{address.index}/{address.scoped}", "Caption": None,
        "ElementName": None, "AddressType": None, "IPv4Address": address.ip if family == "IPv4" else None,
        "IPv6Address": address.scoped if family == "IPv6" else None, "IPAddress": address.scoped,
        "InterfaceAlias": address.alias, "InterfaceIndex": PSUInt(address.index),
        "PrefixLength": PSByte(address.prefix),
        "AddressFamily": enum("NetIPAddress", "AddressFamily", address.family, family),
        "Type": enum("NetIPAddress", "Type", 1, "Unicast"),
        "PrefixOrigin": enum("NetIPAddress", "PrefixOrigin", _ORIGINS[address.origin], address.origin),
        "SuffixOrigin": enum("NetIPAddress", "SuffixOrigin", _SUFFIXES[address.suffix], address.suffix),
        "AddressState": enum(
            "NetIPAddress", "AddressState", state, {_TENTATIVE: "Tentative", _PREFERRED: "Preferred"}[state]
        ),
        "ValidLifetime": _FOREVER, "PreferredLifetime": _FOREVER, "SkipAsSource": address.skip_as_source,
        "Store": enum("NetIPAddress", "Store", 1, "Active"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(ADDRESS, "ROOT/StandardCimv2", "CIM_IPProtocolEndpoint"), properties, ADDRESS)


def _field(address: Address, name: str) -> object:
    return {
        "IPAddress": address.scoped, "InterfaceIndex": address.index, "InterfaceAlias": address.alias,
        "AddressFamily": address.family, "PrefixLength": address.prefix, "PrefixOrigin": _ORIGINS[address.origin],
    }[name]  # fmt: skip


def _addresses(call: Call) -> list[Address]:
    configured = [address for adapter in live(call) for address in call.host.network.addresses(adapter)]
    return [*configured, *_LOOPBACK]


@cmdlets.cmdlet("Get-NetIPAddress", default_set="ByName")
def get_ip_address(
    call: Call,
    IPAddress: Annotated[list[str] | None, Param(position=0, aliases=("LocalAddress",), pipeline="property")] = None,
    InterfaceIndex: Index = None,
    InterfaceAlias: Alias = None,
    AddressFamily: Family = None,
    PrefixLength: list[PSByte] | None = None,
    PrefixOrigin: Annotated[list[str] | None, Param(choices=tuple(_ORIGINS))] = None,
    PolicyStore: str | None = None,
) -> Iterator[PSRecord]:
    filters: cdxml.Filters = {
        "IPAddress": IPAddress, "InterfaceIndex": InterfaceIndex, "InterfaceAlias": InterfaceAlias,
        "AddressFamily": numbers(AddressFamily, FAMILIES), "PrefixLength": PrefixLength,
        "PrefixOrigin": numbers(PrefixOrigin, _ORIGINS),
    }  # fmt: skip
    yield from (address_object(item) for item in cdxml.select(call, ADDRESS, _addresses(call), filters, _field))


@cmdlets.cmdlet("New-NetIPAddress", default_set="ByInterfaceAlias", should_process=True)
def new_ip_address(
    call: Call,
    IPAddress: Annotated[str, Param(position=0, mandatory=True, aliases=("LocalAddress",))] = "",
    InterfaceAlias: Annotated[str | None, Param(aliases=("ifAlias",), set="ByInterfaceAlias", mandatory=True)] = None,
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
    adapter = named(call, InterfaceAlias, InterfaceIndex)
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
    IPAddress: Annotated[list[str] | None, Param(position=0, aliases=("LocalAddress",), pipeline="property")] = None,
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
        "AddressFamily": numbers(AddressFamily, FAMILIES), "PrefixLength": PrefixLength,
    }  # fmt: skip
    for address in cdxml.select(call, ADDRESS, _addresses(call), filters, _field):
        if cdxml.refused(call):
            return
        for adapter in live(call):
            if adapter.index == address.index and call.host.network.remove(adapter, address.ip) and PassThru:
                yield address_object(address)


def named(call: Call, alias: str | None, index: int | None) -> Adapter | None:
    """The interface that a New- command names; writes error 1168 when there is none."""
    for adapter in live(call):
        if (alias is not None and adapter.name.lower() == alias.lower()) or (
            index is not None and adapter.index == index
        ):
            return adapter
    call.write_error(cdxml.windows_error(call, 1168, "Element not found. ", "ObjectNotFound"))
    return None


# interfaces


def _interface_object(call: Call, adapter: Adapter, family: int) -> PSRecord:
    kept, name = call.host.network.interface(adapter, family), "IPv4" if family == IPV4 else "IPv6"
    properties: dict[str, object] = {
        "ifIndex": PSUInt(adapter.index), "InterfaceAlias": adapter.name, "InterfaceIndex": PSUInt(adapter.index),
        "AddressFamily": enum("NetIPInterface", "AddressFamily", family, name),
        "NlMtu": PSUInt(min(kept.mtu or adapter.mtu, adapter.mtu)), "InterfaceMetric": PSUInt(kept.metric),
        "Dhcp": _toggle("Dhcp", kept.dhcp), "AutomaticMetric": _toggle("AutomaticMetric", kept.automatic_metric),
        "ConnectionState": enum(
            "NetIPInterface", "ConnectionState", int(adapter.link_up), ("Disconnected", "Connected")[adapter.link_up]
        ),
        "Forwarding": _toggle("Forwarding", kept.others.get("Forwarding", 0)),
        "WeakHostSend": _toggle("WeakHostSend", kept.others.get("WeakHostSend", 0)),
        "WeakHostReceive": _toggle("WeakHostReceive", kept.others.get("WeakHostReceive", 0)),
        "CompartmentId": PSUInt(1),
        "DadTransmits": PSUInt(kept.others.get("DadTransmits", 3 if family == IPV4 else 1)),
        "Store": enum("NetIPInterface", "Store", 1, "Active"), "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(INTERFACE, "ROOT/StandardCimv2", "CIM_LANEndpoint"), properties, INTERFACE)


def _toggle(name: str, on: int) -> PSEnum:
    return enum("NetIPInterface", name, int(on), ("Disabled", "Enabled")[on])


def _interfaces(
    call: Call, index: list[PSUInt] | None, alias: list[str] | None, family: list[str] | None
) -> list[tuple[Adapter, int]]:
    pairs = [(adapter, number) for adapter in live(call) if adapter.node.started for number in (IPV6, IPV4)]
    filters: cdxml.Filters = {
        "InterfaceIndex": index,
        "InterfaceAlias": alias,
        "AddressFamily": numbers(family, FAMILIES),
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
