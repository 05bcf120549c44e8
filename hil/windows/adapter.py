"""The NIC under test as Windows sees it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from hil.clock import Deadline, now_s
from hil.errors import BenchError, DeviceMissing, DutError, LinkLost, UsageError
from hil.remote import Command, CommandTimeout, Pipeline, PowerShellError
from hil.testbed import model
from hil.wait import pause, wait_until
from hil.windows.adapter_info import PATTERN_KINDS, AdapterInfo, DriverInfo, Statistics, WakePattern, info_of
from hil.windows.device import NOT_FOUND, Device, DeviceState, problem_name, state_of
from hil.windows.features import Features, property_text
from hil.windows.find import find_device

if TYPE_CHECKING:
    from hil.remote import Result
    from hil.windows.machine import Machine

_POLL_S = 0.01
"""Short beside the round trip of a question: what is waited for is seen at the next answer."""
_COUNTERS_S = 0.05
_PREFERRED = 4
"""AddressState of MSFT_NetIPAddress once duplicate address detection is over"""
_POWER_SETTINGS = (
    "ArpOffload", "D0PacketCoalescing", "DeviceSleepOnDisconnect", "NSOffload", "RsnRekeyOffload", "SelectiveSuspend",
    "WakeOnMagicPacket", "WakeOnPattern",
)  # fmt: skip
_SETTING_NAMES = {0: "Unsupported", 1: "Disabled", 2: "Enabled"}


class Adapter:
    """One NIC, held by its device instance: its name may change with a reinstall, its instance id does not."""

    def __init__(self, machine: Machine, wanted: model.Adapter, instance_id: str, mac: str = "") -> None:
        self.machine, self.wanted, self.instance_id = machine, wanted, instance_id
        self.device = Device(machine.shell, instance_id)
        self.features = Features(self)
        self.link_mbps = wanted.link_mbps
        self._mac, self._name = mac, ""

    @classmethod
    def find(cls, machine: Machine, wanted: model.Adapter) -> Adapter:
        """By hardware id, and MAC when given.

        Raises DeviceMissing for none; UsageError for two that match (both listed), and for the one that carries SSH.
        """
        device, info = find_device(machine, wanted)
        return cls(machine, wanted, device.instance_id, info.mac if info else "")

    @property
    def name(self) -> str:
        """Interface alias, as last seen. Raises DeviceMissing when there is no adapter to have one."""
        return self._name or self.info().name

    @property
    def mac(self) -> str:
        """AA-BB-CC-DD-EE-FF, as it was when the adapter was first seen."""
        return self._mac or self.info().mac

    def info(self) -> AdapterInfo:
        """Raises DeviceMissing when Windows shows no such adapter now."""
        found = self._rows(quiet=False)
        if not found:
            raise DeviceMissing("a network adapter", seen=str(self.device.state()), where=self.machine.where)
        return self._remember(info_of(found[0]))

    def settings(self) -> dict[str, str]:
        """Advanced properties: keyword (``*JumboPacket``) to registry value; empty for an optional one not set."""
        rows = self._ask("Get-NetAdapterAdvancedProperty")
        return {str(row["RegistryKeyword"]): property_text(row["RegistryValue"]) for row in rows}

    def set(self, keyword: str, value: str | int, *, restart: bool = True) -> None:
        """Write one advanced property; the adapter restarts to take it, unless told otherwise.

        An empty text takes an optional property away.
        """
        if value == "":
            self.reset(keyword, restart=restart)
            return
        self._change(
            "Set-NetAdapterAdvancedProperty", RegistryKeyword=keyword, RegistryValue=[str(value)], **_no(restart)
        )

    def reset(self, *keywords: str, restart: bool = True) -> None:
        """Back to the defaults of the INF, which of an optional property may be none; every one when none is named."""
        names = {
            str(row["RegistryKeyword"]): str(row["DisplayName"])
            for row in self._ask("Get-NetAdapterAdvancedProperty")
        }
        unknown = [keyword for keyword in keywords if keyword not in names]
        if unknown:
            raise UsageError(f"a property {', '.join(unknown)}", seen="the adapter has no such property")
        shown = [names[keyword] for keyword in keywords or names]
        self._change("Reset-NetAdapterAdvancedProperty", DisplayName=shown, **_no(restart))

    def statistics(self) -> Statistics:
        row = self._ask("Get-NetAdapterStatistics")[0]
        return Statistics(
            **{counter.name: int(row[counter.name.title().replace("_", "")]) for counter in fields(Statistics)}
        )

    def wait_statistics(self, reached: Callable[[Statistics], bool], timeout_s: float = 5.0) -> Statistics:
        """Read until ``reached`` or the deadline; the last reading either way, for the caller to assert on."""
        deadline = Deadline(timeout_s)
        while not reached(now := self.statistics()) and not deadline.expired:
            pause(_COUNTERS_S, why="counters move")
        return now

    def enable(self) -> None:
        self._change("Enable-NetAdapter", Confirm=False)

    def disable(self) -> None:
        self._change("Disable-NetAdapter", Confirm=False)

    def restart(self) -> None:
        self._change("Restart-NetAdapter", Confirm=False)

    def wait_up(self, timeout_s: float | None = None) -> AdapterInfo:
        """Until device, driver, link and (when it has it) the test address are up.

        Raises DeviceMissing, DutError with the problem code, or LinkLost, by what was missing at the end.
        """
        timeout_s = timeout_s if timeout_s is not None else self.wanted.back_timeout_s
        deadline = Deadline(timeout_s)
        with self.machine.journal.span("wait", "the adapter up", timeout_s=timeout_s):
            while True:
                state, info, ready = self._condition()
                if state.working and info and info.status == "Up" and ready:
                    return self._remember(info)
                if deadline.expired:
                    raise self._not_up(state, info, timeout_s)
                pause(_POLL_S, why="the adapter comes up")

    def wait_down(self, timeout_s: float = 5.0) -> None:
        """Until Windows sees no link. Raises DutError when it goes on seeing one."""
        wait_until(
            lambda: all(info_of(row).status != "Up" for row in self._rows()),
            what="Windows to see the link down",
            timeout_s=timeout_s,
            interval_s=_POLL_S,
            journal=self.machine.journal,
            where=self.instance_id,
            error=DutError,
        )

    def wait_absent(self, timeout_s: float | None = None) -> float:
        """Until the devnode is gone; the seconds that took. Raises DutError when it stays."""
        timeout_s = timeout_s if timeout_s is not None else self.wanted.gone_timeout_s
        return self._wait_presence(False, timeout_s, DutError)

    def wait_present(self, timeout_s: float | None = None) -> float:
        """Until the devnode is there, working or not; the seconds that took. Raises DeviceMissing otherwise."""
        timeout_s = timeout_s if timeout_s is not None else self.wanted.back_timeout_s
        return self._wait_presence(True, timeout_s, DeviceMissing)

    def present(self) -> bool:
        return self.device.state().present

    def problem(self) -> int:
        """Device problem code, 0 when it works (Microsoft install/cm-prob-*.md)."""
        return self.device.state().problem

    def driver(self) -> DriverInfo:
        """What is bound, and what is in memory. Raises DutError when no driver is bound."""
        # WQL reads a backslash as an escape
        wql_id = self.instance_id.replace("\\", "\\\\").replace("'", "\\'")
        signed, device = self.machine.shell.batch(
            [
                Command("Get-CimInstance", ClassName="Win32_PnPSignedDriver", Filter=f"DeviceID='{wql_id}'"),
                Command("Get-PnpDevice", InstanceId=self.instance_id),
            ]
        )
        state = state_of(device[0])
        if not signed or not signed[0]["InfName"]:
            raise DutError("a driver bound to the adapter", seen=str(state), where=self.machine.where)
        row, image = signed[0], self.machine.loaded_image(state.service)
        return DriverInfo(
            inf=str(row["InfName"]),
            provider=str(row["DriverProviderName"]),
            version=str(row["DriverVersion"]),
            date=_day(row["DriverDate"]),
            signer=str(row["Signer"] or ""),
            service=state.service,
            image_path=image.path,
            image_sha256=image.sha256,
        )

    def power_management(self) -> dict[str, str]:
        """Setting (``WakeOnMagicPacket``) to Enabled, Disabled or Unsupported."""
        row = self._ask("Get-NetAdapterPowerManagement")[0]
        return {name: _SETTING_NAMES.get(int(row[name]), str(row[name])) for name in _POWER_SETTINGS}

    def set_power_management(self, settings: Mapping[str, bool], *, restart: bool = True) -> None:
        """Write some of the settings; the adapter restarts to take them, unless told otherwise."""
        wanted = {name: "Enabled" if on else "Disabled" for name, on in settings.items()}
        self._change("Set-NetAdapterPowerManagement", **wanted, **_no(restart))

    def wake_patterns(self) -> tuple[WakePattern, ...]:
        """What Windows has set on the adapter to wake by, in its own order."""
        question = Command("Get-NetAdapterPowerManagement", Name=self.name)
        found = self.machine.shell.run(question | Command("Select-Object", ExpandProperty="WakePatterns"))
        kinds = [(int(row["WakePacketType"]), str(row["FriendlyName"])) for row in found if row]
        return tuple(WakePattern(PATTERN_KINDS.get(kind, f"type {kind}"), name) for kind, name in kinds)

    def addresses(self, family: Literal["IPv4", "IPv6"] = "IPv4") -> list[str]:
        """With prefix: ``198.18.0.1/24``; of IPv6 also the link-local one, without its scope (``%7``)."""
        found = self.machine.shell.run(
            Command("Get-NetIPAddress", InterfaceIndex=self.info().interface_index, AddressFamily=family), check=False
        )
        return [f"{str(row['IPAddress']).partition('%')[0]}/{int(row['PrefixLength'])}" for row in found]

    def link_local(self) -> str:
        """The IPv6 address that it has on every link, without prefix: ``fe80::1d:fff:fe00:1``."""
        held = [ipaddress.ip_interface(address) for address in self.addresses("IPv6")]
        found = [str(address.ip) for address in held if address.is_link_local]
        if not found:
            raise BenchError(
                "a link-local IPv6 address", seen=", ".join(map(str, held)) or "no IPv6 address", where=self.name,
                next_step="bind IPv6 to the adapter: Enable-NetAdapterBinding -ComponentID ms_tcpip6",
            )  # fmt: skip
        return found[0]

    def has_interface(self) -> bool:
        """Whether a driver gave the device a network interface."""
        return bool(self._rows())

    def ensure_address(self) -> bool:
        """Give it the testbed's static address; False when it has it. A reinstalled driver comes without it."""
        if self.wanted.address in self.addresses():
            return False
        self.add_address(self.wanted.address)
        return True

    def add_address(self, cidr: str) -> None:
        """Give it one more static address, ``198.18.0.11/24``."""
        address, _, prefix = cidr.partition("/")
        index = self.info().interface_index
        self.machine.shell.run(
            Command("New-NetIPAddress", InterfaceIndex=index, IPAddress=address, PrefixLength=int(prefix))
        )

    def remove_address(self, cidr: str) -> None:
        address = cidr.partition("/")[0]
        self.machine.shell.run(Command("Remove-NetIPAddress", IPAddress=address, Confirm=False))

    def _rows(self, *, quiet: bool = True) -> Result:
        return self.machine.shell.run(self._adapter_query(), quiet=quiet)

    def _adapter_query(self) -> Pipeline:
        mine = Command("Where-Object", Property="PnPDeviceID", EQ=True, Value=self.instance_id)
        return Command("Get-NetAdapter") | mine

    def _remember(self, info: AdapterInfo) -> AdapterInfo:
        self._name, self._mac = info.name, self._mac or info.mac
        return info

    def _ask(self, verb: str, **parameters: object) -> Result:
        """Run a cmdlet on this adapter by name; once more when it was renamed meanwhile."""
        name = self.name
        try:
            return self.machine.shell.run(Command(verb, Name=name, **parameters))
        except PowerShellError as error:
            if not error.error_id.startswith(NOT_FOUND) or self.info().name == name:
                raise
            return self.machine.shell.run(Command(verb, Name=self.name, **parameters))

    def _change(self, verb: str, **parameters: object) -> None:
        """As :meth:`_ask`; what Windows or the driver refuses for any other reason than our rights is the device's.

        So is a change that does not end while Windows answers: the driver hangs in its halt or in its start.
        """
        try:
            self._ask(verb, **parameters)
        except CommandTimeout as error:
            raise DutError(
                f"{verb} on {self.name} to end", seen=f"Windows answers, the device does not ({self.device.state()})",
                where=self.machine.where, tried=str(error),
            ) from error  # fmt: skip
        except PowerShellError as error:
            if error.category == "PermissionDenied" or error.error_id.startswith(NOT_FOUND):
                raise
            raise DutError(
                f"{verb} on {self.name}", seen=f"{error.message} ({self.device.state()})", where=self.machine.where
            ) from error

    def _condition(self) -> tuple[DeviceState, AdapterInfo | None, bool]:
        """Device, adapter, and whether the test address (if it is set) may be used, in one batch."""
        address = self.wanted.address.partition("/")[0]
        questions: list[Command | Pipeline] = [
            Command("Get-PnpDevice", InstanceId=self.instance_id),
            self._adapter_query(),
            Command("Get-NetIPAddress", IPAddress=address),
        ]
        device, adapters, addresses = self.machine.shell.batch(questions, check=False, quiet=True)
        state = state_of(device[0]) if device else DeviceState(self.instance_id, present=False, problem=45)
        info = info_of(adapters[0]) if adapters else None
        return state, info, all(int(row["AddressState"]) == _PREFERRED for row in addresses)

    def _not_up(self, state: DeviceState, info: AdapterInfo | None, timeout_s: float) -> DutError:
        wanted = f"the adapter up within {timeout_s:g} s"
        if not state.present:
            return DeviceMissing(wanted, seen="its device is not enumerated", where=self.instance_id)
        if not state.working:
            return DutError(wanted, seen=f"device problem {problem_name(state.problem)}", where=self.instance_id)
        if info is None:
            return DeviceMissing(wanted, seen="the device works, but has no network adapter", where=self.instance_id)
        if info.status != "Up":
            return LinkLost(wanted, seen=f"{info.name} is {info.status}", where=self.instance_id)
        return DutError(wanted, seen=f"{self.wanted.address} is still being probed", where=self.instance_id)

    def _wait_presence(self, wanted: bool, timeout_s: float, error: type[DutError]) -> float:
        started_s = now_s()
        wait_until(
            lambda: self.device.state().present is wanted,
            what=f"the device to {'come' if wanted else 'go'}",
            timeout_s=timeout_s,
            interval_s=_POLL_S,
            journal=self.machine.journal,
            where=self.instance_id,
            error=error,
        )
        return now_s() - started_s


def _day(value: object) -> date | None:
    """Get-CimInstance shows midnight in UTC, which is what INF dates are, in the zone of the machine."""
    if not isinstance(value, datetime):
        return None
    return (value.astimezone(UTC) if value.tzinfo else value).date()


def _no(restart: bool) -> dict[str, bool]:
    return {} if restart else {"NoRestart": True}
