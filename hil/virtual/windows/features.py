"""Features of network adapters as the NetAdapter module groups them, and the keyword behind each of their properties.

Properties, types and enumerations: reference windows/cmdlets.json, ``classes.MSFT_NetAdapter*SettingData``; keywords:
Microsoft, "Standardized INF Keywords for Network Devices".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psrpcore.types import PSByte, PSUInt, PSUInt16

from hil.virtual.windows.setting_store import stored

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter
    from hil.virtual.windows.settings import Setting

DIRECTIONS = ("Disabled", "TxEnabled", "RxEnabled", "RxTxEnabled")
PROFILES = ("", "Closest", "ClosestStatic", "NUMA", "NUMAStatic", "Conservative")


@dataclass(frozen=True)
class Field:
    """A property that can be changed, kept under ``keyword`` in the driver key."""

    name: str
    keyword: str
    kind: type[int] = bool
    labels: tuple[str, ...] = ()
    """Of an enumeration: what Set- takes for 0, 1, 2 ..."""
    default: str = "0"
    """When neither the INF nor anybody else has set it."""
    switch: str = ""
    """Parameter of Enable- and Disable- that picks this property out."""
    parameter: bool = True
    """Set- has a parameter of this name."""
    shown: bool = True
    """Get- has a property of this name."""

    @property
    def is_flag(self) -> bool:
        """Something that Enable- and Disable- turn on and off; it needs a driver that offers it."""
        return self.kind is bool or bool(self.switch)

    def declared(self, adapter: Adapter) -> Setting | None:
        """What the INF offers under the keyword; INFs differ in the case of some."""
        wanted = self.keyword.lower()
        return next((found for name, found in adapter.settings.items() if name.lower() == wanted), None)

    def value(self, adapter: Adapter) -> int:
        declared = self.declared(adapter)
        if self.is_flag and declared is None:
            return self.kind(0)
        return self.kind(int(declared.value if declared else stored(adapter, self.keyword, self.default)))

    def registry_value(self, given: str | int) -> str:
        """Of a parameter as it was bound."""
        return str(self.labels.index(given) if isinstance(given, str) else int(given))

    def turned(self, on: bool) -> str:
        return str(len(self.labels) - 1 if self.labels else 1) if on else "0"


Rest = Callable[[Mapping[str, int]], Mapping[str, object]]


@dataclass(frozen=True)
class Feature:
    """One family of cmdlets. An adapter has the feature when its INF offers one of the flags."""

    noun: str
    class_name: str
    fields: tuple[Field, ...]
    rest: Rest
    """Properties that only report, from the values of the others."""
    encapsulation: bool = False
    """Enable- and Disable- take -EncapsulationType."""

    def on(self, adapter: Adapter) -> bool:
        return adapter.node.started and any(
            field.declared(adapter) for field in self.fields if field.is_flag
        )

    def properties(self, adapter: Adapter) -> dict[str, object]:
        values = {field.name: field.value(adapter) for field in self.fields}
        found = {field.name: values[field.name] for field in self.fields if field.shown} | dict(self.rest(values))
        faults = adapter.windows.bench.faults
        return dict(faults.feature(found, noun=self.noun)) if adapter.port.under_test else found


def _processors(*, group_top: bool) -> tuple[Field, ...]:
    top = (Field("MaxProcessorGroup", "*RssMaxProcGroup", PSUInt16),) if group_top else ()
    return (
        Field("BaseProcessorGroup", "*RssBaseProcGroup", PSUInt16),
        Field("BaseProcessorNumber", "*RssBaseProcNumber", PSByte),
        *top,
        Field("MaxProcessorNumber", "*RssMaxProcNumber", PSByte, default="63"),
        Field("MaxProcessors", "*MaxRssProcessors", PSUInt, default="8"),
        Field("NumaNode", "*NumaNodeId", PSUInt16, default="65535"),
    )


def _rss(values: Mapping[str, int]) -> Mapping[str, object]:
    on, queues = bool(values["Enabled"]), values["NumberOfReceiveQueues"]
    supported = (
        "MsiSupported", "MsiXSupported", "MsiXEnabled", "ClassificationAtIsrSupported", "ClassificationAtDpcSupported",
        "TcpIPv4HashSupported", "TcpIPv6HashSupported", "ToeplitzHashFunctionSupported",
    )  # fmt: skip
    enabled = ("IPv4HashEnabled", "TcpIPv4HashEnabled", "IPv6HashEnabled", "TcpIPv6HashEnabled",
               "ToeplitzHashFunctionEnabled")  # fmt: skip
    return {
        **dict.fromkeys(supported, True), **dict.fromkeys(enabled, on), "TcpIPv6ExtensionHashSupported": False,
        "RssOnPortsSupported": False, "IPv6ExtensionHashEnabled": False, "TcpIPv6ExtensionHashEnabled": False,
        "NumberOfInterruptMessages": PSUInt(queues + 1), "IndirectionTableEntryCount": PSUInt16(128),
        "HashKeySize": PSUInt16(40), "IndirectionTable": ["MSFT_NetAdapter_RssProcessor"] * 128 if on else [],
        "RssProcessorArraySize": PSUInt(queues), "RssProcessorArray": ["MSFT_NetAdapter_RssProcessor"] * queues,
    }  # fmt: skip


def _rsc(values: Mapping[str, int]) -> Mapping[str, object]:
    no_failure, property_disabled = 0, 1
    states = {f"{ip}OperationalState": bool(values[f"{ip}Enabled"]) for ip in ("IPv4", "IPv6")}
    reasons = {
        f"{ip}FailureReason": PSUInt(no_failure if values[f"{ip}Enabled"] else property_disabled)
        for ip in ("IPv4", "IPv6")
    }
    return {"RscHardwareCapabilities": "MSFT_NetAdapter_RscCapabilities", **states, **reasons}


def _just(**properties: object) -> Rest:
    return lambda _: properties


def _both(keyword: str) -> tuple[Field, ...]:
    return tuple(Field(f"{ip}Enabled", f"{keyword}{ip}", switch=ip) for ip in ("IPv4", "IPv6"))


def _checksums() -> tuple[Field, ...]:
    pairs = (("Ip", "IPv4"), ("Tcp", "IPv4"), ("Tcp", "IPv6"), ("Udp", "IPv4"), ("Udp", "IPv6"))
    return tuple(
        Field(f"{what}{ip}Enabled", f"*{what.upper()}ChecksumOffload{ip}", PSUInt, DIRECTIONS, switch=f"{what}{ip}")
        for what, ip in pairs
    )


_ENCAPSULATION = "EncapsulatedPacketTaskOffload"

FEATURES = (
    Feature("NetAdapterRss", "MSFT_NetAdapterRssSettingData", (
        Field("Enabled", "*RSS"),
        Field("NumberOfReceiveQueues", "*NumRssQueues", PSUInt, default="1"),
        Field("Profile", "*RSSProfile", PSUInt, PROFILES, default="4"),
        *_processors(group_top=True),
    ), _rss),
    Feature(
        "NetAdapterChecksumOffload", "MSFT_NetAdapterChecksumOffloadSettingData", _checksums(),
        _just(ChecksumOffloadHardwareCapabilities="MSFT_NetAdapterChecksumOffloadCapabilities"),
    ),
    Feature(
        "NetAdapterLso", "MSFT_NetAdapterLsoSettingData",
        (Field("V1IPv4Enabled", "*LsoV1IPv4"), *_both("*LsoV2")),
        _just(MaximumLsoVersionSupported=PSUInt(2), LargeSendOffloadV1HardwareCapabilities=None,
              LargeSendOffloadV2HardwareCapabilities="MSFT_NetAdapterLargeSendOffloadV2Capabilities"),
    ),
    Feature("NetAdapterUso", "MSFT_NetAdapterUsoSettingData", _both("*Uso"), _just()),
    Feature("NetAdapterRsc", "MSFT_NetAdapterRscSettingData", _both("*Rsc"), _rsc),
    Feature(
        "NetAdapterVmq", "MSFT_NetAdapterVmqSettingData", (Field("Enabled", "*VMQ"), *_processors(group_top=False)),
        _just(NumberOfReceiveQueues=PSUInt(8), TotalNumberOfMacAddresses=PSUInt(32), NumMacAddressesPerPort=PSUInt(0),
              NumVlansPerPort=PSUInt(0), VlanFilteringSupported=True, LookaheadSplitSupported=False,
              MinLookaheadSplitSize=PSUInt(0), MaxLookaheadSplitSize=PSUInt(0), AnyVlanSupported=True,
              DynamicProcessorAffinityChangeSupported=True, InterruptVectorCoalescingSupported=False),
    ),
    Feature(
        "NetAdapterSriov", "MSFT_NetAdapterSriovSettingData",
        (Field("Enabled", "*SRIOV"), Field("NumVFs", r"*NumVFs", PSUInt)),
        _just(SriovSupport=PSByte(1), HardwareCapabilities="MSFT_NetAdapterSriovCapabilities",
              CurrentCapabilities="MSFT_NetAdapterSriovCapabilities", SwitchType=PSUInt16(1),
              SwitchName="Default Switch", NumAllocatedVFs=PSUInt(0), NumVPorts=PSUInt(1), NumActiveVPorts=PSUInt(1),
              NumQueuePairsForDefaultVPort=PSUInt(1), NumQueuePairsForNonDefaultVPorts=PSUInt(1),
              NumActiveDefaultVPortMacAddresses=PSUInt(1), NumActiveNonDefaultVPortMacAddresses=PSUInt(0),
              NumActiveDefaultVPortVlanIds=PSUInt(0), NumActiveNonDefaultVPortVlanIds=PSUInt(0)),
    ),
    Feature(
        "NetAdapterQos", "MSFT_NetAdapterQosSettingData", (Field("Enabled", "*QOS"),),
        _just(HardwareCapabilities="MSFT_NetAdapter_QosCapabilities", OperationalSettings="MSFT_NetAdapter_QosSettings",
              CurrentCapabilities="MSFT_NetAdapter_QosCapabilities", RemoteSettings="MSFT_NetAdapter_QosSettings"),
    ),
    Feature(
        "NetAdapterRdma", "MSFT_NetAdapterRdmaSettingData", (Field("Enabled", "*NetworkDirect"),),
        _just(RdmaMissingCounterInfo=None, RdmaAdapterInfo="MSFT_NetAdapter_RdmaAdapterInfo",
              **dict.fromkeys(("MaxQueuePairCount", "MaxCompletionQueueCount", "MaxMemoryRegionCount",
                               "MaxProtectionDomainCount", "MaxInboundReadLimit", "MaxOutboundReadLimit",
                               "MaxMemoryWindowCount", "MaxSharedReceiveQueueCount"), PSUInt(256))),
    ),
    Feature(
        "NetAdapterEncapsulatedPacketTaskOffload", "MSFT_NetAdapterEncapsulatedPacketTaskOffloadSettingData", (
            Field("EncapsulatedPacketTaskOffloadEnabled", f"*{_ENCAPSULATION}", parameter=False),
            Field(f"Nvgre{_ENCAPSULATION}Enabled", f"*{_ENCAPSULATION}Nvgre", switch="NVGRE", shown=False),
            Field(f"Vxlan{_ENCAPSULATION}Enabled", f"*{_ENCAPSULATION}Vxlan", switch="VXLAN", shown=False),
            Field("VxlanUDPPortNumber", "*VxlanUDPPortNumber", PSUInt16, default="4789", shown=False),
        ),
        _just(EncapsulatedPacketTaskOffloadHardwareCapabilities=(
            "MSFT_NetAdapterEncapsulatedPacketTaskOffloadCapabilities")),
        encapsulation=True,
    ),
)  # fmt: skip
"""Power management has a module of its own (its check boxes are three-valued), and so have bindings."""
