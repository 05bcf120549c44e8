"""Get-CimInstance (CimCmdlets) and the classes behind it (reference windows/cmdlets.json, ``cim_classes``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSByte, PSInt16, PSUInt, PSUInt16, PSUInt64

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSRecord
from hil.virtual.windows import wql
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.pnpdevice import device_object
from hil.virtual.windows.crash import CRASH_CONTROL
from hil.virtual.windows.inventory import POWER_PLANS, caption

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

cmdlets = Module("CimCmdlets")

_COMMAND = "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"
Properties = dict[str, object]

_DISK_BYTES, _FREE_BYTES = 255_000_000_000, 171_000_000_000
_MEMORY_BYTES = 16 * 2**30
_FIRMWARE_DATE = datetime(2025, 6, 2, tzinfo=UTC)
_ZONE = timezone(timedelta(hours=-6))
"""Of the machine: Get-CimInstance shows each time in it, so that a midnight in UTC is of the day before."""


def _operating_system(windows: Windows) -> Iterator[Properties]:
    build = str(windows.build)
    yield {
        "Caption": caption(windows.build), "Name": rf"{caption(windows.build)}|C:\WINDOWS|\Device\Harddisk0\Partition3",
        "Version": f"10.0.{build}", "BuildNumber": build, "BuildType": "Multiprocessor Free", "Status": "OK",
        "CSName": windows.computer_name, "CreationClassName": "Win32_OperatingSystem",
        "CSCreationClassName": "Win32_ComputerSystem",
        "CurrentTimeZone": PSInt16(_ZONE.utcoffset(None) // timedelta(minutes=1)),
        "LastBootUpTime": windows.last_boot, "LocalDateTime": windows.now(),
        "Locale": "0409", "Manufacturer": "Microsoft Corporation", "MUILanguages": ["en-US"],
        "NumberOfProcesses": PSUInt(windows.memory.processes()), "NumberOfUsers": PSUInt(1),
        "OperatingSystemSKU": PSUInt(48), "OSArchitecture": "64-bit", "OSLanguage": PSUInt(1033),
        "OSType": PSUInt16(18), "ProductType": PSUInt(1), "SystemDirectory": r"C:\WINDOWS\system32",
        "SystemDrive": "C:",
        "WindowsDirectory": r"C:\WINDOWS", "BootDevice": r"\Device\HarddiskVolume1", "CodeSet": "1252",
        "CountryCode": "1", "Debug": False, "Distributed": False, "EncryptionLevel": PSUInt(256),
        "FreePhysicalMemory": PSUInt64(11_300_000), "FreeVirtualMemory": PSUInt64(13_100_000),
        "TotalVisibleMemorySize": PSUInt64(_MEMORY_BYTES // 1024), "TotalVirtualMemorySize": PSUInt64(19_000_000),
        "DataExecutionPrevention_SupportPolicy": PSByte(2), "PortableOperatingSystem": False, "Primary": True,
        "RegisteredUser": windows.user, "ServicePackMajorVersion": PSUInt16(0), "ServicePackMinorVersion": PSUInt16(0),
    }  # fmt: skip


def _bios(windows: Windows) -> Iterator[Properties]:
    yield {
        "Name": "HIL virtual firmware", "Manufacturer": "HIL", "SMBIOSBIOSVersion": "1.07",
        "ReleaseDate": _FIRMWARE_DATE, "Version": "HIL - 107", "Status": "OK", "PrimaryBIOS": True,
        "SMBIOSPresent": True, "SMBIOSMajorVersion": PSUInt16(3), "SMBIOSMinorVersion": PSUInt16(4),
        "SerialNumber": windows.computer_name,
    }  # fmt: skip


def _computer_system(windows: Windows) -> Iterator[Properties]:
    yield {
        "Name": windows.computer_name, "Caption": windows.computer_name, "Manufacturer": "HIL",
        "Model": "Virtual bench", "SystemType": "x64-based PC", "TotalPhysicalMemory": PSUInt64(_MEMORY_BYTES),
        "Domain": "WORKGROUP",
        "PartOfDomain": False, "NumberOfLogicalProcessors": PSUInt(8), "NumberOfProcessors": PSUInt(1),
        "PCSystemType": PSUInt16(1), "UserName": None, "Status": "OK", "HypervisorPresent": False,
        "AutomaticManagedPagefile": True, "BootupState": "Normal boot", "WakeUpType": PSUInt16(6),
    }  # fmt: skip


def _logical_disk(windows: Windows) -> Iterator[Properties]:
    yield {
        "DeviceID": "C:", "Name": "C:", "Caption": "C:", "DriveType": PSUInt(3), "FileSystem": "NTFS",
        "FreeSpace": PSUInt64(_FREE_BYTES), "Size": PSUInt64(_DISK_BYTES), "VolumeName": "Windows",
        "SystemName": windows.computer_name, "MediaType": PSUInt(12), "Status": None,
    }  # fmt: skip


def _signed_drivers(windows: Windows) -> Iterator[Properties]:
    for node in windows.devices.all():
        driver = node.driver
        if not node.present or (driver is None and node.class_name == "System"):
            continue
        yield {
            "DeviceID": node.instance_id, "DeviceName": node.description, "FriendlyName": node.description,
            "Description": node.description, "ClassGuid": node.class_guid or None,
            "DeviceClass": node.class_name.upper() or None, "HardWareID": node.hardware_ids[0],
            "CompatID": node.compatible_ids[0] if node.compatible_ids else None, "Location": node.location,
            "Manufacturer": node.manufacturer or None, "PDO": rf"\Device\NTPNP_PCI{len(node.instance_id):04d}",
            "DriverName": driver.image_path.rpartition("\\")[2] if driver else None,
            "DriverVersion": driver.version if driver else None, "DriverDate": driver.date if driver else None,
            "DriverProviderName": driver.provider if driver else None, "InfName": driver.inf if driver else None,
            "IsSigned": bool(driver and driver.signer), "Signer": driver.signer or None if driver else None,
            "SystemName": windows.computer_name, "StartMode": None, "Started": None, "Status": None,
            "InstallDate": None, "Name": None, "SystemCreationClassName": None, "DevLoader": None,
        }  # fmt: skip


def _entities(windows: Windows) -> Iterator[Properties]:
    yield from (
        dict(device_object(windows.computer_name, node).properties) for node in windows.devices.all() if node.present
    )


def _services(windows: Windows, *, kernel: bool) -> Iterator[Properties]:
    for service in windows.services.all():
        if service.kernel is kernel:
            yield {
                "Name": service.name, "DisplayName": service.display_name, "Caption": service.display_name,
                "PathName": service.image_path, "Started": service.running,
                "StartMode": {"Automatic": "Auto"}.get(service.start_type, service.start_type),
                "State": "Running" if service.running else "Stopped", "Status": "OK",
                "ServiceType": "Kernel Driver" if kernel else "Share Process", "SystemName": windows.computer_name,
            }  # fmt: skip


def _recovery(windows: Windows) -> Iterator[Properties]:
    control, registry = windows.crash_control, windows.registry
    yield {
        "AutoReboot": control.restarts, "DebugInfoType": PSUInt(control.value("CrashDumpEnabled")),
        "DebugFilePath": registry.get(CRASH_CONTROL, "DumpFile"), "SendAdminAlert": False,
        "MiniDumpDirectory": registry.get(CRASH_CONTROL, "MinidumpDir"), "KernelDumpOnly": False,
        "OverwriteExistingDebugFile": control.value("Overwrite") == 1,
        "WriteToSystemLog": control.value("LogEvent") == 1,
        "Name": rf"{caption(windows.build)}|C:\WINDOWS|\Device\Harddisk0\Partition3",
    }  # fmt: skip


def _power_plans(windows: Windows) -> Iterator[Properties]:
    for guid, name in POWER_PLANS.items():
        yield {
            "ElementName": name, "InstanceID": f"Microsoft:PowerPlan\\{{{guid}}}", "Caption": None, "Description": None,
            "IsActive": guid == windows.active_power_plan,
        }  # fmt: skip


def _memory(windows: Windows) -> Iterator[Properties]:
    yield {
        "Name": "", "PoolNonpagedBytes": PSUInt64(windows.memory.non_paged_pool_bytes()),
        "PoolPagedBytes": PSUInt64(windows.memory.paged_pool_bytes()), "AvailableBytes": PSUInt64(11_300_000 * 1024),
    }  # fmt: skip


_CIMV2, _POWER = "root/cimv2", "root/cimv2/power"


def _processes(windows: Windows) -> Iterator[Properties]:
    """Those that the machine always has, with a command line that is not ours to see, and the programs copied here."""
    fixed = {4: "System", 1012: "lsass.exe", 2948: "sshd.exe", 5124: "explorer.exe"}
    running = {pid: (program.name, program.command_line) for pid, program in windows.programs.items()}
    for pid, (name, line) in ({pid: (name, None) for pid, name in fixed.items()} | running).items():
        yield {
            "ProcessId": PSUInt(pid), "Name": name, "Caption": name, "Description": name, "CommandLine": line,
            "CreationClassName": "Win32_Process", "CSName": windows.computer_name, "Handle": str(pid),
        }  # fmt: skip


_CLASSES: dict[tuple[str, str], Callable[[Windows], Iterator[Properties]]] = {
    (_CIMV2, "Win32_OperatingSystem"): _operating_system, (_CIMV2, "Win32_BIOS"): _bios,
    (_CIMV2, "Win32_ComputerSystem"): _computer_system,
    (_CIMV2, "Win32_Process"): _processes,
    (_CIMV2, "Win32_LogicalDisk"): _logical_disk, (_CIMV2, "Win32_PnPSignedDriver"): _signed_drivers,
    (_CIMV2, "Win32_PnPEntity"): _entities, (_CIMV2, "Win32_OSRecoveryConfiguration"): _recovery,
    (_CIMV2, "Win32_Service"): lambda windows: _services(windows, kernel=False),
    (_CIMV2, "Win32_SystemDriver"): lambda windows: _services(windows, kernel=True),
    (_CIMV2, "Win32_PerfRawData_PerfOS_Memory"): _memory,
    (_CIMV2, "Win32_PerfFormattedData_PerfOS_Memory"): _memory, (_POWER, "Win32_PowerPlan"): _power_plans,
}  # fmt: skip


@cmdlets.cmdlet("Get-CimInstance", default_set="ClassNameComputerSet", implemented_by=_COMMAND)
def get_cim_instance(
    call: Call,
    ClassName: Annotated[str | None, Param(position=0, set="ClassNameComputerSet", mandatory=True)] = None,
    Query: Annotated[str | None, Param(set="QueryComputerSet", mandatory=True)] = None,
    Filter: Annotated[str | None, Param(set="ClassNameComputerSet")] = None,
    Property: Annotated[list[str] | None, Param(aliases=("SelectProperties",), set="ClassNameComputerSet")] = None,
    Namespace: str | None = None,
    OperationTimeoutSec: Annotated[PSUInt | None, Param(aliases=("OT",))] = None,
) -> Iterator[PSRecord]:
    must_answer(call)
    columns = Property or []
    try:
        if Query is not None:
            ClassName, columns, test = wql.parse_query(Query)
        else:
            test = wql.parse_filter(Filter or "")
    except ValueError:
        raise _error("Invalid query ", "0x80041017", "InvalidArgument", Query or Filter) from None
    namespace = (Namespace or _CIMV2).replace("\\", "/").lower().removeprefix("//./")
    key = next((key for key in _CLASSES if (key[0], key[1].lower()) == (namespace, (ClassName or "").lower())), None)
    if key is None:
        raise _error("Invalid class ", "0x80041010", "MetadataError", ClassName)
    if namespace == _POWER and not call.host.elevated:
        raise _error("Access denied ", "0x80041003", "PermissionDenied", ClassName)
    kept = {name.lower() for name in columns}
    for properties in _CLASSES[key](call.host):
        if test(properties):
            shown = {name: _local(value) if not kept or name.lower() in kept else None
                     for name, value in properties.items()}  # fmt: skip
            types = cdxml.types(key[1], namespace)
            yield PSRecord(types, shown | {"PSComputerName": None}, key[1])


def _local(value: object) -> object:
    return value.astimezone(_ZONE) if isinstance(value, datetime) else value


def must_answer(call: Call) -> None:
    """After a boot the service of WMI may come up later than sshd."""
    if not call.bench.faults.wmi_answers(True):
        raise _error("The RPC server is unavailable. ", "0x800706ba", "ResourceUnavailable", None)


def _error(message: str, result: str, category: str, target: object) -> CmdletError:
    return CmdletError(
        message, error_id=f"HRESULT {result},{_COMMAND}", category=category, target=target, exception=cdxml.CIM_ERROR
    )
