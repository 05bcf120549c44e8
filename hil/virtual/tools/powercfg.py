"""powercfg.exe: sleep states, what may wake the machine, what woke it, hibernation on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.virtual.windows import power_events as report
from hil.virtual.windows.inventory import POWER_KEY, POWER_PLANS

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

FAILURE = 1
_S3_AND_S0 = ("Standby (S3)", "Standby (S0 Low Power Idle) Network Connected")
_MOUSE, _KEYBOARD = "HID-compliant mouse", "HID Keyboard Device"


async def run(call: ToolCall) -> int:
    verb = call.args[0].lower().replace("-", "/", 1) if call.args else ""
    known = {
        "/a": _states, "/availablesleepstates": _states, "/lastwake": _last_wake, "/waketimers": _wake_timers,
        "/requests": _requests, "/devicequery": _device_query, "/h": _hibernate, "/hibernate": _hibernate,
        "/deviceenablewake": _enable_wake, "/devicedisablewake": _disable_wake,
        "/getactivescheme": _active_plan, "/list": _plans, "/l": _plans, "/setactive": _set_active, "/s": _set_active,
    }.get(verb)  # fmt: skip
    if known is None:
        call.out('Invalid Parameters -- try "/?" for help')
        return FAILURE
    if verb in _ELEVATED and not call.windows.elevated:
        call.out("This command requires administrator privileges and must be executed from an elevated command prompt.")
        return FAILURE
    return known(call)


_ELEVATED = (
    "/waketimers", "/requests", "/h", "/hibernate", "/deviceenablewake", "/devicedisablewake", "/setactive", "/s",
)  # fmt: skip


def _states(call: ToolCall) -> int:
    hibernation = call.windows.hibernation
    standby = "S3" in call.bench.config.sleep_states
    offered, not_offered = _S3_AND_S0 if standby else _S3_AND_S0[::-1]
    call.out(f"The following sleep states are available on this system:\n    {offered}")
    call.out(("    Hibernate\n    Hybrid Sleep\n" if standby else "    Hibernate\n") if hibernation else "")
    call.out("The following sleep states are not available on this system:")
    for number in (1, 2):
        call.out(f"    Standby (S{number})\n        The system firmware does not support this standby state.\n")
    if not hibernation:
        call.out("    Hibernate\n        Hibernation has not been enabled.\n")
        call.out("    Hybrid Sleep\n        Hibernation is not available.\n")
    call.out(f"    {not_offered}\n        The system firmware does not support this standby state.\n")
    call.out("    Fast Startup\n        This action is disabled in the current system policy.")
    return 0


def _last_wake(call: ToolCall) -> int:
    source = call.windows.last_wake
    if source is None:
        call.out("Wake History Count - 0")
        return 0
    call.out("Wake History Count - 1\nWake History [0]")
    if source.kind == report.WAKE_UNKNOWN:
        call.out("  Wake Source Count - 0")
        return 0
    call.out("  Wake Source Count - 1\n  Wake Source [0]")
    if source.kind == report.WAKE_DEVICE:
        node = call.windows.devices.find(source.instance_id)
        call.out(f"    Type: Device\n    Instance Path: {source.instance_id}\n    Friendly Name: {source.text}")
        call.out(f"    Description: {source.text}\n    Manufacturer: {node.manufacturer if node else ''}")
    elif source.kind == report.WAKE_TIMER:
        call.out(f"    Type: Wake Timer\n    Owner: [PROCESS] {source.text}\n    Owner Supplied Reason: ")
    else:
        call.out("    Type: Power Button")
    return 0


def _wake_timers(call: ToolCall) -> int:
    call.out("There are no active wake timers in the system.")
    return 0


def _requests(call: ToolCall) -> int:
    for kind in ("DISPLAY", "SYSTEM", "AWAYMODE", "EXECUTION", "PERFBOOST", "ACTIVELOCKSCREEN"):
        call.out(f"{kind}:\nNone.\n")
    return 0


def _device_query(call: ToolCall) -> int:
    flag = call.args[1].lower() if len(call.args) > 1 else ""
    adapters = [found for found in call.windows.devices.adapters if found.node.present]
    named = {
        "wake_armed": [found.description for found in adapters if found.wake_enabled] + [_MOUSE, _KEYBOARD],
        "wake_programmable": [found.description for found in adapters] + [_MOUSE, _KEYBOARD],
        "wake_from_any": [found.description for found in adapters] + [_MOUSE, _KEYBOARD],
        "wake_from_s3_supported": [found.description for found in adapters] + [_MOUSE, _KEYBOARD],
        "wake_from_s1_supported": [], "wake_from_s2_supported": [], "s1_supported": [], "s2_supported": [],
        "s3_supported": [found.description for found in adapters], "s4_supported": [f.description for f in adapters],
        "all_devices": [node.description for node in call.windows.devices.all() if node.present] + [_MOUSE, _KEYBOARD],
        "all_devices_verbose": [node.description for node in call.windows.devices.all() if node.present],
    }.get(flag)  # fmt: skip
    if named is None:
        call.out('Invalid Parameters -- try "/?" for help')
        return FAILURE
    for name in named or ["NONE"]:
        call.out(name)
    return 0


def _hibernate(call: ToolCall) -> int:
    wanted = [argument.lower() for argument in call.args[1:]]
    if wanted[:1] not in (["on"], ["off"]) and "/type" not in wanted and "/size" not in wanted:
        call.out('Invalid Parameters -- try "/?" for help')
        return FAILURE
    call.windows.registry.set(POWER_KEY, "HibernateEnabled", 0 if wanted[:1] == ["off"] else 1)
    return 0


def _enable_wake(call: ToolCall) -> int:
    return _set_wake(call, True)


def _disable_wake(call: ToolCall) -> int:
    return _set_wake(call, False)


def _set_wake(call: ToolCall, enabled: bool) -> int:
    name = call.args[1] if len(call.args) > 1 else ""
    found = [adapter for adapter in call.windows.devices.adapters if adapter.description.lower() == name.lower()]
    if not found:
        call.out(f'You do not have permission to enable or disable device wake, or there is no device named "{name}".')
        return FAILURE
    for adapter in found:
        adapter.wake_enabled = enabled
    return 0


def _plan(call: ToolCall, guid: str) -> str:
    mark = " *" if guid == call.windows.active_power_plan else ""
    return f"Power Scheme GUID: {guid}  ({POWER_PLANS[guid]}){mark}"


def _active_plan(call: ToolCall) -> int:
    call.out(_plan(call, call.windows.active_power_plan).removesuffix(" *"))
    return 0


def _plans(call: ToolCall) -> int:
    call.out("\nExisting Power Schemes (* Active)\n-----------------------------------")
    for guid in POWER_PLANS:
        call.out(_plan(call, guid))
    return 0


def _set_active(call: ToolCall) -> int:
    guid = call.args[1].lower() if len(call.args) > 1 else ""
    if guid not in POWER_PLANS:
        call.out("The power scheme, subgroup or setting specified does not exist.")
        return FAILURE
    call.windows.active_power_plan = guid
    return 0
