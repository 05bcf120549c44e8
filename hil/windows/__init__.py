"""What we ask of Windows, one module per subject."""

from hil.windows.adapter import Adapter
from hil.windows.adapter_info import AdapterInfo, DriverInfo, Statistics, WakePattern
from hil.windows.bugchecks import bugcheck_name
from hil.windows.clock import Boot
from hil.windows.crash import Crashes, Incident, IncidentKind, Mark
from hil.windows.device import Device, DeviceState, problem_name
from hil.windows.driver_store import DriverStore, InstallResult, PackageRefused, StoredDriver
from hil.windows.dump import CollectedDump, DumpFile, DumpHeader, parse_header
from hil.windows.event_log import Bookmark, Event, EventLog
from hil.windows.features import Change, Features, Snapshot
from hil.windows.machine import LoadedImage, Machine, OsInfo, ResourceUsage
from hil.windows.power import Suspension
from hil.windows.process import RunningProcess
from hil.windows.wake import Wake, WakeSource

__all__ = [
    "Adapter",
    "AdapterInfo",
    "Bookmark",
    "Boot",
    "Change",
    "CollectedDump",
    "Crashes",
    "Device",
    "DeviceState",
    "DriverInfo",
    "DriverStore",
    "DumpFile",
    "DumpHeader",
    "Event",
    "EventLog",
    "Features",
    "Incident",
    "IncidentKind",
    "InstallResult",
    "LoadedImage",
    "Machine",
    "Mark",
    "OsInfo",
    "PackageRefused",
    "ResourceUsage",
    "RunningProcess",
    "Snapshot",
    "Statistics",
    "StoredDriver",
    "Suspension",
    "Wake",
    "WakePattern",
    "WakeSource",
    "bugcheck_name",
    "parse_header",
    "problem_name",
]
