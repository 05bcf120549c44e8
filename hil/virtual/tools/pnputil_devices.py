"""The device verbs of pnputil: list, disable, enable, restart, remove, scan (reference windows/executables.json)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from hil.virtual.tools.pnputil import CLASS_NAMES, NO_MORE_ITEMS, REBOOT_REQUIRED, Options, UsageMistake

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall
    from hil.virtual.windows.devices import Devices
    from hil.virtual.windows.state import Devnode

NO_SUCH_DEVICE = (0xE000020B, "The device instance does not exist in the hardware tree.")
"""SetupAPI's ERROR_NO_SUCH_DEVINST; that pnputil ends with it is unconfirmed."""
DEVICE_FAILED = 31
"""ERROR_GEN_FAILURE, for a device that did not start; unconfirmed."""
_SINCE = {
    "/drivers": 19041, "/deviceids": 22000, "/services": 22000, "/bus": 22000, "/deviceid": 22621,
    "/enum-devices": 18362, "verbs": 19041,
}  # fmt: skip
"""First Windows build that knows a flag."""
_RECORD = 28
"""Columns of a label."""


async def _enum_devices(call: ToolCall, args: list[str]) -> int:
    known = {
        "/connected": "", "/disconnected": "", "/instanceid": "value", "/class": "value", "/problem": "optional",
        "/deviceid": "value", "/deviceids": "", "/ids": "", "/services": "", "/drivers": "", "/relations": "",
    }  # fmt: skip
    options = Options.read(args, known, values=(0, 0))
    _require_build(call, "/enum-devices", *options.flags)
    nodes = [node for node in call.windows.devices.all() if _wanted(node, options)]
    if not nodes:
        call.out("No devices were found on the system.")
        return NO_MORE_ITEMS
    for node in nodes:
        call.out("\n".join(_describe(call, node, options)) + "\n")
    return 0


def _require_build(call: ToolCall, *words: str) -> None:
    if any(call.windows.build < _SINCE.get(word, 0) for word in words):
        raise UsageMistake(" ".join(words))


def _wanted(node: Devnode, options: Options) -> bool:
    flags = options.flags
    ids = {text.lower() for text in (*node.hardware_ids, *node.compatible_ids)}
    problem = flags.get("/problem")
    code = int(problem, 0) if problem and problem.isalnum() and problem[0].isdigit() else None
    return (
        (("/connected" not in flags) or node.present)
        and (("/disconnected" not in flags) or not node.present)
        and flags.get("/instanceid", node.instance_id).lower() == node.instance_id.lower()
        and flags.get("/class", node.class_name).lower() in (node.class_name.lower(), node.class_guid.lower())
        and (problem is None or (node.present and node.problem != 0 and code in (None, node.problem)))
        and ("/deviceid" not in flags or flags["/deviceid"].lower() in ids)
    )


def _status(node: Devnode) -> str:
    if not node.present:
        return "Disconnected"
    if node.disabled:
        return "Disabled"
    return "Problem" if node.problem else "Started" if node.started else "Stopped"


def _describe(call: ToolCall, node: Devnode, options: Options) -> list[str]:
    def many(label: str, texts: list[str]) -> list[str]:
        return [f"{label if index == 0 else '':{_RECORD}}{text}" for index, text in enumerate(texts)]

    fields = [
        ("Instance ID:", node.instance_id), ("Device Description:", node.description), ("Class Name:", node.class_name),
        ("Class GUID:", node.class_guid), ("Manufacturer Name:", node.manufacturer), ("Status:", _status(node)),
    ]  # fmt: skip
    if _status(node) == "Problem":
        fields += [("Problem Code:", str(node.problem)), ("Problem Status:", f"0x{node.problem_status:08X}")]
    if node.driver:
        fields.append(("Driver Name:", node.driver.inf))
    lines = [f"{label:{_RECORD}}{text}" for label, text in fields if text]
    if "/deviceids" in options or "/ids" in options:
        lines += many("Hardware IDs:", node.hardware_ids) + many("Compatible IDs:", node.compatible_ids)
    if "/services" in options and node.driver:
        lines.append(f"{'Service Name:':{_RECORD}}{node.driver.service}")
    if "/relations" in options:
        lines.append(f"{'Parent Device:':{_RECORD}}{node.parent}")
    if "/drivers" in options:
        lines += _matching_drivers(call, node)
    return lines


