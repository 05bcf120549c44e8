"""Everything that can be set on a network adapter: advanced properties, features, power management, bindings.

One table says what each family of NetAdapter cmdlets reads and writes; one mechanism works on all of them. Properties
and enumerations: Microsoft Learn, module NetAdapter and classes ``MSFT_NetAdapter*SettingData``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hil.errors import DutError, UsageError
from hil.remote import Command, PowerShellError, PSEnum
from hil.windows.device import NOT_FOUND

if TYPE_CHECKING:
    from hil.remote import Result
    from hil.windows.adapter import Adapter

Value = str | int | bool
"""Of an advanced property always its registry text; of an enumeration its name, as Set- takes it."""

_DIRECTIONS = ("Disabled", "TxEnabled", "RxEnabled", "RxTxEnabled")
_PROFILES = ("", "Closest", "ClosestStatic", "NUMA", "NUMAStatic", "Conservative")
_CHECK_BOX = ("Unsupported", "Disabled", "Enabled")
_DRIVER_KEY = "DEVPKEY_Device_Driver"
_NO_SUCH_CMDLET = "CommandNotFoundException"
_NOT_SET = "--"
"""How Windows shows an optional property that nobody has set."""


def property_text(shown: object) -> str:
    """Registry value of an advanced property, lists joined by a comma; empty for an optional one that is not set."""
    text = ",".join(map(str, shown)) if isinstance(shown, list | tuple) else str(shown)
    return "" if shown is None or text == _NOT_SET else text


@dataclass(frozen=True)
class Feature:
    """One family of cmdlets: Get- and Set- with this noun."""

    name: str
    """First part of its keys: ``rss.Enabled``. Advanced properties have none: their key is the keyword, ``*RSS``."""
    noun: str
    properties: Mapping[str, str]
    """What can be written, each with the standardized keyword behind it where there is one."""
    reports: tuple[str, ...] = ()
    """What is read only."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Property to the names of its values 0, 1, 2 ..."""
    row_key: str = ""
    """Column that tells its rows apart, where an adapter has several; then each row has one property."""
    switched: bool = False
    """Written by Enable- and Disable-: its Set- has other parameters than Get- has properties."""
    restarts: bool = True
    """A change restarts the adapter unless told otherwise."""

    def keys(self, rows: Sequence[Mapping[str, object]]) -> dict[str, Value]:
        """From the rows of Get-."""
        found: dict[str, Value] = {}
        for row in rows:
            for name in (*self.properties, *self.reports):
                key = self.key(str(row[self.row_key]) if self.row_key else name)
                if name in row:
                    found[key] = self._plain(name, row[name])
        return found

    def key(self, part: str) -> str:
        return f"{self.name}.{part}" if self.name else part

    def owns(self, key: str) -> bool:
        first, dot, rest = key.partition(".")
        if self.row_key:
            return first == self.name if self.name else not dot
        return first == self.name and rest in self.properties

    def _plain(self, name: str, seen: object) -> Value:
        if seen is None or isinstance(seen, list | tuple | str):
            return property_text(seen)
        if isinstance(seen, bool):
            return seen
        number = int(seen) if isinstance(seen, PSEnum) else int(str(seen))
        labels = self.labels.get(name, ())
        return labels[number] if 0 <= number < len(labels) else number

    def writes(self, adapter: str, values: Mapping[str, Value]) -> Iterator[Command]:
        """Commands that write these keys, none of which restarts the adapter."""
        quiet = {"NoRestart": True} if self.restarts else {}
        parts = {key.partition(".")[2] or key: value for key, value in values.items()}
        if self.row_key:
            (name,) = self.properties
            for row, value in parts.items():
                yield Command(f"Set-{self.noun}", Name=adapter, **{self.row_key: row, name: value}, **quiet)
        elif self.switched:
            for value in parts.values():
                yield Command(f"{'Enable' if value else 'Disable'}-{self.noun}", Name=adapter, **quiet)
        else:
            yield Command(f"Set-{self.noun}", Name=adapter, **parts, **quiet)


def _both(keyword: str) -> dict[str, str]:
    return {f"{ip}Enabled": f"{keyword}{ip}" for ip in ("IPv4", "IPv6")}


