"""NetAdapter module, power management: which keyword stands behind which check box (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from psrpcore.types import PSUInt

from hil.virtual.powershell import Call, Module, Param, PSRecord, Switch
from hil.virtual.windows import setting_store
from hil.virtual.windows.adapters import WAKE_KEYWORDS
from hil.virtual.windows.cmdlets import cdxml
from hil.virtual.windows.cmdlets.adapter_objects import setting_base
from hil.virtual.windows.cmdlets.netadapter import Description, InputObject, Name, WantedName, chosen
from hil.virtual.windows.low_power import armed_patterns
from hil.virtual.windows.wake import MAGIC_PACKET

if TYPE_CHECKING:
    from hil.virtual.windows.adapters import Adapter

cmdlets = Module("NetAdapter", cdxml=True)

CLASS = "MSFT_NetAdapterPowerManagementSettingData"
PATTERN_CLASS = "MSFT_NetAdapterPowerManagement_WakePattern"
UNSUPPORTED, DISABLED, ENABLED = 0, 1, 2

Setting = Annotated[str | None, Param(choices=("Enabled", "Disabled"))]


def _state(adapter: Adapter, keyword: str) -> int:
    setting = adapter.settings.get(keyword)
    return UNSUPPORTED if setting is None else ENABLED if setting.value == "1" else DISABLED


def power_object(adapter: Adapter) -> PSRecord:
    properties = setting_base(adapter, adapter.guid) | {
        "AllowComputerToTurnOffDevice": PSUInt(ENABLED if adapter.may_turn_off else DISABLED),
        "OffloadParameters": None, "WakePatterns": _wake_patterns(adapter), "PSComputerName": None,
    }  # fmt: skip
    properties |= {name: PSUInt(_state(adapter, keyword)) for name, keyword in WAKE_KEYWORDS.items()}
    return PSRecord(cdxml.types(CLASS, "ROOT/StandardCimv2", "MSFT_NetAdapterSettingData"), properties, CLASS)


def _wake_patterns(adapter: Adapter) -> list[PSRecord] | None:
    """Those that Windows has set on the adapter; null when there is none."""
    magic = [(MAGIC_PACKET, "Magic Packet")] if _state(adapter, "*WakeOnMagicPacket") == ENABLED else []
    armed = magic + [(pattern.kind, pattern.name) for pattern in armed_patterns(adapter)]
    return [
        PSRecord(
            cdxml.types(PATTERN_CLASS),
            {"FriendlyName": name, "ID": PSUInt(number), "Priority": PSUInt(0), "WakePacketType": PSUInt(kind)},
            PATTERN_CLASS,
        )
        for number, (kind, name) in enumerate(armed, 1)
    ] or None


@cmdlets.cmdlet("Get-NetAdapterPowerManagement", default_set="ByName")
def get_power_management(
    call: Call, Name: Name = None, InterfaceDescription: Description = None, IncludeHidden: Switch = False
) -> Iterator[PSRecord]:
    adapters = chosen(call, CLASS, Name, InterfaceDescription, hidden=IncludeHidden)
    yield from (power_object(adapter) for adapter in adapters if adapter.node.started)


@cmdlets.cmdlet("Set-NetAdapterPowerManagement", default_set="ByName", should_process=True)
async def set_power_management(
    call: Call,
    Name: WantedName = None,
    InterfaceDescription: Description = None,
    InputObject: InputObject = None,
    ArpOffload: Setting = None,
    D0PacketCoalescing: Setting = None,
    DeviceSleepOnDisconnect: Setting = None,
    NSOffload: Setting = None,
    RsnRekeyOffload: Setting = None,
    SelectiveSuspend: Setting = None,
    WakeOnMagicPacket: Setting = None,
    WakeOnPattern: Setting = None,
    IncludeHidden: Switch = False,
    NoRestart: Switch = False,
    PassThru: Switch = False,
) -> AsyncIterator[PSRecord]:
    wanted = {
        "ArpOffload": ArpOffload, "D0PacketCoalescing": D0PacketCoalescing, "NSOffload": NSOffload,
        "DeviceSleepOnDisconnect": DeviceSleepOnDisconnect, "RsnRekeyOffload": RsnRekeyOffload,
        "SelectiveSuspend": SelectiveSuspend, "WakeOnMagicPacket": WakeOnMagicPacket, "WakeOnPattern": WakeOnPattern,
    }  # fmt: skip
    adapters = chosen(call, CLASS, Name, InterfaceDescription, InputObject, hidden=IncludeHidden)
    chosen_states = {name: value == "Enabled" for name, value in wanted.items() if value is not None}
    async for item in _write(call, adapters, chosen_states, restart=not NoRestart, passes=PassThru):
        yield item


def _switching(verb: str, enabled: bool) -> None:
    """Enable- and Disable-NetAdapterPowerManagement: the named features, or all that the adapter has."""

    @cmdlets.cmdlet(f"{verb}-NetAdapterPowerManagement", default_set="ByName", should_process=True)
    async def switch_power_management(
        call: Call,
        Name: WantedName = None,
        InterfaceDescription: Description = None,
        InputObject: InputObject = None,
        ArpOffload: Switch = False,
        D0PacketCoalescing: Switch = False,
        DeviceSleepOnDisconnect: Switch = False,
        NSOffload: Switch = False,
        RsnRekeyOffload: Switch = False,
        SelectiveSuspend: Switch = False,
        WakeOnMagicPacket: Switch = False,
        WakeOnPattern: Switch = False,
        IncludeHidden: Switch = False,
        NoRestart: Switch = False,
        PassThru: Switch = False,
    ) -> AsyncIterator[PSRecord]:
        named = {
            "ArpOffload": ArpOffload, "D0PacketCoalescing": D0PacketCoalescing, "NSOffload": NSOffload,
            "DeviceSleepOnDisconnect": DeviceSleepOnDisconnect, "RsnRekeyOffload": RsnRekeyOffload,
            "SelectiveSuspend": SelectiveSuspend, "WakeOnMagicPacket": WakeOnMagicPacket,
            "WakeOnPattern": WakeOnPattern,
        }  # fmt: skip
        wanted = {name: enabled for name, given in named.items() if given or not any(named.values())}
        adapters = chosen(call, CLASS, Name, InterfaceDescription, InputObject, hidden=IncludeHidden)
        async for item in _write(call, adapters, wanted, restart=not NoRestart, passes=PassThru):
            yield item


_switching("Enable", True)
_switching("Disable", False)


async def _write(
    call: Call, adapters: list[Adapter], wanted: Mapping[str, bool], *, restart: bool, passes: bool
) -> AsyncIterator[PSRecord]:
    for adapter in adapters:
        if cdxml.refused(call):
            return
        for name, enabled in wanted.items():
            if WAKE_KEYWORDS[name] in adapter.settings:
                setting_store.write(adapter, WAKE_KEYWORDS[name], "1" if enabled else "0")
        if restart and adapter.node.started:
            await call.host.devices.restart(adapter.node)
        if passes:
            yield power_object(adapter)
