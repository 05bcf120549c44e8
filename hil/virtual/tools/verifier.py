"""verifier.exe: Driver Verifier's settings (reference windows/executables.json and power-pnp.md section 5).

Exit codes: 0 done, 1 error, 2 done and a reboot is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hil.virtual.windows.verifier import BOOT_MODES, LOW_RESOURCES, STANDARD, LowResources, Settings

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall

REBOOT_NEEDED = 2
FLAGS = {
    0x1: "Special pool", 0x2: "Force IRQL checking", 0x4: "Randomized low resources simulation", 0x8: "Pool tracking",
    0x10: "I/O verification", 0x20: "Deadlock detection", 0x40: "Enhanced I/O verification", 0x80: "DMA checking",
    0x100: "Security checks", 0x200: "Force pending I/O requests", 0x400: "IRP logging", 0x800: "Miscellaneous checks",
    0x2000: "Invariant MDL checking for stack", 0x4000: "Invariant MDL checking for driver",
    0x8000: "Power framework delay fuzzing", 0x10000: "Port/miniport interface checking",
    0x20000: "DDI compliance checking", 0x40000: "Systematic low resources simulation",
    0x80000: "DDI compliance checking (additional)", 0x100000: "WDF verification", 0x200000: "NDIS/WIFI verification",
    0x800000: "Kernel synchronization delay fuzzing", 0x1000000: "VM switch verification",
    0x2000000: "Code integrity checks",
}  # fmt: skip
_CLASSES = {
    1: 0x1, 2: 0x2, 3: 0x4, 4: 0x8, 5: 0x10, 6: 0x20, 8: 0x80, 9: 0x100, 10: 0x200, 11: 0x400, 12: 0x800, 14: 0x2000,
    15: 0x4000, 16: 0x8000, 17: 0x10000, 18: 0x20000, 19: 0x40000, 20: 0x80000, 22: 0x200000, 24: 0x800000,
    25: 0x1000000, 26: 0x2000000, 34: 0x100000, 33: 0, 35: 0, 36: 0, 37: 0,
}  # fmt: skip
"""Rule classes and the flag that each stands for; those above 34 have none in the flags line."""
_SINCE_RULE_CLASSES, _SINCE_DIF = 17134, 22000
_USAGE = "Invalid command line. Run verifier /? for help."


class _Mistake(ValueError):
    pass


async def run(call: ToolCall) -> int:
    verifier, args = call.windows.verifier, [word.lower() for word in call.args]
    if not call.windows.elevated:
        call.out("Access is denied.")
        return 1
    if args == ["/query"]:
        return _query(call)
    if args == ["/querysettings"]:
        return _query_settings(call)
    if args == ["/reset"]:
        changed = verifier.stored.drivers or verifier.active.drivers
        verifier.reset()
        if not changed:
            call.out("No settings were changed.")
            return 0
        call.out("The system will be restored to the default state after reboot.")
        return REBOOT_NEEDED
    if "/now" in args:
        return 1  # seen on Windows 11 and Server 2025, with nothing printed; the reason is not known
    try:
        verifier.set(_settings(call, args))
    except ValueError:  # a number that is none, or a _Mistake
        call.out(_USAGE)
        return 1
    _query_settings(call)
    call.out("\nYou must restart this computer for the changes to take effect.")
    return REBOOT_NEEDED


def _settings(call: ToolCall, args: list[str]) -> Settings:
    """New settings for the next boot; what the command line does not name stays. Raises _Mistake."""
    settings = call.windows.verifier.stored
    words = _options(args)
    if "/standard" in words:
        settings = replace(settings, flags=STANDARD)
    if "/flags" in words:
        settings = replace(settings, flags=_number(words["/flags"]))
    if "/dif" in words and call.windows.build < _SINCE_DIF:
        raise _Mistake
    classes = words.get("/ruleclasses") or words.get("/rc") or words.get("/dif")
    if classes and call.windows.build >= _SINCE_RULE_CLASSES:
        settings = replace(settings, flags=_mask(classes))
    if "/faults" in words:
        settings = replace(settings, flags=settings.flags | LOW_RESOURCES, low_resources=_low(words["/faults"]))
    if "/driver" in words:
        if not words["/driver"] or any("*" in name for name in words["/driver"]):
            raise _Mistake
        settings = replace(settings, drivers=tuple(words["/driver"]))
    if "/bootmode" in words:
        if words["/bootmode"] not in [[mode] for mode in BOOT_MODES] + [["rous"]]:
            raise _Mistake
        settings = replace(settings, boot_mode=words["/bootmode"][0].replace("rous", "resetonunusualshutdown"))
    if "/bc" in words:
        settings = replace(settings, boots_left=_number(words["/bc"]), boot_mode="resetonunusualshutdown")
    if "/all" in words:
        settings = replace(settings, drivers=tuple(
            image for stored in call.windows.driver_store.all() for image in stored.services.values()
        ))  # fmt: skip
    return settings


def _options(args: list[str]) -> dict[str, list[str]]:
    known = {
        "/standard", "/flags", "/ruleclasses", "/rc", "/dif", "/faults", "/driver", "/all", "/bootmode", "/bc",
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for word in args:
        if word.startswith("/"):
            if word not in known:
                raise _Mistake(word)
            current = found.setdefault(word, [])
        elif current is None:
            raise _Mistake(word)
        else:
            current.append(word)
    if not found:
        raise _Mistake
    return found


def _number(words: list[str]) -> int:
    if len(words) != 1:
        raise _Mistake
    return int(words[0], 0)


def _low(words: list[str]) -> LowResources:
    """Probability, tags, applications, delay in minutes; quotation marks hold the place of a default."""
    probability, _, _, minutes = [*words, "", "", "", ""][:4]
    default = LowResources()
    return LowResources(
        int(probability, 0) if probability else default.probability,
        int(minutes, 0) if minutes else default.delay_minutes,
    )


def _mask(classes: list[str]) -> int:
    mask = 0
    for word in classes:
        if int(word, 0) not in _CLASSES:
            raise _Mistake(word)
        mask |= _CLASSES[int(word, 0)]
    return mask


def _query_settings(call: ToolCall) -> int:
    stored = call.windows.verifier.stored
    lines = [f"Verifier Flags: 0x{stored.flags:08x}", ""]
    lines += [f"  [{'X' if stored.flags & flag else ' '}] 0x{flag:08x} {text}." for flag, text in FLAGS.items()]
    lines += ["", "Verified Drivers:", "", *(stored.drivers or ("None",))]
    call.out("\n".join(lines))
    return 0


def _query(call: ToolCall) -> int:
    windows = call.windows
    active = windows.verifier.active
    if not active.drivers:
        call.out("No drivers are currently verified.")
        return 0
    verifier = windows.verifier
    lines = [f"Time Stamp: {windows.now():%m/%d/%Y %H:%M:%S}", "", f"Verifier Flags: 0x{active.flags:08x}", ""]
    lines += [f"  [{'X' if active.flags & flag else ' '}] 0x{flag:08x} {text}." for flag, text in FLAGS.items()]
    succeeded = verifier.allocations - verifier.faults_injected
    lines += [
        "", "Driver Verifier Statistics", "", f"  Allocations attempted: {verifier.allocations}",
        f"  Allocations succeeded: {succeeded}", f"  Faults injected: {verifier.faults_injected}", "",
        "Driver Verification List",
    ]  # fmt: skip
    for name in active.drivers:
        counts = f"load: {verifier.loads[name.lower()]} / unload: {verifier.unloads[name.lower()]}"
        lines += ["", f"MODULE: {name} ({counts})", "", "    Pool Allocation Statistics: ( NonPaged / Paged )", ""]
        lines += ["      Current Pool Allocations:  (      0 /      0 )"]
        lines += [f"      Peak Pool Allocations:     (   {verifier.allocations:4} /      0 )"]
    call.out("\n".join(lines))
    return 0
