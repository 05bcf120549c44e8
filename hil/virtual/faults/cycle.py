"""Defects that show when the adapter is stopped and started under load, or again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hil.virtual.faults import Crash, Fault

BUGCODE_NDIS_DRIVER = 0x7C
_LEAKED_BUFFERS = 0x27
_MIB = 1 << 20


class CrashOnHaltUnderLoad(Fault):
    """MiniportHaltEx frees the receive ring while buffers are with the stack: bugcheck 0x7C, code 0x27."""

    caught_by: ClassVar = ("cross",)

    def halt_crash(self, crash: Crash | None, *, under_load: bool) -> Crash | None:
        return (BUGCODE_NDIS_DRIVER, (_LEAKED_BUFFERS, 0xFFFF_C201_5E2A_1060, 64, 0)) if under_load else crash


class HalfRateAfterEnable(Fault):
    """The number of receive queues is not restored when the adapter is enabled again: half the rate."""

    caught_by: ClassVar = ("cross",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps / 2 if reason == "enable" else mbps


class SlowAfterUpdate(Fault):
    """The new release reads a tuning value that only a fresh PC has: a third of the rate after an update."""

    caught_by: ClassVar = ("cross",)

    def link_mbps(self, mbps: float, *, reason: str) -> float:
        return mbps / 3 if reason == "install" else mbps


class SettingsLostWithMains(Fault):
    """Settings are written to the registry lazily: a power cut brings the defaults back."""

    caught_by: ClassVar = ("cross",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*ReceiveBuffers": "256"} if reason == "boot" else settings


class LosesFramesAfterRestart(Fault):
    """After a restart the receive ring has one descriptor too many: one frame in fifty is dropped."""

    caught_by: ClassVar = ("cross",)
    _reasons = frozenset({"restart"})
    _loss = 0.02

    def __init__(self) -> None:
        self._broken = False

    def starts(self, started: bool, *, reason: str) -> bool:
        self._broken = reason in self._reasons
        return started

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        return self._loss if self._broken else ratio

    def transmit_loss(self, ratio: float, *, load_mbps: float) -> float:
        return self._loss if self._broken else ratio


class NothingPassesAfterRestart(LosesFramesAfterRestart):
    """The rings are rebuilt at a restart, but the device is told of the old ones: link up, and no frame either way."""

    caught_by: ClassVar = ("cross",)
    _reasons = frozenset({"restart", "enable", "resume"})
    _loss = 1.0


class NothingSentAfterResume(NothingPassesAfterRestart):
    """The transmit queue stays paused after a resume: link up, frames come in, none goes out."""

    caught_by: ClassVar = ("power",)
    _reasons = frozenset({"resume"})

    def receive_loss(self, ratio: float, *, load_mbps: float) -> float:
        return ratio


class PoolLeakPerResume(Fault):
    """Each resume allocates the wake pattern table anew and forgets the old one: half a megabyte of non-paged pool."""

    caught_by: ClassVar = ("cross",)

    def leaks(self, leak: tuple[int, int], *, reason: str) -> tuple[int, int]:
        return (leak[0] + _MIB // 2, leak[1]) if reason == "resume" else leak


class PoolLeakPerUpdate(Fault):
    """The old release does not free its shared tables when it makes way: half a megabyte of pool for each update."""

    caught_by: ClassVar = ("cross",)

    def leaks(self, leak: tuple[int, int], *, reason: str) -> tuple[int, int]:
        return (leak[0] + _MIB // 2, leak[1]) if reason == "install" else leak


class HandleLeakPerRestart(Fault):
    """Each start opens its registry keys and closes none of them: hundreds of handles an hour on a roaming laptop."""

    caught_by: ClassVar = ("cross",)

    def leaks(self, leak: tuple[int, int], *, reason: str) -> tuple[int, int]:
        return (leak[0], leak[1] + 400) if reason in {"restart", "enable"} else leak
