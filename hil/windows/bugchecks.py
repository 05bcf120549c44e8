"""Bugcheck codes met with NIC drivers: names, meaning, and which parameter tells one crash from another.

Sources: Microsoft, debugger/bug-check-*.md and devtest/ndis-wifi-verification*.md (reference power-pnp.md 4.1 and 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_ACCESS = {0: "read", 1: "write", 2: "execute", 8: "execute"}
_MINIPORT_EVENTS = {
    70: "on a user's request", 71: "NdisMRemoveMiniport", 72: "IM initialization", 73: "MiniportRestart",
    74: "set power to D0", 75: "set power to a low state",
}  # fmt: skip
_WATCHDOGS = {
    0x01: "protocol pause", 0x02: "protocol PnP event", 0x03: "protocol status", 0x04: "protocol unbind",
    0x11: "filter pause", 0x12: "filter PnP event", 0x13: "filter status", 0x14: "filter detach",
    0x21: "miniport pause", 0x22: "miniport halt", 0x23: "OID request", 0x24: "OID request of a filter",
    0x25: "miniport idle", 0x26: "cancelled idle",
}  # fmt: skip
_NDIS_VIOLATIONS = {
    0x01: "shared memory allocated at a raised IRQL", 0x02: "shared memory corrupted",
    0x03: "shared memory freed twice", 0x08: "halted without deregistering its interrupt",
    0x09: "halted without cancelling its timers", 0x0A: "unloaded too early",
    0x0B: "initialization failed without deregistering the interrupt",
    0x0C: "initialization failed without cancelling the timers",
    0x0F: "reset completed that nobody asked for", 0x10: "resume failed without deregistering the interrupt",
    0x11: "resume failed without cancelling the timers", 0x14: "waited for an event at a raised IRQL",
    0x15: "an NDIS 5 function called by an NDIS 6 driver", 0x1F: "illegal state transition",
    0x25: "watchdog of NDIS", 0x26: "OID request completed wrongly", 0x27: "net buffer lists leaked",
}  # fmt: skip
_RULES = {
    0x30: "IRQL raised to a wrong level", 0x62: "unloaded without freeing its pool",
    0x91001: "NdisOidComplete: OID request completed wrongly",
    0x91002: "NdisOidDoubleComplete: OID request completed twice",
    0x9100E: "NdisOidDoubleRequest: OID request issued again while pending",
    0x92003: "NdisTimedOidComplete: OID request not completed in 12 s",
    0x9200D: "NdisTimedDataSend: send not completed in 30 s",
    0x9200F: "NdisTimedDataHang: data path hung for 22 s",
    0x92010: "NdisFilterTimedPauseComplete: filter not paused in 10 s",
    0x92011: "NdisFilterTimedDataSend: send of a filter not completed in time",
    0x92012: "NdisFilterTimedDataReceive: receive of a filter not completed in time",
}  # fmt: skip
_DMA = {
    0x03: "common buffer freed twice", 0x05: "map register freed twice", 0x06: "scatter/gather list freed twice",
    0x07: "adapter released before its common buffers", 0x09: "adapter released before its map registers",
    0x0A: "adapter released before its scatter/gather lists", 0x0E: "buffer not locked",
    0x0F: "driver or hardware wrote outside its DMA buffer", 0x13: "DMA routine at a wrong IRQL",
    0x18: "DMA on an adapter that was released", 0x1D: "range mapped twice", 0x26: "DMA refused by the IOMMU",
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """One bugcheck. ``tells`` is the position of the parameter whose *value* tells crashes apart, 0 for none.

    Of a crash by a bad address that is the kind of access: addresses differ with each boot.
    """

    name: str
    meaning: str = ""
    tells: int = 0
    values: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()


_ADDRESS = ("memory", "IRQL", "access", "instruction")
_EXCEPTION = ("exception", "instruction", "exception record", "context")
CODES = {
    0x0A: Code("IRQL_NOT_LESS_OR_EQUAL", "the kernel touched bad memory at a raised IRQL", 3, _ACCESS, _ADDRESS),
    0x19: Code("BAD_POOL_HEADER", "pool is corrupted", 1),
    0x1E: Code("KMODE_EXCEPTION_NOT_HANDLED", "an exception in the kernel", 1, parameters=_EXCEPTION),
    0x3B: Code("SYSTEM_SERVICE_EXCEPTION", "an exception in a system service", 1, parameters=_EXCEPTION),
    0x50: Code("PAGE_FAULT_IN_NONPAGED_AREA", "memory that is not there was touched", 2, _ACCESS),
    0x7C: Code("BUGCODE_NDIS_DRIVER", "NDIS caught a network driver", 1, _NDIS_VIOLATIONS),
    0x7E: Code("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED", "an exception in a system thread", 1, parameters=_EXCEPTION),
    0x9F: Code(
        "DRIVER_POWER_STATE_FAILURE", "a driver holds up a power transition", 1,
        {
            1: "device freed with a power request pending", 2: "PoStartNextPowerIrp not called",
            3: "power IRP held for too long", 4: "no answer to Plug and Play in time",
            5: "directed power transition", 6: "directed power transition",
        },
        ("kind", "device object", "triage block", "IRP"),
    ),
    0xA0: Code("INTERNAL_POWER_ERROR", "the power manager failed", 1),
    0xC2: Code("BAD_POOL_CALLER", "a driver misused pool", 1),
    0xC4: Code("DRIVER_VERIFIER_DETECTED_VIOLATION", "Driver Verifier caught a broken rule", 1, _RULES),
    0xC5: Code("DRIVER_CORRUPTED_EXPOOL", "pool was corrupted by a driver", 3, _ACCESS),
    0xC9: Code("DRIVER_VERIFIER_IOMANAGER_VIOLATION", "Driver Verifier caught a wrong IRP", 1),
    0xCE: Code("DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS", "code ran in a driver that was unloaded"),
    0xD1: Code("DRIVER_IRQL_NOT_LESS_OR_EQUAL", "a driver touched bad memory at a raised IRQL", 3, _ACCESS, _ADDRESS),
    0xD5: Code("DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "a driver used memory that it had freed", 2, _ACCESS),
    0xD6: Code("DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION", "a driver ran over the end of its memory", 2, _ACCESS),
    0xE2: Code("MANUALLY_INITIATED_CRASH", "somebody asked for a crash"),
    0xE6: Code("DRIVER_VERIFIER_DMA_VIOLATION", "Driver Verifier caught wrong DMA", 1, _DMA),
    0xEF: Code("CRITICAL_PROCESS_DIED", "a process that Windows needs has ended", 2, {0: "process", 1: "thread"}),
    0x101: Code("CLOCK_WATCHDOG_TIMEOUT", "a processor takes no interrupts"),
    0x10D: Code("WDF_VIOLATION", "the driver framework caught an error", 1),
    0x124: Code("WHEA_UNCORRECTABLE_ERROR", "the hardware reported an error", 1, {4: "PCI Express"}),
    0x133: Code(
        "DPC_WATCHDOG_VIOLATION", "deferred procedure calls ran for too long", 1,
        {0: "a single DPC", 1: "all time at DISPATCH_LEVEL"},
    ),
    0x139: Code("KERNEL_SECURITY_CHECK_FAILURE", "a kernel structure is corrupted", 1, {2: "stack cookie", 3: "list"}),
    0x15E: Code(
        "BUGCODE_NDIS_DRIVER_LIVE_DUMP", "NDIS caught a network driver, and Windows went on", 1,
        {0x01: "miniport failed", 0x25: "watchdog of NDIS", 0x30: "net buffer list stuck"},
    ),
}  # fmt: skip


def bugcheck_name(code: int) -> str:
    """``0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL``; the number alone for a code that is not known here."""
    return f"0x{code:X} {CODES[code].name}" if code in CODES else f"0x{code:X}"


def in_full(code: int, parameters: Sequence[int]) -> str:
    """Name and parameters, as a debugger shows them."""
    return f"{bugcheck_name(code)} ({', '.join(f'0x{value:X}' for value in parameters)})"


def rule(code: int, parameters: Sequence[int]) -> str:
    """What tells this crash from others of its code: ``0x91002``, ``write``, ``0x25/0x23``; empty for nothing.

    The same bug gives the same answer in every boot and on every machine.
    """
    known = CODES.get(code)
    if known is None or not known.tells or len(parameters) < known.tells:
        return ""
    value = parameters[known.tells - 1]
    if known.values is _ACCESS:
        return _ACCESS.get(value, f"access {value}")
    detail = _detail(code, parameters)
    return f"0x{value:X}/0x{detail[0]:X}" if detail else f"0x{value:X}"


def meaning(code: int, parameters: Sequence[int]) -> str:
    """In words; empty for a code that is not known here."""
    known = CODES.get(code)
    if known is None:
        return ""
    value = parameters[known.tells - 1] if known.tells and len(parameters) >= known.tells else None
    detail = _detail(code, parameters)
    found = (known.values.get(value, "") if value is not None else "", detail[1] if detail else "")
    return ": ".join(text for text in (known.meaning, *found) if text)


def _detail(code: int, parameters: Sequence[int]) -> tuple[int, str] | None:
    """The second parameter that counts: which watchdog of NDIS, or which event of the miniport."""
    if code not in (0x7C, 0x15E) or len(parameters) < 4:
        return None
    if parameters[0] == 0x25:
        return parameters[1], _WATCHDOGS.get(parameters[1], "")
    if code == 0x15E and parameters[0] == 0x01:
        return parameters[3], _MINIPORT_EVENTS.get(parameters[3], "")
    return None
