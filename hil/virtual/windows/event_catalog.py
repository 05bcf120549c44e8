"""Which records this Windows writes: channel, level, version and fields by provider and id, as in the manifests.

Field types are those of the manifests (Windows 10 1511 to 11 26H1). A version belongs to the first build that has it;
an older build writes the first ``count`` fields of the newest list, unless a version has its own list.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

SYSTEM = "System"
PNP_CONFIGURATION = "Microsoft-Windows-Kernel-PnP/Configuration"
PNP_MANAGEMENT = "Microsoft-Windows-Kernel-PnP/Device Management"
NDIS_OPERATIONAL = "Microsoft-Windows-NDIS/Operational"
CODE_INTEGRITY = "Microsoft-Windows-CodeIntegrity/Operational"

CRITICAL, ERROR, WARNING, INFORMATION = 1, 2, 3, 4
LEVEL_NAMES = {1: "Critical", 2: "Error", 3: "Warning", 4: "Information"}

PROVIDERS: dict[str, UUID | None] = {
    "Microsoft-Windows-Kernel-PnP": UUID("9c205a39-1250-487d-abd7-e831c6290539"),
    "Microsoft-Windows-UserPnp": UUID("96f4a050-7e31-453c-88be-9634f4e02139"),
    "Microsoft-Windows-Kernel-Power": UUID("331c3b3a-2005-44c2-ac5e-77220c37d6b4"),
    "Microsoft-Windows-Power-Troubleshooter": UUID("cdc05e28-c449-49c6-b9d2-88cf761644df"),
    "Microsoft-Windows-NDIS": UUID("cdead503-17f5-4a3e-b7ae-df8cc2902eb9"),
    "Microsoft-Windows-CodeIntegrity": UUID("4ee76bd8-3cf4-44a0-a0ac-3937643e37a3"),
    "Microsoft-Windows-Kernel-General": UUID("a68ca8b7-004f-d7b6-a698-07e2de0f1f5d"),
    "Microsoft-Windows-Kernel-Boot": UUID("15ca44ff-4d7a-4baa-bba5-0998955e531e"),
    "Microsoft-Windows-WER-SystemErrorReporting": None,
    "EventLog": None,
    "User32": None,
    "volmgr": None,
}


@dataclass(frozen=True)
class Kind:
    """One kind of record. ``fields`` reads ``name:type ...``; ``versions`` is (first build, version, field count)."""

    channel: str
    level: int
    message: str = ""
    fields: str = ""
    versions: tuple[tuple[int, int, int], ...] = ()
    first_build: int = 0
    older: str = ""
    """Fields before the oldest build of ``versions``, where they are not a head of ``fields``."""

    def of_build(self, build: int) -> tuple[int, list[tuple[str, str]]]:
        """Version number and (name, type) of each field."""
        fields = [(part.partition(":")[0], part.partition(":")[2]) for part in self.fields.split()]
        for first, version, count in self.versions:
            if build >= first:
                return version, fields[:count]
        if self.versions:
            return 0, [(part.partition(":")[0], part.partition(":")[2]) for part in self.older.split()]
        return 0, fields


_CONFIGURED = (
    "DeviceInstanceId:String DriverName:String ClassGuid:Guid DriverDate:String DriverVersion:String "
    "DriverProvider:String DriverInbox:Boolean DriverSection:String DriverRank:HexInt32 MatchingDeviceId:String "
    "OutrankedDrivers:String DeviceUpdated:Boolean Status:HexInt32 ParentDeviceInstanceId:String DriverPackageId:String"
)
_CONFIGURED_VERSIONS = ((26100, 1, 15), (0, 0, 14))
_STARTED = (
    "DeviceInstanceId:String DriverName:String ClassGuid:Guid ServiceName:String LowerFilters:String "
    "UpperFilters:String Problem:HexInt32 Status:HexInt32"
)
_INSTALL = (
    "DriverName:String DriverVersion:String DriverProvider:String DeviceInstanceID:String SetupClass:Guid "
    "RebootOption:Boolean UpgradeDevice:Boolean IsDriverOEM:Boolean InstallStatus:HexInt32 DriverDescription:String"
)
_SERVICE = (
    "ServiceName:String DriverFileName:String DeviceInstanceID:String PrimaryService:Boolean UpdateService:Boolean "
    "AddServiceStatus:UInt32"
)
_DIRTY = (
    "BugcheckCode:UInt32 BugcheckParameter1:Pointer BugcheckParameter2:Pointer BugcheckParameter3:Pointer "
    "BugcheckParameter4:Pointer SleepInProgress:UInt32 PowerButtonTimestamp:UInt64 BootAppStatus:UInt32 "
    "Checkpoint:UInt8 ConnectedStandbyInProgress:Boolean SystemSleepTransitionsToOn:UInt32 "
    "CsEntryScenarioInstanceId:UInt8 BugcheckInfoFromEFI:Boolean CheckpointStatus:UInt8 "
    "CsEntryScenarioInstanceIdV2:UInt64 LongPowerButtonPressDetected:Boolean "
    "LidReliability:Boolean InputSuppressionState:UInt8 "
    "PowerButtonSuppressionState:UInt8 LidState:UInt8 WHEABootErrorCount:UInt32"
)
_RETURNED = (
    "SleepTime:FileTime WakeTime:FileTime SleepDuration:UInt32 WakeDuration:UInt32 DriverInitDuration:UInt32 "
    "BiosInitDuration:UInt32 HiberWriteDuration:UInt32 HiberReadDuration:UInt32 HiberPagesWritten:UInt32 "
    "Attributes:UInt32 TargetState:UInt32 EffectiveState:UInt32 WakeSourceType:UInt32 WakeSourceTextLength:UInt16 "
    "WakeSourceText:String WakeTimerOwnerLength:UInt16 WakeTimerContextLength:UInt16 NoMultiStageResumeReason:UInt32 "
    "WakeTimerOwner:String WakeTimerContext:String CheckpointDuration:UInt32"
)
_STANDBY_ENTERED = (
    "Reason:UInt32 LidOpenState:Boolean ExternalMonitorConnectedState:Boolean ScenarioInstanceId:UInt8 "
    "BatteryRemainingCapacityOnEnter:UInt32 BatteryFullChargeCapacityOnEnter:UInt32 "
    "ScenarioInstanceIdV2:UInt64 BootId:UInt32"
)
_STANDBY_LEFT = (
    "EnergyDrain:UInt32 ActiveResidencyInUs:UInt64 NonDripsTimeActivatedInUs:UInt64 "
    "FirstDripsEntryInUs:UInt64 DripsResidencyInUs:UInt64 DurationInUs:UInt64 DripsTransitions:UInt32 "
    "FullChargeCapacityRatio:UInt8 AudioPlaying:Boolean Reason:UInt32 AudioPlaybackInUs:UInt64 "
    "NonActivatedCpuInUs:UInt64 PowerStateAc:Boolean HwDripsResidencyInUs:UInt64 ExitLatencyInUs:UInt64 "
    "DisconnectedStandby:Boolean AoAcCompliantNic:Boolean NonAttributedCpuInUs:UInt64 "
    "ModernSleepEnabledActionsBitmask:UInt32 ModernSleepAppliedActionsBitmask:UInt32 LidOpenState:Boolean "
    "ExternalMonitorConnectedState:Boolean ScenarioInstanceId:UInt8 IsCsSessionInProgressOnExit:Boolean "
    "BatteryRemainingCapacityOnExit:UInt32 BatteryFullChargeCapacityOnExit:UInt32 "
    "ScenarioInstanceIdV2:UInt64 BootId:UInt32 InputSuppressionActionCount:UInt32 "
    "NonResiliencyTimeInUs:UInt64 ResiliencyDripsTimeInUs:UInt64 ResiliencyHwDripsTimeInUs:UInt64 "
    "GdiOnTime:UInt64 DwmSyncFlushTime:UInt64 MonitorPowerOnTime:UInt64 SleepEntered:Boolean "
    "ScreenOffEnergyCapacityAtStart:UInt32 ScreenOffEnergyCapacityAtEnd:UInt32 ScreenOffDurationInUs:UInt64 "
    "SleepEnergyCapacityAtStart:UInt32 SleepEnergyCapacityAtEnd:UInt32 SleepDurationInUs:UInt64 "
    "ScreenOffFullEnergyCapacityAtStart:UInt32 ScreenOffFullEnergyCapacityAtEnd:UInt32 "
    "SleepFullEnergyCapacityAtStart:UInt32 SleepFullEnergyCapacityAtEnd:UInt32 PowerSchemeInfo:UInt32 "
    "PowerButtonSuppressionActionCount:UInt32 ScreenOffSwDripsResidencyInUs:UInt64 "
    "ScreenOffHwDripsResidencyInUs:UInt64 SleepSwDripsResidencyInUs:UInt64 SleepHwDripsResidencyInUs:UInt64 "
    "ScreenOffBatteryPowerStateAtStart:UInt32 ScreenOffBatteryPowerStateAtEnd:UInt32 "
    "SleepBatteryPowerStateAtStart:UInt32 SleepBatteryPowerStateAtEnd:UInt32"
)
_TIME_CHANGE = (
    "NewTime:FileTime OldTime:FileTime TimeDeltaInMs:Int64 Reason:UInt32 ProcessName:String ProcessID:UInt32 "
    "CmosTime:FileTime TimeZoneBias:Int32 RealTimeIsUniversal:Boolean SystemInCmosMode:Boolean"
)
_OLDER_TIME_CHANGE = "NewTime:FileTime OldTime:FileTime Reason:UInt32 ProcessName:String ProcessID:UInt32"
_INTERFACE = "IfGuid:Guid IfIndex:UInt32 IfLuid:UInt64 AdapterName:String "

_POWER, _PNP, _NDIS = "Microsoft-Windows-Kernel-Power", "Microsoft-Windows-Kernel-PnP", "Microsoft-Windows-NDIS"
_USER_PNP, _GENERAL, _BOOT = (
    "Microsoft-Windows-UserPnp", "Microsoft-Windows-Kernel-General", "Microsoft-Windows-Kernel-Boot",
)  # fmt: skip

KINDS: dict[tuple[str, int], Kind] = {
    (_POWER, 40): Kind(
        SYSTEM,
        INFORMATION,
        "The driver {DriverName} for device {InstanceName} stopped the power transition.",
        "DriverNameLength:UInt16 DriverName:String InstanceNameLength:UInt16 InstanceName:String",
    ),
    (_POWER, 41): Kind(
        SYSTEM,
        CRITICAL,
        "The system has rebooted without cleanly shutting down first. This error could be "
        "caused if the system stopped responding, crashed, or lost power unexpectedly.",
        _DIRTY,
        ((26100, 10, 21), (22621, 9, 20), (19041, 8, 16), (0, 6, 14)),
    ),
    (_POWER, 42): Kind(
        SYSTEM,
        INFORMATION,
        "The system is entering sleep.\n\nSleep Reason: {Reason}",
        "TargetState:UInt32 EffectiveState:UInt32 Reason:UInt32 Flags:UInt32 TransitionsToOn:UInt32",
        ((0, 3, 5),),
    ),
    (_POWER, 107): Kind(
        SYSTEM,
        INFORMATION,
        "The system has resumed from sleep.",
        "TargetState:UInt32 EffectiveState:UInt32 WakeFromState:UInt32 ProgrammedWakeTimeAc:FileTime "
        "ProgrammedWakeTimeDc:FileTime WakeRequesterTypeAc:UInt32 WakeRequesterTypeDc:UInt32",
        ((0, 1, 7),),
    ),
    (_POWER, 506): Kind(
        SYSTEM,
        INFORMATION,
        "The system is entering Modern Standby\n\nReason: {Reason}.",
        _STANDBY_ENTERED,
        ((0, 3, 8),),
    ),
    (_POWER, 507): Kind(
        SYSTEM,
        INFORMATION,
        "The system is exiting Modern Standby\n\nReason: {Reason}.",
        _STANDBY_LEFT,
        ((26100, 12, 52), (22621, 11, 47), (22000, 10, 47), (19041, 9, 46), (0, 8, 35)),
    ),
    (_POWER, 109): Kind(
        SYSTEM,
        INFORMATION,
        "The kernel power manager has initiated a shutdown transition.\n\nShutdown Reason: {ShutdownReason}",
        "ShutdownActionType:UInt32 ShutdownEventCode:UInt32 ShutdownReason:UInt32",
    ),
    (_POWER, 187): Kind(
        SYSTEM,
        INFORMATION,
        "User-mode process attempted to change the system state by calling "
        "SetSuspendState or SetSystemPowerState APIs.",
        "ApiCallerNameLength:UInt16 ApiCallerName:String SystemAction:UInt32 LightestSystemState:UInt32",
    ),
    (_POWER, 577): Kind(
        SYSTEM,
        INFORMATION,
        "The system has prepared for a system initiated reboot from Active.",
        "AdaptiveTargetState:UInt32 IsUnattended:Boolean Status:UInt32",
        first_build=22000,
    ),
    ("Microsoft-Windows-Power-Troubleshooter", 1): Kind(
        SYSTEM,
        INFORMATION,
        "The system has returned from a low power state.\n\nSleep Time: {SleepTime}\n"
        "Wake Time: {WakeTime}\n\nWake Source: {WakeSourceType}{WakeSourceText}",
        _RETURNED,
        ((18362, 3, 21), (0, 2, 20)),
    ),
    (_GENERAL, 1): Kind(
        SYSTEM,
        INFORMATION,
        "The system time has changed to {NewTime} from {OldTime}.",
        _TIME_CHANGE,
        ((22621, 4, 10),),
        older=_OLDER_TIME_CHANGE,
    ),
    (_GENERAL, 12): Kind(
        SYSTEM,
        INFORMATION,
        "The operating system started at system time {StartTime}.",
        "MajorVersion:UInt32 MinorVersion:UInt32 BuildVersion:UInt32 QfeVersion:UInt32 "
        "ServiceVersion:UInt16 BootMode:UInt32 StartTime:FileTime",
    ),
    (_GENERAL, 13): Kind(
        SYSTEM, INFORMATION, "The operating system is shutting down at system time {StopTime}.", "StopTime:FileTime"
    ),
    (_BOOT, 20): Kind(
        SYSTEM,
        INFORMATION,
        "The last shutdown's success status was {LastShutdownGood}. The last boot's success status was {LastBootGood}.",
        "LastShutdownGood:Boolean LastBootGood:Boolean LastBootId:UInt32 BootStatusPolicy:UInt32",
        ((0, 1, 4),),
    ),
    (_BOOT, 27): Kind(
        SYSTEM, INFORMATION, "The boot type was {BootType}.", "BootType:UInt32 LoadOptions:String", ((0, 1, 2),)
    ),
    ("EventLog", 6005): Kind(SYSTEM, INFORMATION, "The Event log service was started."),
    ("EventLog", 6006): Kind(SYSTEM, INFORMATION, "The Event log service was stopped."),
    ("EventLog", 6008): Kind(
        SYSTEM, ERROR, "The previous system shutdown at {clock} on {date} was unexpected.", "clock:String date:String"
    ),
    ("EventLog", 6009): Kind(
        SYSTEM,
        INFORMATION,
        "Microsoft (R) Windows (R) {version} {build}  {type}.",
        "version:String build:String service_pack:String type:String",
    ),
    ("EventLog", 6013): Kind(SYSTEM, INFORMATION, "The system uptime is {n} seconds.", "n:String"),
    ("User32", 1074): Kind(
        SYSTEM,
        INFORMATION,
        "The process {param1} has initiated the {param5} of computer {param2} on "
        "behalf of user {param7} for the following reason: {param3}\n Reason Code: {param4}\n"
        " Shutdown Type: {param5}\n Comment: {param6}",
        " ".join(f"param{number}:String" for number in range(1, 8)),
    ),
    ("volmgr", 46): Kind(SYSTEM, ERROR, "Crash dump initialization failed!"),
    ("volmgr", 161): Kind(SYSTEM, ERROR, "Dump file creation failed due to error during dump creation."),
    ("volmgr", 162): Kind(SYSTEM, INFORMATION, "Dump file generation succeded."),
    ("Microsoft-Windows-WER-SystemErrorReporting", 1001): Kind(
        SYSTEM,
        ERROR,
        "The computer has rebooted from a bugcheck.  The bugcheck was: {param1}. A dump was saved in: "
        "{param2}. Report Id: {param3}.",
        "param1:String param2:String param3:String",
        ((22621, 1, 3), (0, 0, 3)),
    ),
    (_PNP, 219): Kind(
        SYSTEM,
        WARNING,
        "The driver {FailureName} failed to load for the device {DriverName}.",
        "DriverNameLength:UInt16 DriverName:String Status:UInt32 FailureNameLength:UInt16 "
        "FailureName:String Version:UInt32",
    ),
    (_PNP, 225): Kind(
        SYSTEM,
        WARNING,
        "The application {ProcessName} with process id {ProcessId} stopped the removal or "
        "ejection for the device {DeviceInstance}.",
        "ProcessId:UInt32 ProcessNameLength:UInt16 ProcessName:String DeviceInstanceLength:UInt16 "
        "DeviceInstance:String CommandLineLength:UInt16 CommandLine:String VetoingDevicesLength:UInt16 "
        "VetoingDevices:String",
        ((22621, 2, 9), (22000, 1, 7), (0, 0, 5)),
    ),
    (_PNP, 400): Kind(
        PNP_CONFIGURATION,
        INFORMATION,
        "Device {DeviceInstanceId} was configured.\n\nDriver Name: {DriverName}",
        _CONFIGURED,
        _CONFIGURED_VERSIONS,
    ),
    (_PNP, 401): Kind(
        PNP_CONFIGURATION,
        ERROR,
        "Device {DeviceInstanceId} failed configuration.\n\nStatus: {Status}",
        _CONFIGURED,
        _CONFIGURED_VERSIONS,
    ),
    (_PNP, 403): Kind(
        PNP_CONFIGURATION,
        WARNING,
        "Device {DeviceInstanceId} requires a system reboot to complete configuration.\n\nStatus: {Status}",
        _CONFIGURED,
        _CONFIGURED_VERSIONS,
    ),
    (_PNP, 410): Kind(
        PNP_CONFIGURATION,
        INFORMATION,
        "Device {DeviceInstanceId} was started.\n\nDriver Name: {DriverName}\n"
        "Class GUID: {ClassGuid}\nService: {ServiceName}\nLower Filters: {LowerFilters}\n"
        "Upper Filters: {UpperFilters}",
        _STARTED,
    ),
    (_PNP, 411): Kind(
        PNP_CONFIGURATION,
        ERROR,
        "Device {DeviceInstanceId} had a problem starting.\n\n"
        "Driver Name: {DriverName}\nClass GUID: {ClassGuid}\nService: {ServiceName}\n"
        "Problem: {Problem}\nProblem Status: {Status}",
        _STARTED,
    ),
    (_PNP, 420): Kind(
        PNP_CONFIGURATION,
        INFORMATION,
        "Device {DeviceInstanceId} was deleted.\n\nClass GUID: {ClassGuid}",
        "DeviceInstanceId:String ClassGuid:Guid Problem:HexInt32 Status:HexInt32",
    ),
    (_PNP, 430): Kind(
        PNP_CONFIGURATION,
        INFORMATION,
        "Device {DeviceInstanceId} requires further installation.",
        "DeviceInstanceId:String",
    ),
    (_PNP, 1010): Kind(
        PNP_MANAGEMENT,
        INFORMATION,
        "Device {DeviceInstanceId} has been surprise removed as it is reported "
        "as missing on the bus.  Count of devices removed: {DeviceCount}",
        "DeviceInstanceId:String DeviceCount:UInt32",
        first_build=22000,
    ),
    (_USER_PNP, 20001): Kind(
        SYSTEM,
        INFORMATION,
        "Driver Management concluded the process to install driver {DriverName} "
        "for Device Instance ID {DeviceInstanceID} with the following status: {InstallStatus}.",
        _INSTALL,
    ),
    (_USER_PNP, 20002): Kind(
        SYSTEM,
        INFORMATION,
        "Driver Management concluded the process to remove driver {DriverName} "
        "from Device Instance ID {DeviceInstanceID} with the following status: {InstallStatus}.",
        _INSTALL,
    ),
    (_USER_PNP, 20003): Kind(
        SYSTEM,
        INFORMATION,
        "Driver Management has concluded the process to add Service {ServiceName} "
        "for Device Instance ID {DeviceInstanceID} with the following status: {AddServiceStatus}.",
        _SERVICE,
    ),
    (_USER_PNP, 20004): Kind(
        SYSTEM,
        INFORMATION,
        "Driver Management has concluded the process to remove Service "
        "{ServiceName} for Device Instance ID {DeviceInstanceID} with the following status: "
        "{AddServiceStatus}.",
        _SERVICE,
    ),
    (_NDIS, 10317): Kind(
        SYSTEM,
        ERROR,
        "Miniport {AdapterName}, {IfGuid}, had event {MiniportEventEnum}",
        _INTERFACE + "MiniportEventEnum:UInt32",
    ),
    (_NDIS, 10400): Kind(
        SYSTEM,
        WARNING,
        'The network interface "{AdapterName}" has begun resetting.  There will be a '
        "momentary disruption in network connectivity while the hardware resets.\nReason: {ResetReason}.\n"
        "This network interface has reset {ResetCount} time(s) since it was last initialized.",
        _INTERFACE + "ResetReason:UInt32 ResetCount:UInt32",
    ),
    ("Microsoft-Windows-CodeIntegrity", 3004): Kind(
        CODE_INTEGRITY,
        ERROR,
        "Windows is unable to verify the image integrity of the file {FileNameBuffer} because file "
        "hash could not be found on the system.",
        "FileNameLength:UInt16 FileNameBuffer:String SecureRequired:HexInt32 "
        "RequestedSigningLevel:UInt8 ProcessNameLength:UInt16 ProcessNameBuffer:String",
        ((17763, 1, 6), (0, 0, 2)),
    ),
}

CHANNELS = (
    SYSTEM,
    "Application",
    "Security",
    "Setup",
    PNP_CONFIGURATION,
    PNP_MANAGEMENT,
    NDIS_OPERATIONAL,
    CODE_INTEGRITY,
)
OFF_BY_DEFAULT = (NDIS_OPERATIONAL,)
