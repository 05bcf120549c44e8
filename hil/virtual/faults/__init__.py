"""Faults: deliberate defects of the virtual bench, each standing for a bug seen in the field.

A fault is a class derived from :class:`Fault` that overrides one or more hooks. Every hook gets what the healthy bench
would do and returns what the faulty one does; the default returns it unchanged. Load with
``--fault package.module:Class``, from anywhere on the import path. The docstring's first line names the field bug;
``caught_by`` names the suites (``pnp`` is ``suites/test_pnp.py``) that must turn red: ``hil faults --matrix`` proves
it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from hil.errors import UsageError

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.power_events import WakeSource
    from hil.virtual.windows.state import BoundDriver
    from hil.virtual.windows.verifier import Settings
    from hil.virtual.windows.wake import Pattern

Crash = tuple[int, tuple[int, int, int, int]]
"""A bugcheck: code and its four parameters."""


class Fault:
    """One defect. Hooks are called on the bench's event loop unless they say otherwise; they must not block."""

    caught_by: ClassVar[tuple[str, ...]] = ()
    testbed: ClassVar[str] = ""
    """A defect that only such a bench can have, by the name of its file in the folder of the matrix' testbed."""
    since: tuple[int, ...] = ()
    """The first driver version that has the defect, for the packages of a bisect; empty for all."""

    def attach(self, bench: VirtualBench) -> None:
        """Called once when the bench is assembled, before it starts; for faults that act by themselves.

        ``self._bench`` is there from then on.
        """
        self._bench = bench

    # the driver and its hardware

    def surprise_removal(self, crash: Crash | None, *, under_load: bool, count: int) -> Crash | None:
        """The device was pulled for the ``count``-th time; a crash is what Windows then dies of."""
        return crash

    def halt_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        """The device is stopped in order (disable, restart, update); a crash is what Windows then dies of."""
        return crash

    def sleep_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        """The device is told to go to D3 for a sleep of the machine."""
        return crash

    def removed_in_sleep(self, crash: Crash | None, *, waking: bool) -> Crash | None:
        """The resume finds the device gone: pulled while the machine slept, or while it was ``waking``."""
        return crash

    def sees_slot(self, seen: bool, *, present: bool, asleep: bool) -> bool:
        """Whether the bus driver reports that the device came or went, also after a sleep in which it did."""
        return seen

    def sees_cable(self, seen: bool, *, connected: bool) -> bool:
        """Whether the driver notices that the cable was connected or disconnected while the machine runs."""
        return seen

    def halt_s(self, seconds: float) -> float:
        """How long MiniportHaltEx takes (unscaled); the devnode stays until it returns."""
        return seconds

    def leak_bytes(self, count: int) -> int:
        """Non-paged pool bytes that one removal leaves behind."""
        return count

    def leaks(self, leak: tuple[int, int], *, reason: str) -> tuple[int, int]:
        """Non-paged pool bytes and handles that a start for ``reason`` (as in :meth:`starts`) leaves behind."""
        return leak

    def starts(self, started: bool, *, reason: str) -> bool:
        """Whether the device starts: ``boot``, ``arrival``, ``resume``, ``restart``, ``enable`` or ``install``."""
        return started

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        """Advanced properties (keyword to registry value) after a start for ``reason``."""
        return settings

    def stored_settings(
        self, settings: Mapping[str, str], *, keyword: str, before: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Advanced properties (keyword to registry value) after ``keyword`` was written; ``before`` as they were."""
        return settings

    def accepts_setting(self, accepted: bool, *, keyword: str, value: str) -> bool:
        """Whether a registry value is taken for an advanced property; the INF decides that."""
        return accepted

    def default_setting(self, value: str, *, keyword: str) -> str:
        """What resetting an advanced property writes."""
        return value

    def feature(self, properties: Mapping[str, object], *, noun: str) -> Mapping[str, object]:
        """What Get-``noun`` (``NetAdapterRss``, ...) reports of the adapter."""
        return properties

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        """Rate that the wire gives after a start for ``reason`` (the adapter still reports the nominal speed)."""
        return mbps

    def mac(self, mac: str, *, reason: str) -> str:
        """Current MAC, AA-BB-CC-DD-EE-FF, after a start for ``reason``."""
        return mac

    def wake_armed(self, armed: bool, *, sleep_count: int, state: str) -> bool:
        """Whether the NIC is really armed in the ``sleep_count``-th sleep, to S3, S4, S0ix or S5."""
        return armed

    def wake_patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        """The patterns that the hardware really looks for."""
        return patterns

    def wakes(self, woken: bool, *, frame: bytes) -> bool:
        """Whether this frame wakes the sleeping machine."""
        return woken

    def wakes_on_link(self, woken: bool, *, connected: bool) -> bool:
        """Whether the cable, connected or disconnected, wakes the sleeping machine."""
        return woken

    def answers(self, reply: bytes | None, *, frame: bytes) -> bytes | None:
        """What the sleeping NIC answers to a frame: ARP and neighbour solicitations of its own addresses."""
        return reply

    def statistics(self, counters: Mapping[str, int]) -> Mapping[str, int]:
        """Counters as Get-NetAdapterStatistics reports them."""
        return counters

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        """Share of frames sent by the machine that never reach the wire. Asked many times a second."""
        return ratio

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        """Share of frames from the wire that the driver drops. Asked many times a second."""
        return ratio

    def corrupt_frame(self, frame: bytes) -> bytes:
        """A frame on its way from the machine to the wire.

        Called in the data path's process, on an instance of its own, and only if overridden.
        """
        return frame

    # Windows and the package

    def written_inf(self, text: str) -> str:
        """The INF of the sample packages, as it is written and signed."""
        return text

    def loaded_image(self, path: str, *, previous: str | None) -> str:
        """Path of the .sys that is in memory after an install; ``previous`` was loaded before it."""
        return path

    def accepts_signature(self, accepted: bool, *, reason: str) -> bool:
        """The verdict of the signature policy on a package that is staged, or on an image that is loaded.

        ``reason`` says why it is refused: ``unsigned``, ``tampered``, ``expired``, ``revoked``, ``root``,
        ``publisher``, ``usage``, at load ``test-signed``; empty when it is not.
        """
        return accepted

    def deletes_package(self, deleted: bool) -> bool:
        """Whether pnputil /delete-driver removes the package from the store."""
        return deleted

    def deletes_service(self, deleted: bool) -> bool:
        """Whether the service of a driver goes with the last package that installs it."""
        return deleted

    def service_image(self, path: str, *, previous: str) -> str:
        """Path of the .sys that the service names after an install over another package."""
        return path

    def keeps_setting(self, kept: bool, *, keyword: str) -> bool:
        """Whether an install leaves the advanced property that is there already; the INF decides that."""
        return kept

    def bound_driver(self, driver: BoundDriver, *, previous: BoundDriver) -> BoundDriver:
        """What Windows reports as bound after an install over ``previous``."""
        return driver

    def neighbour_driver(self, driver: BoundDriver, *, installed: BoundDriver) -> BoundDriver:
        """What another device is bound to after ``installed`` was put on the one under test."""
        return driver

    def finds_driver(self, found: bool, *, occasion: str) -> bool:
        """Whether Windows looks for a package for a device without one: at its ``arrival``, or after the ``removal``
        of the one that it had."""
        return found

    def exit_code(self, code: int, *, verb: str) -> int:
        """What pnputil ends with: ``/add-driver``, ``/delete-driver`` ..."""
        return code

    def boot_s(self, seconds: float, *, reason: str) -> float:
        """How long a boot takes (unscaled): reason is ``power``, ``restart``, ``crash`` or ``hibernate``."""
        return seconds

    def resume_s(self, seconds: float) -> float:
        """How long a resume from S3 or S0ix takes (unscaled)."""
        return seconds

    def wake_source(self, source: WakeSource) -> WakeSource:
        """What firmware tells Windows of the wake."""
        return source

    def asleep_w(self, watts: float, *, state: str) -> float:
        """What the machine draws in S3, S4, S0ix or S5."""
        return watts

    def sleeps(self, asleep: bool, *, state: str) -> bool:
        """Whether Windows really reaches S3, S4 or S0ix."""
        return asleep

    # Driver Verifier and crashes

    def verifier_boots(self, settings: Settings) -> Settings:
        """What of Driver Verifier's settings a boot really makes active."""
        return settings

    def verifier_resets(self, reset: bool) -> bool:
        """Whether verifier /reset, which says that it did, really clears the settings."""
        return reset

    def broken_rule(self, crash: Crash | None, *, occasion: str, flags: int) -> Crash | None:
        """What Driver Verifier, active with ``flags`` (0: not active), catches the driver at: a start (with its reason,
        as in :meth:`starts`) or ``halt``. An active driver that breaks no rule gives None."""
        return crash

    def failed_allocations(self, count: int) -> int:
        """How many allocations of a starting driver low resources simulation really fails."""
        return count

    def out_of_memory(self, crash: Crash | None) -> Crash | None:
        """What Windows dies of when an allocation of the driver failed."""
        return crash

    def live_dump(self, crash: Crash | None, *, occasion: str) -> Crash | None:
        """What NDIS writes a live dump of at a start or ``halt``, while Windows goes on."""
        return crash

    def bugcheck_ends(self, end: str) -> str:
        """``dump``: a dump is written and Windows restarts; ``stay``: the blue screen stays; ``reset``: it restarts
        without dump or record; ``hang``: it only stops."""
        return end

    def dump_name(self, name: str | None) -> str | None:
        """File name of the small dump that the boot after a bugcheck writes; None: it writes none at all."""
        return name

    # instruments and connections

    def relay_on(self, on: bool, *, instrument: str) -> bool:
        """Where the contact of an instrument really ends when it is told ``on``."""
        return on

    def reading_w(self, watts: float, *, instrument: str) -> float:
        """What a meter reports."""
        return watts

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        """Whether the SSH server falls silent (no FIN) after ``command_count`` commands since boot."""
        return stalled

    def shell_starts(self, started: bool) -> bool:
        """Whether a PowerShell that a client asks for starts."""
        return started

    def wmi_answers(self, answers: bool) -> bool:
        """Whether the service of WMI answers a question of a PowerShell."""
        return answers

    def button_works(self, works: bool, *, seconds: float) -> bool:
        """Whether the machine takes notice of its power button, held for ``seconds`` (true ones)."""
        return works


_NO_HOOKS = {"attach", "caught_by", "since", "testbed"}
_HOOKS = tuple(name for name in vars(Fault) if not name.startswith("_") and name not in _NO_HOOKS)
_NOT_OF_A_DRIVER = ("corrupt_frame", "written_inf")
"""Hooks that are called where nobody knows which driver is bound."""


def load(path: str) -> Fault:
    """The fault named ``package.module:Class``; with ``@2.4.0.0`` only drivers of this version and later have it.

    Raises UsageError when there is no such class, or when it works where no driver's version is known.
    """
    name, _, since = path.partition("@")
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"a fault named {path!r}", seen=str(error), next_step="write it as package.module:Class"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Fault)):
        raise UsageError(f"a fault named {path!r}", seen=f"{found!r} is not a subclass of hil.virtual.faults.Fault")
    fault = found()
    fault.since = _version(since, path) if since else ()
    if since and any(getattr(found, hook) is not getattr(Fault, hook) for hook in _NOT_OF_A_DRIVER):
        raise UsageError(f"{class_name} for all drivers", seen=f"@{since}", next_step="leave out the version")
    return fault


def _version(text: str, path: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        raise UsageError("a driver version after @, as 2.4.0.0", seen=text, where=path) from None
