"""Driver Verifier on the machine: profiles by name, set, and read back as what this boot really runs with.

Decisions rest on exit codes, the flags line and the module list of ``verifier /query`` (reference
windows/executables.json, "verifier": both lines are seen in the field, also on Windows in other languages). The counter
of injected faults is documented by name only (Microsoft, "Low resources simulation"): where its line is not found, the
number is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hil.errors import UsageError

if TYPE_CHECKING:
    from hil.windows.machine import Machine

DONE, REBOOT_NEEDED = 0, 2
NDIS = "ndis.sys"
_FLAGS = re.compile(r"^\s*Verifier Flags:\s+0x([0-9a-f]{8})", re.IGNORECASE | re.MULTILINE)
_MODULE = re.compile(r"^\s*MODULE:\s+(\S+)\s+\(load:\s+(\d+)\s*/\s*unload:\s+(\d+)\)", re.IGNORECASE | re.MULTILINE)
_INJECTED = re.compile(
    r"^\s*(?:Faults injected|(?:Pool |Resource )?Allocations ?Failed ?Deliberately)\s*:?\s*(0x[0-9a-f]+|\d+)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_STORED_DRIVER = re.compile(r"^\s*([\w.\-]+\.sys)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Profile:
    """What a run under Driver Verifier asks for. ``flags`` must read back as active, more may be."""

    name: str
    what: str
    arguments: tuple[str, ...]
    flags: int
    others: tuple[str, ...] = (NDIS,)
    """Drivers verified beside the one under test."""
    min_build: int = 19041
    injects: bool = False
    """Makes allocations fail, which counts only if it happened."""


# flags and rule classes: Microsoft, "Driver Verifier command syntax"
_STANDARD = 0x209BB
PROFILES = {
    profile.name: profile
    for profile in (
        Profile("standard", "the standard checks, as in all Device Fundamentals jobs", ("/standard",), _STANDARD),
        Profile(
            "ndis", "the standard checks and the NDIS rules", ("/flags", f"0x{_STANDARD | 0x200000:x}"),
            _STANDARD | 0x200000,
        ),
        # quotation marks hold the place of defaults: 6 % of allocations, any tag, any program; after one minute.
        # Not for NDIS itself: its failed allocations would also hit the adapter that carries SSH
        Profile(
            "low-resources", "the standard checks, and allocations that fail",
            ("/flags", f"0x{_STANDARD:x}", "/faults", "", "", "", "1"), _STANDARD | 0x4, others=(), injects=True,
        ),
        Profile("dma", "DMA, with special pool and pool tracking", ("/flags", "0x89"), 0x89),
        # without /now, which is not reliable: on Windows 11 it was seen to end with 1 and no word
        Profile(
            "dif", "the standard and NDIS rule classes in the driver interception framework of Windows 11",
            ("/dif", "1", "2", "4", "5", "6", "8", "9", "12", "18", "22"), _STANDARD | 0x200000, min_build=22000,
        ),
    )
}  # fmt: skip


def profile(name: str) -> Profile:
    """Raises UsageError for a name that is none."""
    if name not in PROFILES:
        raise UsageError(f"a profile of Driver Verifier: {', '.join(PROFILES)}", seen=repr(name))
    return PROFILES[name]


@dataclass(frozen=True)
class Module:
    """How often a verified driver was loaded and unloaded since the boot."""

    loads: int
    unloads: int


@dataclass(frozen=True)
class VerifierState:
    """What this boot runs with; no modules: nothing is verified."""

    flags: int = 0
    modules: Mapping[str, Module] = field(default_factory=dict)
    """By file name, lower case."""
    faults_injected: int | None = None
    """Since the boot; None when Windows does not tell."""

    def __str__(self) -> str:
        return f"0x{self.flags:08x} on {', '.join(self.modules)}" if self.modules else "off"

    def missing(self, wanted: Profile, driver: str) -> list[str]:
        """What keeps this from being ``wanted`` on ``driver``; empty when all of it is active."""
        absent = wanted.flags & ~self.flags
        found = [f"flags 0x{absent:x} are not active"] if absent or not self.modules else []
        for name in (driver, *wanted.others):
            module = self.modules.get(name.lower())
            if module is None:
                found.append(f"{name} is not verified")
            elif not module.loads:
                found.append(f"{name} was not loaded since the boot")
        return found


@dataclass(frozen=True)
class Stored:
    """What is set for the next boot."""

    flags: int
    drivers: tuple[str, ...]


def read(machine: Machine) -> VerifierState:
    """What is active now. Raises BenchError when verifier fails, as it does without elevation."""
    return parse_query(_run(machine, "/query"))


def stored(machine: Machine) -> Stored:
    """What is set for the next boot."""
    text = _run(machine, "/querysettings")
    flags = _FLAGS.search(text)
    return Stored(int(flags[1], 16) if flags else 0, tuple(_STORED_DRIVER.findall(text)))


def parse_query(text: str) -> VerifierState:
    """Read the output of ``verifier /query``."""
    flags, injected = _FLAGS.search(text), _INJECTED.search(text)
    return VerifierState(
        flags=int(flags[1], 16) if flags else 0,
        modules={found[1].lower(): Module(int(found[2]), int(found[3])) for found in _MODULE.finditer(text)},
        faults_injected=int(injected[1], 0) if injected else None,
    )


def arm(machine: Machine, wanted: Profile, driver: str) -> None:
    """Set ``wanted`` for the next boots; a crash or a power cut takes it away, so that no driver can loop in its boot.

    Raises UsageError on a Windows that is too old for it, BenchError when verifier refuses.
    """
    build = machine.os().build
    if build < wanted.min_build:
        raise UsageError(
            f"Windows build {wanted.min_build} for the profile {wanted.name}", seen=f"build {build}",
            where=machine.where, next_step="take another profile",
        )  # fmt: skip
    _run(machine, *wanted.arguments, "/driver", driver, *wanted.others)
    _run(machine, "/bootmode", "resetonunusualshutdown")


def restore(machine: Machine, flags: int, drivers: Sequence[str]) -> None:
    """For the next boots what a person had set before; nothing, for no drivers."""
    _run(machine, "/reset")
    if drivers:
        _run(machine, "/flags", f"0x{flags:x}", "/driver", *drivers)


def _run(machine: Machine, *args: str) -> str:
    return machine.tool("verifier", *args, ok=(DONE, REBOOT_NEEDED)).stdout.decode("utf-8", "replace")
