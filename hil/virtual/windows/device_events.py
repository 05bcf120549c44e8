"""The records that Kernel-PnP, UserPnp and NDIS write about a device (reference windows/events.json)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter
    from hil.virtual.windows.event_log import EventLog
    from hil.virtual.windows.state import BoundDriver, Devnode

FAILED_POWER_UP = 74
"""mapMiniportEvent: the miniport has failed a power transition to operational power."""

_PNP, _USER_PNP = "Kernel-PnP", "UserPnp"


def configured(events: EventLog, node: Devnode, driver: BoundDriver, *, updated: bool) -> None:
    events.add(
        _PNP, 400, DeviceInstanceId=node.instance_id, DriverName=driver.inf, ClassGuid=UUID(node.class_guid),
        DriverDate=f"{driver.date:%m/%d/%Y}", DriverVersion=driver.version, DriverProvider=driver.provider,
        DriverInbox=not driver.inf.lower().startswith("oem"), DriverSection=driver.section, DriverRank=driver.rank,
        MatchingDeviceId=driver.matching_id, DeviceUpdated=updated, ParentDeviceInstanceId=node.parent,
        DriverPackageId=driver.store_path.rpartition("\\")[2],
    )  # fmt: skip
    if not updated:
        events.add(_PNP, 430, DeviceInstanceId=node.instance_id)


def started(events: EventLog, node: Devnode, driver: BoundDriver) -> None:
    """The first start with this configuration: after an install, not after a replug."""
    events.add(
        _PNP, 410, DeviceInstanceId=node.instance_id, DriverName=driver.inf, ClassGuid=UUID(node.class_guid),
        ServiceName=driver.service,
    )  # fmt: skip
    events.add(
        _USER_PNP, 20003, ServiceName=driver.service, DriverFileName=driver.image_path,
        DeviceInstanceID=node.instance_id, PrimaryService=True,
    )  # fmt: skip
    _concluded(events, 20001, node, driver)


def uninstalled(events: EventLog, node: Devnode, driver: BoundDriver) -> None:
    _concluded(events, 20002, node, driver)


def _concluded(events: EventLog, event_id: int, node: Devnode, driver: BoundDriver) -> None:
    events.add(
        _USER_PNP, event_id, DriverName=driver.inf, DriverVersion=driver.version, DriverProvider=driver.provider,
        DeviceInstanceID=node.instance_id, SetupClass=UUID(node.class_guid), IsDriverOEM=True,
        DriverDescription=node.description,
    )  # fmt: skip


def start_failed(events: EventLog, node: Devnode, driver: BoundDriver) -> None:
    events.add(
        _PNP, 411, DeviceInstanceId=node.instance_id, DriverName=driver.inf, ClassGuid=UUID(node.class_guid),
        ServiceName=driver.service, Problem=node.problem, Status=node.problem_status,
    )  # fmt: skip


def not_loaded(events: EventLog, node: Devnode, driver: BoundDriver, status: int) -> None:
    """Code integrity refused the image."""
    events.add("CodeIntegrity", 3004, FileNameBuffer=_device_path(driver.image_path), ProcessNameBuffer="System")
    events.add(_PNP, 219, DriverName=node.instance_id, Status=status, FailureName=rf"\Driver\{driver.service}")
    start_failed(events, node, driver)


def deleted(events: EventLog, node: Devnode) -> None:
    guid = UUID(node.class_guid) if node.class_guid else UUID(int=0)
    events.add(_PNP, 420, DeviceInstanceId=node.instance_id, ClassGuid=guid)


def surprise_removed(events: EventLog, node: Devnode) -> None:
    events.add(_PNP, 1010, DeviceInstanceId=node.instance_id, DeviceCount=1)


def fatal(events: EventLog, adapter: Adapter, miniport_event: int) -> None:
    events.add(
        "NDIS", 10317, IfGuid=UUID(adapter.guid), IfIndex=adapter.index, IfLuid=adapter.luid,
        AdapterName=adapter.description, MiniportEventEnum=miniport_event,
    )  # fmt: skip


def reset(events: EventLog, adapter: Adapter, reason: int, count: int) -> None:
    """``reason``: 1 OID timeout, 2 hardware stopped responding, 3 the driver asked (mapResetReason)."""
    events.add(
        "NDIS", 10400, IfGuid=UUID(adapter.guid), IfIndex=adapter.index, IfLuid=adapter.luid,
        AdapterName=adapter.description, ResetReason=reason, ResetCount=count,
    )  # fmt: skip


def _device_path(path: str) -> str:
    r"""``C:\Windows\...`` as the kernel names it."""
    return rf"\Device\HarddiskVolume3{path[2:]}"
