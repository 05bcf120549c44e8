"""The objects that the NetAdapter cmdlets give out, property by property (windows/cmdlets.json, ``classes``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psrpcore.types import PSByte, PSUInt, PSUInt16, PSUInt64

from hil.virtual.powershell import PSEnum, PSRecord
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.crash import filetime
from hil.virtual.windows.settings import TYPES, Setting

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

ADAPTER, PROPERTY = "MSFT_NetAdapter", "MSFT_NetAdapterAdvancedPropertySettingData"
STATISTICS, HARDWARE = "MSFT_NetAdapterStatisticsSettingData", "MSFT_NetAdapterHardwareInfoSettingData"

_ENUMS = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.NetAdapter"
_UP, _DOWN, _NOT_PRESENT = 1, 2, 6
_OPERATIONAL = {_UP: "Up", _DOWN: "Down", _NOT_PRESENT: "NotPresent"}
_NULL = (
    "Caption", "Description", "ElementName", "CommunicationStatus", "DetailedStatus", "HealthState", "InstallDate",
    "OperatingStatus", "OperationalStatus", "PrimaryStatus", "StatusDescriptions", "AvailableRequestedStates",
    "OtherEnabledState", "TimeOfLastStateChange", "AdditionalAvailability", "Availability", "ErrorCleared",
    "ErrorDescription", "IdentifyingDescriptions", "LastErrorCode", "MaxQuiesceTime", "OtherIdentifyingInfo",
    "PowerManagementCapabilities", "PowerManagementSupported", "PowerOnHours", "StatusInfo", "TotalPowerOnHours",
    "MaxSpeed", "OtherPortType", "PortType", "RequestedSpeed", "UsageRestriction", "AutoSense", "LinkTechnology",
    "OtherLinkTechnology", "OtherNetworkPortType", "SupportedMaximumTransmissionUnit", "VlanID",
)  # fmt: skip
"""Always null on real adapters (reference, ``always_null_on_real_adapters``)."""


def link_speed_text(bits_per_second: int) -> str:
    """As the LinkSpeed script property rounds: decimal, one digit (reference, ``Format-LinkSpeed``)."""
    value, units = float(bits_per_second), ["", "K", "M", "G", "T"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{round(value, 1):g} {units[0]}bps"


def adapter_object(adapter: Adapter) -> PSRecord:
    node, up = adapter.node, adapter.node.started and adapter.link_up
    operational = _UP if up else _DOWN if node.present else _NOT_PRESENT
    disabled = node.disabled
    status = {_UP: "Up", _DOWN: "Disabled" if disabled else "Disconnected"}.get(operational, "Not Present")
    speed = adapter.link_mbps * 1_000_000 if up else 0
    connected = 1 if up else 2
    admin = 2 if disabled else 1
    mac = adapter.mac
    properties: dict[str, object] = {
        "ifAlias": adapter.name, "InterfaceAlias": adapter.name, "ifIndex": PSUInt(adapter.index),
        "ifDesc": adapter.description, "ifName": _luid_name(adapter), "DriverVersion": _version(adapter),
        "LinkLayerAddress": mac, "MacAddress": mac, "Status": status, "LinkSpeed": link_speed_text(speed),
        "MediaType": "802.3", "PhysicalMediaType": "802.3",
        "AdminStatus": PSEnum(f"{_ENUMS}.NET_IF_ADMIN_STATUS", admin, {1: "Up", 2: "Down"}[admin]),
        "MediaConnectionState": PSEnum(
            f"{_ENUMS}.NET_IF_MEDIA_CONNECT_STATE", connected, {1: "Connected", 2: "Disconnected"}[connected]
        ),
        "ifOperStatus": PSEnum(f"{_ENUMS}.IF_OPER_STATUS", operational, _OPERATIONAL[operational]),
        **_driver(adapter),
        **dict.fromkeys(_NULL),
        "InstanceID": adapter.guid, "Name": adapter.name, "EnabledDefault": PSUInt16(2), "EnabledState": PSUInt16(5),
        "RequestedState": PSUInt16(12), "TransitioningToState": PSUInt16(12), "CreationClassName": ADAPTER,
        "DeviceID": adapter.guid, "SystemCreationClassName": "CIM_NetworkPort",
        "SystemName": adapter.windows.computer_name, "Speed": PSUInt64(speed),
        "ActiveMaximumTransmissionUnit": PSUInt64(adapter.mtu), "FullDuplex": up,
        "NetworkAddresses": [mac.replace("-", "")], "PermanentAddress": adapter.port.mac.replace("-", ""),
        "PortNumber": PSUInt16(0), "AdminLocked": False, "ConnectorPresent": True,
        "DeviceName": rf"\Device\{adapter.guid}", "DeviceWakeUpEnable": adapter.wake_enabled,
        "EndPointInterface": False, "HardwareInterface": True, "Hidden": not node.present,
        "HigherLayerInterfaceIndices": None, "IMFilter": False, "InterfaceAdminStatus": PSUInt(admin),
        "InterfaceDescription": adapter.description, "InterfaceGuid": adapter.guid,
        "InterfaceIndex": PSUInt(adapter.index), "InterfaceName": _luid_name(adapter),
        "InterfaceOperationalStatus": PSUInt(operational), "InterfaceType": PSUInt(6), "iSCSIInterface": False,
        "LowerLayerInterfaceIndices": None, "MediaConnectState": PSUInt(connected),
        "MediaDuplexState": PSUInt(2 if up else 0), "MtuSize": PSUInt(adapter.mtu), "NdisMedium": PSUInt(0),
        "NdisPhysicalMedium": PSUInt(14), "NetLuid": PSUInt64(adapter.luid), "NetLuidIndex": PSUInt(adapter.luid_index),
        "NotUserRemovable": False, "OperationalStatusDownDefaultPortNotAuthenticated": False,
        "OperationalStatusDownInterfacePaused": False, "OperationalStatusDownLowPowerState": False,
        "OperationalStatusDownMediaDisconnected": not up and not disabled, "PnPDeviceID": node.instance_id,
        "PromiscuousMode": False, "ReceiveLinkSpeed": PSUInt64(speed), "TransmitLinkSpeed": PSUInt64(speed),
        "State": PSUInt(3 if disabled else 2 if node.started else 0), "Virtual": False, "WdmInterface": False,
        "PSComputerName": None,
    }  # fmt: skip
    name = f'{ADAPTER} (CreationClassName = "{ADAPTER}", DeviceID = "{adapter.guid}")'
    return PSRecord(cdxml.types(ADAPTER, "ROOT/StandardCimv2", "CIM_NetworkPort"), properties, name)


def _driver(adapter: Adapter) -> dict[str, object]:
    driver = adapter.node.driver
    if driver is None:
        return {}
    file_name = driver.image_path.rpartition("\\")[2]
    major, minor = (int(part) for part in driver.version.split(".")[:2])
    return {
        "DriverInformation": f"Driver Date {driver.date:%Y-%m-%d} Version {driver.version} NDIS 6.85",
        "DriverFileName": file_name, "NdisVersion": "6.85", "ComponentID": driver.matching_id.lower(),
        "DriverDate": f"{driver.date:%Y-%m-%d}", "DriverDateData": PSUInt64(filetime(driver.date)),
        "DriverDescription": adapter.description, "DriverMajorNdisVersion": PSByte(6),
        "DriverMinorNdisVersion": PSByte(85), "DriverName": driver.image_path.replace(r"C:\Windows", r"\SystemRoot"),
        "DriverProvider": driver.provider, "DriverVersionString": driver.version,
        "MajorDriverVersion": PSUInt16(major), "MinorDriverVersion": PSUInt16(minor),
    }  # fmt: skip


def _version(adapter: Adapter) -> str:
    return adapter.node.driver.version if adapter.node.driver else ""


def _luid_name(adapter: Adapter) -> str:
    return f"ethernet_{adapter.luid_index}"


def setting_base(adapter: Adapter, instance: str) -> dict[str, object]:
    """What every MSFT_NetAdapterSettingData has."""
    return {
        "ifAlias": adapter.name, "InterfaceAlias": adapter.name, "ifDesc": adapter.description, "Caption": None,
        "Description": None, "ElementName": None, "InstanceID": instance, "Name": adapter.name,
        "InterfaceDescription": adapter.description, "Source": PSUInt(3), "SystemName": adapter.windows.computer_name,
    }  # fmt: skip


def property_object(adapter: Adapter, setting: Setting) -> PSRecord:
    properties = setting_base(adapter, f"{adapter.guid}::{setting.keyword}") | {
        "ValueName": setting.keyword, "ValueData": [setting.shown_value],
        "DefaultDisplayValue": setting.default_display_value, "DefaultRegistryValue": setting.default,
        "DisplayName": setting.display_name, "DisplayParameterType": PSUInt(TYPES.get(setting.type, 6)),
        "DisplayValue": setting.display_value, "NumericParameterBaseValue": setting.base or None,
        "NumericParameterMaxValue": setting.maximum or None, "NumericParameterMinValue": setting.minimum or None,
        "NumericParameterStepValue": setting.step or None, "Optional": setting.optional,
        "RegistryDataType": PSUInt(1), "RegistryKeyword": setting.keyword, "RegistryValue": [setting.shown_value],
        "ValidDisplayValues": list(setting.choices.values()) or None,
        "ValidRegistryValues": list(setting.choices) or None, "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(PROPERTY, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData"), properties, PROPERTY)


_CASTS = ("Unicast", "Multicast", "Broadcast")
_COUNTERS = (
    *(f"{way}Bytes" for way in ("Received", "Sent")),
    *(f"{way}{cast}{what}" for way in ("Received", "Sent") for cast in _CASTS for what in ("Bytes", "Packets")),
    "ReceivedDiscardedPackets", "ReceivedPacketErrors", "OutboundDiscardedPackets", "OutboundPacketErrors",
)  # fmt: skip


def statistics_object(adapter: Adapter) -> PSRecord:
    counted = adapter.statistics()
    properties = setting_base(adapter, adapter.guid) | {"Source": PSUInt(2), "SupportedStatistics": PSUInt(0x3FFFFF)}
    properties |= {name: PSUInt64(max(0, counted.get(name, 0))) for name in _COUNTERS}
    properties |= {"RdmaStatistics": None, "RscStatistics": None, "PSComputerName": None}
    return PSRecord(cdxml.types(STATISTICS, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData"), properties, STATISTICS)


def hardware_object(adapter: Adapter) -> PSRecord:
    port = adapter.port
    properties = setting_base(adapter, adapter.guid) | {
        "Source": PSUInt(2), "NoInterrupt": False, "LineBasedInterrupts": False, "MsiSupported": True,
        "MsiEnabled": False, "MsiXSupported": True, "MsiXEnabled": True, "NumMsixTableEntries": PSUInt(16),
        "NumMsiMessages": PSUInt(9), "NumaNode": PSUInt16(0), "LocationInformationString": port.location,
        "SegmentNumber": PSUInt(0), "BusNumber": PSUInt(port.bus), "DeviceNumber": PSUInt(port.device),
        "FunctionNumber": PSUInt(0), "SlotNumber": PSUInt(4), "PciDeviceType": PSUInt(2),
        "PciExpressCurrentPayloadSize": PSUInt(256), "PciExpressMaxPayloadSize": PSUInt(512),
        "PciExpressMaxReadRequestSize": PSUInt(512), "PciExpressCurrentLinkSpeedEncoded": PSUInt(2),
        "PciExpressCurrentLinkWidth": PSUInt(4), "PciExpressMaxLinkSpeedEncoded": PSUInt(2),
        "PciExpressMaxLinkWidth": PSUInt(4), "PciExpressVersion": PSUInt(2), "LineBasedInterruptSupported": True,
        "MsiInterruptSupported": True, "MsiXInterruptSupported": True, "MaxInterruptMessages": PSUInt(16),
        "Dma64BitSupported": True, "SriovSupport": PSUInt(1), "S0WakeupSupported": False, "PciDeviceLabelID": PSUInt(0),
        "PciDeviceLabelString": None, "PSComputerName": None,
    }  # fmt: skip
    return PSRecord(cdxml.types(HARDWARE, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData"), properties, HARDWARE)