_CHECKSUMS = {
    f"{what}{ip}Enabled": f"*{what.upper()}ChecksumOffload{ip}"
    for what, ip in (("Ip", "IPv4"), ("Tcp", "IPv4"), ("Tcp", "IPv6"), ("Udp", "IPv4"), ("Udp", "IPv6"))
}
_PROCESSORS = {
    "BaseProcessorGroup": "*RssBaseProcGroup", "BaseProcessorNumber": "*RssBaseProcNumber",
    "MaxProcessorNumber": "*RssMaxProcNumber", "MaxProcessors": "*MaxRssProcessors", "NumaNode": "*NumaNodeId",
}  # fmt: skip
_POWER = {
    "ArpOffload": "*PMARPOffload", "D0PacketCoalescing": "*PacketCoalescing",
    "DeviceSleepOnDisconnect": "*DeviceSleepOnDisconnect", "NSOffload": "*PMNSOffload",
    "RsnRekeyOffload": "*PMWiFiRekeyOffload", "SelectiveSuspend": "*SelectiveSuspend",
    "WakeOnMagicPacket": "*WakeOnMagicPacket", "WakeOnPattern": "*WakeOnPattern",
}  # fmt: skip

PROPERTIES = Feature("", "NetAdapterAdvancedProperty", {"RegistryValue": ""}, row_key="RegistryKeyword")
POWER = Feature(
    "power", "NetAdapterPowerManagement", _POWER, ("AllowComputerToTurnOffDevice",),
    dict.fromkeys((*_POWER, "AllowComputerToTurnOffDevice"), _CHECK_BOX),
)  # fmt: skip
FEATURES = (
    PROPERTIES,
    Feature("rss", "NetAdapterRss", {
        "Enabled": "*RSS", "NumberOfReceiveQueues": "*NumRssQueues", "Profile": "*RSSProfile", **_PROCESSORS,
        "MaxProcessorGroup": "*RssMaxProcGroup",
    }, labels={"Profile": _PROFILES}),
    Feature("checksum", "NetAdapterChecksumOffload", _CHECKSUMS, labels=dict.fromkeys(_CHECKSUMS, _DIRECTIONS)),
    Feature("lso", "NetAdapterLso", {"V1IPv4Enabled": "*LsoV1IPv4", **_both("*LsoV2")}),
    Feature("uso", "NetAdapterUso", _both("*Uso")),
    Feature("rsc", "NetAdapterRsc", _both("*Rsc"), ("IPv4OperationalState", "IPv6OperationalState")),
    Feature("vmq", "NetAdapterVmq", {"Enabled": "*VMQ", **_PROCESSORS}),
    Feature("sriov", "NetAdapterSriov", {"Enabled": "*SRIOV", "NumVFs": "*NumVFs"}, ("SriovSupport",)),
    Feature("qos", "NetAdapterQos", {"Enabled": "*QOS"}),
    Feature("rdma", "NetAdapterRdma", {"Enabled": "*NetworkDirect"}),
    Feature(
        "encapsulation", "NetAdapterEncapsulatedPacketTaskOffload",
        {"EncapsulatedPacketTaskOffloadEnabled": "*EncapsulatedPacketTaskOffload"}, switched=True,
    ),
    POWER,
    Feature("binding", "NetAdapterBinding", {"Enabled": ""}, row_key="ComponentID", restarts=False),
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One setting in two snapshots; None where it is not there."""

    key: str
    before: Value | None
    after: Value | None

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.after)}"


def _shown(value: Value | None) -> str:
    return "not there" if value is None else "not set" if value == "" else str(value)


@dataclass(frozen=True)
class Snapshot(Mapping[str, Value]):
    """All settings at one moment: ``snapshot["*ReceiveBuffers"]``, ``["rss.Enabled"]``, ``["binding.ms_tcpip6"]``."""

    values_by_key: Mapping[str, Value]
    absent: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Feature that this adapter (or this Windows) does not have, to Windows' own words for that."""

    def __getitem__(self, key: str) -> Value:
        return self.values_by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)

    def changes(self, before: Mapping[str, Value]) -> tuple[Change, ...]:
        """What differs from an earlier snapshot, by key."""
        keys = sorted({*self, *before})
        return tuple(
            Change(key, before.get(key), self.get(key)) for key in keys if self.get(key) != before.get(key)
        )  # fmt: skip

    def properties(self) -> dict[str, str]:
        """The advanced properties alone, by keyword."""
        return {key: str(value) for key, value in self.items() if PROPERTIES.owns(key)}


def _writable(key: str) -> bool:
    return any(feature.owns(key) for feature in FEATURES)


