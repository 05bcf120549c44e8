"""shutdown.exe: restart, power off, hibernate, abort (Microsoft Learn, windows-commands/shutdown)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

PROCESS = r"C:\Windows\system32\shutdown.exe"
DEFAULT_DELAY_S, LONGEST_DELAY_S = 30, 315360000
ACCESS_DENIED, NOT_SUPPORTED, NONE_TO_ABORT, ALREADY_SCHEDULED = 5, 50, 1116, 1190
FAILURE = 1

_REASONS = {
    "p:0:0": ("Other (Planned)", "0x80000000"),
    "p:1:1": ("Hardware: Maintenance (Planned)", "0x80010001"),
    "p:2:4": ("Operating System: Reconfiguration (Planned)", "0x80020004"),
    "p:4:1": ("Application: Maintenance (Planned)", "0x80040001"),
    "p:4:2": ("Application: Installation (Planned)", "0x80040002"),
}
_DEFAULT_REASON = ("No title for this reason could be found", "0x800000ff")


async def run(call: ToolCall) -> int:
    machine = call.bench.machine
    flags = [
        argument.lower().replace("-", "/", 1) if argument[:1] == "-" else argument.lower() for argument in call.args
    ]
    if not set(flags) & {"/s", "/r", "/a", "/h", "/p"}:
        call.out("Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft] [/fw] [/f]")
        return FAILURE if flags and "/?" not in flags else 0
    if not call.windows.elevated:
        call.err("Access is denied.(5)")
        return ACCESS_DENIED
    if "/a" in flags:
        if machine.abort_shutdown():
            return 0
        call.err("Unable to abort the system shutdown because no shutdown was in progress.(1116)")
        return NONE_TO_ABORT
    if "/h" in flags:
        return _hibernate(call)
    delay = _value(call, flags, "/t", "0" if "/p" in flags else str(DEFAULT_DELAY_S))
    if not delay.isdigit() or int(delay) > LONGEST_DELAY_S:
        call.err(f"ERROR: Invalid value for /t: {delay}")
        return FAILURE
    if machine.shutdown_pending:
        call.err("A system shutdown has already been scheduled.(1190)")
        return ALREADY_SCHEDULED
    reason, code = _REASONS.get(_value(call, flags, "/d", "").lower(), _DEFAULT_REASON)
    machine.request_shutdown(
        restart="/r" in flags, delay_s=float(delay), process=f"{PROCESS} ({call.windows.computer_name})",
        reason=reason, code=code, comment=_value(call, flags, "/c", ""),
    )  # fmt: skip
    return 0


def _hibernate(call: ToolCall) -> int:
    if not call.windows.hibernation:
        call.err("Hibernation has not been enabled on this system.(50)")
        return NOT_SUPPORTED
    call.bench.machine.request_sleep("S4", delay_s=0.2, caller=r"\Device\HarddiskVolume3\Windows\System32\shutdown.exe")
    return 0


def _value(call: ToolCall, flags: list[str], name: str, default: str) -> str:
    place = flags.index(name) + 1 if name in flags else len(flags)
    return call.args[place] if place < len(call.args) else default
