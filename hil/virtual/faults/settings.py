"""Defects in how the driver keeps its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hil.virtual.faults import Fault

LARGEST_RING = "2048"


class SetIsIgnored(Fault):
    """A vendor's service writes its own profile over what was set: flow control reads back as before."""

    caught_by: ClassVar = ("settings",)

    def stored_settings(
        self, settings: Mapping[str, str], *, keyword: str, before: Mapping[str, str]
    ) -> Mapping[str, str]:
        return before if keyword == "*FlowControl" else settings


class SettingChangesAnother(Fault):
    """Both rings share one size in the driver: setting the receive buffers moves the transmit buffers too."""

    caught_by: ClassVar = ("settings",)

    def stored_settings(
        self, settings: Mapping[str, str], *, keyword: str, before: Mapping[str, str]
    ) -> Mapping[str, str]:
        return {**settings, "*TransmitBuffers": settings[keyword]} if keyword == "*ReceiveBuffers" else settings


class OutOfRangeAccepted(Fault):
    """The range of a ring is not checked: more buffers than the hardware has descriptors for are taken."""

    caught_by: ClassVar = ("settings",)

    def accepts_setting(self, accepted: bool, *, keyword: str, value: str) -> bool:
        return accepted or (keyword == "*TransmitBuffers" and value.isdecimal())


class WrongDefault(Fault):
    """The property page restores a default that the last release had, not the one in this INF."""

    caught_by: ClassVar = ("settings",)

    def default_setting(self, value: str, *, keyword: str) -> str:
        return "0" if keyword == "*InterruptModeration" else value


class FeatureKeepsOldState(Fault):
    """The driver answers the offload query from what it started with once: LSO over IPv6 is always reported as on."""

    caught_by: ClassVar = ("settings",)

    def feature(self, properties: Mapping[str, object], *, noun: str) -> Mapping[str, object]:
        return {**properties, "IPv6Enabled": True} if noun == "NetAdapterLso" else properties


class FailsWithLargestRing(Fault):
    """Contiguous memory for the largest ring is asked for in one piece: the device does not start with it (code 10)."""

    caught_by: ClassVar = ("settings",)

    def starts(self, started: bool, *, reason: str) -> bool:
        tested = [adapter for adapter in self._bench.windows.devices.adapters if adapter.port.under_test]
        return started and all(adapter.value("*ReceiveBuffers") != LARGEST_RING for adapter in tested)


class SettingLostOnRestart(Fault):
    """The driver writes its defaults for VLAN and priority when it starts, over what the user chose."""

    caught_by: ClassVar = ("settings",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*PriorityVLANTag": "3"} if reason == "restart" else settings


class SettingsLostOnReboot(Fault):
    """Offload settings live in a volatile key: a restart of Windows turns them on again."""

    caught_by: ClassVar = ("settings",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*LsoV2IPv4": "1", "*LsoV2IPv6": "1"} if reason == "boot" else settings


class RssQueuesHalvedAfterResume(Fault):
    """After sleep only half of the interrupt vectors come back: RSS goes on with half of its queues."""

    caught_by: ClassVar = ("settings",)

    def __init__(self) -> None:
        self._resumed = False

    def starts(self, started: bool, *, reason: str) -> bool:
        self._resumed = reason == "resume"
        return started

    def feature(self, properties: Mapping[str, object], *, noun: str) -> Mapping[str, object]:
        if noun != "NetAdapterRss" or not self._resumed:
            return properties
        return {**properties, "NumberOfReceiveQueues": int(str(properties["NumberOfReceiveQueues"])) // 2}


class ModerationResetByUpgrade(Fault):
    """The INF of the new release sets its own value for interrupt moderation on every install, upgrades included."""

    caught_by: ClassVar = ("settings",)

    def settings(self, settings: Mapping[str, str], *, reason: str) -> Mapping[str, str]:
        return {**settings, "*InterruptModeration": "1"} if reason == "install" else settings


class BindingsBackOnRestart(Fault):
    """A co-installer binds every protocol again when the device starts, also what was unbound for a reason."""

    caught_by: ClassVar = ("settings",)

    def starts(self, started: bool, *, reason: str) -> bool:
        for adapter in self._bench.windows.devices.adapters:
            if adapter.port.under_test:
                self._bench.windows.network.bindings.forget(adapter.guid)
        return started


class OwnAddressIsIgnored(Fault):
    """The driver programs the address of the EEPROM whatever NetworkAddress says: licences bound to it are lost."""

    caught_by: ClassVar = ("settings",)

    def mac(self, mac: str, *, reason: str) -> str:
        return "02-1D-0F-00-00-01"


class LsoForIPv4Only(Fault):
    """Large send offload over IPv6 is in the INF and not in the driver: it is reported as off whatever is set."""

    caught_by: ClassVar = ("settings",)

    def feature(self, properties: Mapping[str, object], *, noun: str) -> Mapping[str, object]:
        return {**properties, "IPv6Enabled": False} if noun == "NetAdapterLso" else properties