def _matching_drivers(call: ToolCall, node: Devnode) -> list[str]:
    lines = ["Matching Drivers:"]
    for match in call.windows.driver_store.matches(node):
        package = match.stored.package
        class_name = CLASS_NAMES.get(package.inf.class_name.lower(), package.inf.class_name)
        installed = bool(node.driver) and node.driver is not None and node.driver.inf == match.stored.published
        fields = [
            ("Driver Name:", match.stored.published), ("Original Name:", match.stored.original_inf),
            ("Provider Name:", package.provider), ("Class Name:", class_name), ("Class GUID:", package.inf.class_guid),
            ("Driver Version:", f"{package.date:%m/%d/%Y} {package.version}"), ("Signer Name:", package.signer),
            ("Matching Device ID:", match.device_id), ("Driver Rank:", f"{match.rank:08X}"),
            ("Driver Status:", "Best Ranked / Installed" if installed else "Outranked"),
        ]  # fmt: skip
        lines += ["", *(f"    {label:{_RECORD - 4}}{text}" for label, text in fields)]
    return lines


Action = Callable[["Devices", "Devnode"], Awaitable[bool]]
Run = Callable[["ToolCall", list[str]], Awaitable[int]]


async def _disabled(devices: Devices, node: Devnode) -> bool:
    await devices.disable(node)
    return True


async def _enabled(devices: Devices, node: Devnode) -> bool:
    return await devices.enable(node)


async def _restarted(devices: Devices, node: Devnode) -> bool:
    return await devices.restart(node)


async def _removed(devices: Devices, node: Devnode) -> bool:
    await devices.remove(node)
    return True


def _verb(doing: str, done: str, verb: str, action: Action, flags: tuple[str, ...] = ()) -> Run:
    """A verb that acts on the devices that an instance id, or /deviceid, names."""

    async def run(call: ToolCall, args: list[str]) -> int:
        known = {"/reboot": "", "/deviceid": "value"} | dict.fromkeys(flags, "")
        options = Options.read(args, known, values=(0, 1))
        _require_build(call, "verbs", *options.flags)
        if bool(options.values) == ("/deviceid" in options):
            raise UsageMistake("one device, please")
        devices = call.windows.devices
        if options.values:
            node = devices.find(options.values[0])
            nodes = [node] if node and node.present else []
        else:
            nodes = devices.matching([options.flags["/deviceid"]])
        if not nodes and options.values:
            call.out(f"Failed to {verb} device: {NO_SUCH_DEVICE[1]}")
            return NO_SUCH_DEVICE[0]
        if not nodes:
            call.out("No devices were found on the system.")
            return NO_MORE_ITEMS
        code = 0
        for node in nodes:
            call.out(f"{doing + ' device:':21}{node.instance_id}")
            if await action(devices, node):
                call.out(f"Device {done} successfully.\n")
            else:
                call.out(f"Failed to {verb} device: A device attached to the system is not functioning.\n")
                code = DEVICE_FAILED
        if code == 0 and any(node.restart_needed for node in nodes):
            call.out("System reboot is needed to complete configuration operations!")
            return REBOOT_REQUIRED
        return code

    return run


async def _scan(call: ToolCall, args: list[str]) -> int:
    options = Options.read(args, {"/instanceid": "value", "/async": ""}, values=(0, 0))
    _require_build(call, "verbs", *options.flags)
    call.out("Scanning for device hardware changes.")
    await call.windows.devices.scan()
    call.out("Scan complete.")
    return 0


VERBS = {
    "/enum-devices": _enum_devices,
    "/scan-devices": _scan,
    "/disable-device": _verb("Disabling", "disabled", "disable", _disabled, ("/force",)),
    "/enable-device": _verb("Enabling", "enabled", "enable", _enabled),
    "/restart-device": _verb("Restarting", "restarted", "restart", _restarted),
    "/remove-device": _verb("Removing", "removed", "remove", _removed, ("/subtree", "/force")),
}