class Features:
    """The settings of one adapter. What the adapter does not have is in ``snapshot().absent``, and never an error."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def snapshot(self) -> Snapshot:
        """Raises DeviceMissing when Windows shows no such adapter now."""
        results = self._ask()
        if not results[0]:
            # the name is that of an adapter that was renamed or is gone
            self._adapter.info()
            results = self._ask()
        found: dict[str, Value] = {}
        absent: dict[str, str] = {}
        for feature, result in zip(FEATURES, results, strict=True):
            found |= feature.keys(result)
            if result.errors:
                absent[feature.name] = result.errors[0].message
        return Snapshot(found, absent)

    def set(self, wanted: Mapping[str, Value], *, restart: bool = True) -> Snapshot:
        """Write settings, restart the adapter once (unless told otherwise), and read all of them back.

        An empty text takes an optional property away. Raises UsageError for a key that no feature has, DutError for
        what is refused, and for what reads back as something else.
        """
        self._write(wanted)
        if restart:
            self._adapter.restart()
            self._adapter.wait_up()
        seen = self.snapshot()
        missed = [Change(key, value, seen.get(key)) for key, value in wanted.items() if seen.get(key) != value]
        if missed:
            texts = (f"{one.key}: wrote {_shown(one.before)}, reads {_shown(one.after)}" for one in missed)
            raise DutError("settings that read back as written", seen="; ".join(texts), where=self._adapter.name)
        return seen

    def restore(self, before: Snapshot, *, restart: bool = True) -> None:
        """Write back what differs from ``before``, if anything; errors as :meth:`set`.

        A device that does not start has no adapter to ask: its properties go into the registry, and it starts anew.
        """
        if self._adapter.problem():
            self._revive(before)
        changes = self.snapshot().changes(before)
        if not changes:
            return
        wanted = {one.key: one.before for one in changes if one.before is not None and _writable(one.key)}
        behind = {key.lower() for key in wanted}
        # a property and the keyword behind it are one setting, and what is only reported follows
        once = {key: value for key, value in wanted.items() if self.keyword(key).lower() not in behind}
        seen = self.set(once, restart=restart)
        left = seen.changes(before) if restart else ()
        if left:
            raise DutError("all settings as before", seen="; ".join(map(str, left)), where=self._adapter.name)

    @staticmethod
    def keyword(key: str) -> str:
        """The standardized keyword behind a property such as ``rss.Enabled``; empty when there is none."""
        return next((one.properties.get(key.partition(".")[2], "") for one in FEATURES if one.owns(key)), "")

    @staticmethod
    def registry_value(key: str, value: Value) -> str:
        """What the keyword behind a property holds when the property has this value."""
        feature = next(one for one in FEATURES if one.owns(key))
        if feature is POWER:
            return str(int(value == "Enabled"))
        labels = feature.labels.get(key.partition(".")[2], ())
        return str(labels.index(value) if value in labels else int(value))

    def _ask(self) -> list[Result]:
        name = self._adapter.name
        questions = [Command(f"Get-{feature.noun}", Name=name) for feature in FEATURES]
        results = self._adapter.machine.shell.batch(questions, check=False)
        for question, result in zip(questions, results, strict=True):
            unexpected = [one for one in result.errors if not one.error_id.startswith((NOT_FOUND, _NO_SUCH_CMDLET))]
            if unexpected:
                raise PowerShellError(str(question), tuple(unexpected), where=self._adapter.machine.where)
        return results

    def _write(self, wanted: Mapping[str, Value]) -> None:
        for key in wanted:
            if not _writable(key):
                raise self._unknown(key)
        unset = [key for key, value in wanted.items() if value == "" and PROPERTIES.owns(key)]
        name, commands = self._adapter.name, list[Command]()
        for feature in FEATURES:
            values = {key: value for key, value in wanted.items() if feature.owns(key) and key not in unset}
            commands += feature.writes(name, values) if values else ()
        for command, result in zip(commands, self._adapter.machine.shell.batch(commands, check=False), strict=True):
            if result.errors:
                error = PowerShellError(str(command), tuple(result.errors), where=self._adapter.machine.where)
                if error.category == "PermissionDenied":
                    raise error
                raise DutError(str(command), seen=error.message, where=self._adapter.name) from error
        if unset:
            self._adapter.reset(*unset, restart=False)

    def _revive(self, before: Snapshot) -> None:
        device = self._adapter.device
        path = rf"HKLM:\SYSTEM\CurrentControlSet\Control\Class\{device.properties([_DRIVER_KEY])[_DRIVER_KEY]}"
        kept = {keyword: value for keyword, value in before.properties().items() if value}
        self._adapter.machine.shell.batch(
            [Command("Set-ItemProperty", LiteralPath=path, Name=name, Value=value) for name, value in kept.items()]
        )
        device.disable()
        device.enable()
        self._adapter.wait_up()

    def _unknown(self, key: str) -> UsageError:
        known = [feature.key(name) for feature in FEATURES if not feature.row_key for name in feature.properties]
        nearest = difflib.get_close_matches(key, known, n=1)
        step = f"did you mean {nearest[0]!r}?" if nearest else "keys are as in adapter.features.snapshot()"
        return UsageError("a setting that can be written", seen=key, next_step=step)
