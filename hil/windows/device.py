"""A device as PnP sees it: present or not, its problem code, and its properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hil.remote import Command, PowerShellError

if TYPE_CHECKING:
    from hil.remote import PowerShell

# Microsoft install/cm-prob-*.md
PROBLEMS = {
    0: "NONE", 1: "NOT_CONFIGURED", 3: "OUT_OF_MEMORY", 9: "INVALID_DATA", 10: "FAILED_START", 12: "NORMAL_CONFLICT",
    14: "NEED_RESTART", 16: "PARTIAL_LOG_CONF", 18: "REINSTALL", 19: "REGISTRY", 21: "WILL_BE_REMOVED", 22: "DISABLED",
    24: "DEVICE_NOT_THERE", 28: "FAILED_INSTALL", 29: "HARDWARE_DISABLED", 31: "FAILED_ADD", 32: "DISABLED_SERVICE",
    33: "TRANSLATION_FAILED", 34: "NO_SOFTCONFIG", 35: "BIOS_TABLE", 36: "IRQ_TRANSLATION_FAILED",
    37: "FAILED_DRIVER_ENTRY", 38: "DRIVER_FAILED_PRIOR_UNLOAD", 39: "DRIVER_FAILED_LOAD",
    40: "DRIVER_SERVICE_KEY_INVALID", 41: "LEGACY_SERVICE_NO_DEVICES", 42: "DUPLICATE_DEVICE", 43: "FAILED_POST_START",
    44: "HALTED", 45: "PHANTOM", 46: "SYSTEM_SHUTDOWN", 47: "HELD_FOR_EJECT", 48: "DRIVER_BLOCKED",
    49: "REGISTRY_TOO_LARGE", 50: "SETPROPERTIES_FAILED", 51: "WAITING_ON_DEPENDENCY", 52: "UNSIGNED_DRIVER",
    53: "USED_BY_DEBUGGER", 54: "DEVICE_RESET", 55: "CONSOLE_LOCKED", 56: "NEED_CLASS_CONFIG",
    57: "GUEST_ASSIGNMENT_FAILED",
}  # fmt: skip
NOT_FOUND = "CmdletizationQuery_NotFound"
_WANTED = [
    "InstanceId", "HardwareID", "CompatibleID", "FriendlyName", "Class", "Service", "Present", "ConfigManagerErrorCode",
]  # fmt: skip


NO_DRIVER = 28
"""CM_PROB_FAILED_INSTALL: the device is there and no package for it is installed."""


def problem_name(code: int) -> str:
    """``10 FAILED_START``, as people look it up."""
    return f"{code} {PROBLEMS.get(code, 'unknown problem code')}"


@dataclass(frozen=True)
class DeviceState:
    """One devnode now."""

    instance_id: str
    present: bool
    problem: int
    hardware_ids: tuple[str, ...] = ()
    """Hardware ids and then compatible ids, most specific first; an INF may name any of them."""
    name: str = ""
    class_name: str = ""
    service: str = ""

    @property
    def working(self) -> bool:
        return self.present and self.problem == 0

    def __str__(self) -> str:
        condition = f"problem {problem_name(self.problem)}" if self.present else "not present"
        return f"{self.instance_id} ({self.name or 'no name'}, {condition})"


class Device:
    """One devnode, by its instance id."""

    def __init__(self, shell: PowerShell, instance_id: str) -> None:
        self._shell, self.instance_id = shell, instance_id

    def state(self) -> DeviceState:
        """Now. A devnode that Windows does not know is one that is not present."""
        try:
            found = self._shell.run(Command("Get-PnpDevice", InstanceId=self.instance_id), quiet=True)
        except PowerShellError as error:
            if not error.error_id.startswith(NOT_FOUND):
                raise
            found = None
        return state_of(found[0]) if found else DeviceState(self.instance_id, present=False, problem=45)

    def enable(self) -> None:
        self._shell.run(Command("Enable-PnpDevice", InstanceId=self.instance_id, Confirm=False))

    def disable(self) -> None:
        self._shell.run(Command("Disable-PnpDevice", InstanceId=self.instance_id, Confirm=False))

    def properties(self, keys: Sequence[str]) -> dict[str, object]:
        """Device properties by DEVPKEY name; one that the device has not is left out (or None)."""
        found = self._shell.run(
            Command("Get-PnpDeviceProperty", InstanceId=self.instance_id, KeyName=list(keys)), check=False
        )
        return {str(row["KeyName"]): row.get("Data") for row in found}


def present_devices(shell: PowerShell) -> list[DeviceState]:
    """Every device that is there, also those without a driver (and so without a class)."""
    rows = shell.run(Command("Get-PnpDevice", PresentOnly=True) | Command("Select-Object", Property=_WANTED))
    return [state_of(row) for row in rows]


def state_of(row: Mapping[str, Any]) -> DeviceState:
    """From a row of Get-PnpDevice."""
    ids = [name for key in ("HardwareID", "CompatibleID") for name in _texts(row.get(key))]
    return DeviceState(
        instance_id=str(row["InstanceId"]),
        present=bool(row["Present"]),
        problem=int(row["ConfigManagerErrorCode"]),
        hardware_ids=tuple(ids),
        name=str(row.get("FriendlyName") or ""),
        class_name=str(row.get("Class") or ""),
        service=str(row.get("Service") or ""),
    )


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list | tuple) else []
