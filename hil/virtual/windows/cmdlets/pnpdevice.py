"""PnpDevice module: devnodes, their properties, enable and disable (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSUInt

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSEnum, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml

if TYPE_CHECKING:
    from hil.virtual.windows.state import Devnode

cmdlets = Module("PnpDevice", cdxml=True)

CLASS = "Win32_PnPEntity"
_PROBLEM_ENUM = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.PnpDevice.Problem"
PROBLEMS = {
    0: "CM_PROB_NONE", 10: "CM_PROB_FAILED_START", 14: "CM_PROB_NEED_RESTART", 18: "CM_PROB_REINSTALL",
    21: "CM_PROB_WILL_BE_REMOVED", 22: "CM_PROB_DISABLED", 24: "CM_PROB_DEVICE_NOT_THERE", 28: "CM_PROB_FAILED_INSTALL",
    31: "CM_PROB_FAILED_ADD", 39: "CM_PROB_DRIVER_FAILED_LOAD", 43: "CM_PROB_FAILED_POST_START", 45: "CM_PROB_PHANTOM",
    47: "CM_PROB_HELD_FOR_EJECT", 52: "CM_PROB_UNSIGNED_DRIVER", 54: "CM_PROB_DEVICE_RESET",
}  # fmt: skip
_RUNNING = 3

InstanceId = Annotated[
    list[str] | None, Param(position=0, aliases=("DeviceId", "PNPDeviceID"), set="ByInstanceId", pipeline="property")
]
WantedId = Annotated[
    list[str] | None,
    Param(position=0, aliases=("DeviceId", "PNPDeviceID"), set="ByInstanceId", mandatory=True, pipeline="property"),
]
InputObject = Annotated[list[object] | None, Param(set="InputObject (cdxml)", mandatory=True, pipeline="value")]


def device_object(computer: str, node: Devnode) -> PSRecord:
    problem = PSEnum(_PROBLEM_ENUM, node.problem, PROBLEMS[node.problem])
    service = node.driver.service if node.driver else None
    properties: dict[str, object] = {
        "Class": node.class_name or None, "FriendlyName": node.description, "InstanceId": node.instance_id,
        "Problem": problem, "ConfigManagerErrorCode": problem, "ProblemDescription": None, "Caption": node.description,
        "Description": node.description, "InstallDate": None, "Name": node.description, "Status": node.status,
        "Availability": None, "ConfigManagerUserConfig": False, "CreationClassName": CLASS,
        "DeviceID": node.instance_id,
        "ErrorCleared": None, "ErrorDescription": None, "LastErrorCode": None, "PNPDeviceID": node.instance_id,
        "PowerManagementCapabilities": None, "PowerManagementSupported": None, "StatusInfo": None,
        "SystemCreationClassName": "Win32_ComputerSystem", "SystemName": computer,
        "ClassGuid": node.class_guid or None, "CompatibleID": list(node.compatible_ids) or None,
        "HardwareID": list(node.hardware_ids), "Manufacturer": node.manufacturer or None,
        "PNPClass": node.class_name or None, "Present": node.present, "Service": service, "PSComputerName": None,
    }  # fmt: skip
    name = f'Win32_PnPEntity: {node.description} (DeviceID = "{node.instance_id}")'
    return PSRecord(cdxml.types(CLASS, "ROOT/cimv2", "CIM_LogicalDevice"), properties, name)


def _field(node: Devnode, name: str) -> object:
    return {"DeviceID": node.instance_id, "Name": node.description, "PNPClass": node.class_name, "Status": node.status}[
        name
    ]


@cmdlets.cmdlet("Get-PnpDevice", default_set="ByInstanceId")
def get_pnp_device(
    call: Call,
    InstanceId: InstanceId = None,
    FriendlyName: Annotated[list[str] | None, Param(set="ByFriendlyName", mandatory=True)] = None,
    Class: list[str] | None = None,
    PresentOnly: Switch = False,
    Status: Annotated[list[str] | None, Param(choices=("OK", "ERROR", "DEGRADED", "UNKNOWN"))] = None,
) -> Iterator[PSRecord]:
    nodes = [node for node in call.host.devices.all() if node.present or not PresentOnly]
    filters: cdxml.Filters = {"DeviceID": InstanceId, "Name": FriendlyName, "PNPClass": Class, "Status": Status}
    found = cdxml.select(call, CLASS, nodes, filters, _field)
    yield from (device_object(call.host.computer_name, node) for node in found)


def _named(call: Call, ids: list[str] | None, objects: list[object] | None) -> list[Devnode]:
    if objects is not None:
        ids = [str(item.properties.get("PNPDeviceID", "")) for item in objects if isinstance(item, PSRecord)]
    return cdxml.select(call, CLASS, call.host.devices.all(), {"DeviceID": ids}, _field)


@cmdlets.cmdlet("Enable-PnpDevice", default_set="ByInstanceId", should_process=True)
async def enable_pnp_device(
    call: Call, InstanceId: WantedId = None, InputObject: InputObject = None, PassThru: Switch = False
) -> AsyncIterator[int]:
    for node in _named(call, InstanceId, InputObject):
        if not call.host.elevated or not node.present:
            call.write_error(_failure(call))
        else:
            await call.host.devices.enable(node)
            if PassThru:
                yield 0


@cmdlets.cmdlet("Disable-PnpDevice", default_set="ByInstanceId", should_process=True)
async def disable_pnp_device(
    call: Call, InstanceId: WantedId = None, InputObject: InputObject = None, PassThru: Switch = False
) -> AsyncIterator[int]:
    for node in _named(call, InstanceId, InputObject):
        if not call.host.elevated or not node.present:
            call.write_error(_failure(call))
        elif node.class_name == "System":
            error_id = f"HRESULT 0x8004100c,{call.command}"
            call.write_error(
                CmdletError("Not supported ", error_id=error_id, category="NotImplemented", exception=cdxml.CIM_ERROR)
            )
        else:
            await call.host.devices.disable(node)
            if PassThru:
                yield 0


def _failure(call: Call) -> CmdletError:
    return CmdletError("Generic failure ", error_id=f"HRESULT 0x80041001,{call.command}", exception=cdxml.CIM_ERROR)


# properties

_KEYS = {
    # name: (format id and property id of devpkey.h, type)
    "DEVPKEY_Device_DeviceDesc": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 2", "String"),
    "DEVPKEY_Device_HardwareIds": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 3", "StringList"),
    "DEVPKEY_Device_Service": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 6", "String"),
    "DEVPKEY_Device_Class": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 9", "String"),
    "DEVPKEY_Device_ClassGuid": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 10", "Guid"),
    "DEVPKEY_Device_Driver": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 11", "String"),
    "DEVPKEY_Device_LocationInfo": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 15", "String"),
    "DEVPKEY_Device_ProblemCode": ("{4340a6c5-93fa-4706-972c-7b648008a5a7} 3", "UInt32"),
    "DEVPKEY_Device_Parent": ("{4340a6c5-93fa-4706-972c-7b648008a5a7} 8", "String"),
    "DEVPKEY_Device_ProblemStatus": ("{4340a6c5-93fa-4706-972c-7b648008a5a7} 12", "UInt32"),
    "DEVPKEY_Device_IsPresent": ("{540b947e-8b40-45bc-a8a2-6a0b894cbda2} 5", "Boolean"),
    "DEVPKEY_Device_LocationPaths": ("{a45c254e-df1c-4efd-8020-67d146a850e0} 37", "StringList"),
    "DEVPKEY_Device_InstallDate": ("{83da6326-97a6-4088-9453-a1923f573b29} 100", "FileTime"),
    "DEVPKEY_Device_FirstInstallDate": ("{83da6326-97a6-4088-9453-a1923f573b29} 101", "FileTime"),
    "DEVPKEY_Device_LastArrivalDate": ("{83da6326-97a6-4088-9453-a1923f573b29} 102", "FileTime"),
    "DEVPKEY_Device_LastRemovalDate": ("{83da6326-97a6-4088-9453-a1923f573b29} 103", "FileTime"),
    "DEVPKEY_Device_DriverDate": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 2", "FileTime"),
    "DEVPKEY_Device_DriverVersion": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 3", "String"),
    "DEVPKEY_Device_DriverDesc": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 4", "String"),
    "DEVPKEY_Device_DriverInfPath": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 5", "String"),
    "DEVPKEY_Device_DriverInfSection": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 6", "String"),
    "DEVPKEY_Device_MatchingDeviceId": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 8", "String"),
    "DEVPKEY_Device_DriverProvider": ("{a8b865dd-2e3d-4094-ad97-e593a70c75d6} 9", "String"),
}
_TYPE_NUMBERS = {"UInt32": 7, "Guid": 13, "FileTime": 16, "Boolean": 17, "String": 18, "StringList": 8210}
"""DEVPROP_TYPE values (devpropdef.h)."""


def _data(node: Devnode) -> dict[str, object]:
    """Values by key; what the device does not have is missing."""
    found: dict[str, object] = {
        "DEVPKEY_Device_DeviceDesc": node.description, "DEVPKEY_Device_HardwareIds": list(node.hardware_ids),
        "DEVPKEY_Device_Class": node.class_name, "DEVPKEY_Device_ClassGuid": node.class_guid,
        "DEVPKEY_Device_Driver": node.driver_key, "DEVPKEY_Device_LocationInfo": node.location,
        "DEVPKEY_Device_ProblemCode": PSUInt(node.problem) if node.problem else None,
        "DEVPKEY_Device_ProblemStatus": PSUInt(node.problem_status) if node.problem else None,
        "DEVPKEY_Device_Parent": node.parent, "DEVPKEY_Device_IsPresent": node.present,
        "DEVPKEY_Device_LocationPaths": ["PCIROOT(0)#PCI(1B00)#PCI(0000)"],
        "DEVPKEY_Device_InstallDate": node.install_date, "DEVPKEY_Device_FirstInstallDate": node.first_install,
        "DEVPKEY_Device_LastArrivalDate": node.last_arrival, "DEVPKEY_Device_LastRemovalDate": node.last_removal,
    }  # fmt: skip
    if node.driver:
        driver = node.driver
        found |= {
            "DEVPKEY_Device_Service": driver.service, "DEVPKEY_Device_DriverDate": driver.date,
            "DEVPKEY_Device_DriverVersion": driver.version, "DEVPKEY_Device_DriverDesc": node.description,
            "DEVPKEY_Device_DriverInfPath": driver.inf, "DEVPKEY_Device_DriverInfSection": driver.section,
            "DEVPKEY_Device_MatchingDeviceId": driver.matching_id, "DEVPKEY_Device_DriverProvider": driver.provider,
        }  # fmt: skip
    return {key: value for key, value in found.items() if value not in (None, "")}


@cmdlets.cmdlet("Get-PnpDeviceProperty", default_set="ByInstanceId")
def get_pnp_device_property(
    call: Call,
    InstanceId: WantedId = None,
    KeyName: Annotated[list[str] | None, Param(position=1, aliases=("Key",))] = None,
    InputObject: InputObject = None,
) -> Iterator[PSRecord]:
    """A key that is asked for and not there comes as an Empty property, without an error."""
    for node in _named(call, InstanceId, InputObject):
        data = _data(node)
        names = list(data) if KeyName is None else [
            next((key for key, (raw, _) in _KEYS.items() if wanted.lower() in (key.lower(), raw.lower())), wanted)
            for wanted in KeyName
        ]  # fmt: skip
        for name in names:
            key, kind = _KEYS.get(name, (name, "Empty"))
            kind = kind if name in data else "Empty"
            properties: dict[str, object] = {
                "InstanceId": node.instance_id, "DeviceID": node.instance_id, "KeyName": name, "key": key,
                "Type": PSEnum(f"{_PROBLEM_ENUM}.Type", _TYPE_NUMBERS.get(kind, 0), kind), "Data": data.get(name),
                "PSComputerName": None,
            }  # fmt: skip
            class_name = f"Win32_PnPDeviceProperty{kind}"
            yield PSRecord(cdxml.types(class_name, "ROOT/cimv2", "Win32_PnPDeviceProperty"), properties, name)
