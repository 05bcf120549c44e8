"""The changes that make a Windows PC a test machine."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from pathlib import Path

from hil.errors import UsageError
from hil.package.anchors import read_certificate
from hil.provision.network import ManagementMetric, ManagementRoute, TestAddress
from hil.provision.step import Place, State, Step
from hil.provision.verification import DriverVerifier
from hil.remote import Command
from hil.testbed.model import Testbed
from hil.windows import tools, trust

HIGH_PERFORMANCE = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
"""Never sleeps by itself (learn.microsoft.com, power policy settings)."""
_UPDATE = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
_CRASH = r"HKLM:\SYSTEM\CurrentControlSet\Control\CrashControl"
_AUTOMATIC_DUMP = 7
_IF_THERE = {"ErrorAction": "SilentlyContinue"}


class PowerPlan(Step):
    """The machine never sleeps but when a test asks."""

    kind = "power-plan"

    def read(self) -> State:
        plans = self.shell.run(Command("Get-CimInstance", Namespace=r"root\cimv2\power", ClassName="Win32_PowerPlan"))
        # InstanceID reads Microsoft:PowerPlan\{guid}
        known = {str(plan["InstanceID"]).rpartition("{")[2].rstrip("}").lower(): plan["IsActive"] for plan in plans}
        return {"active": next((guid for guid, active in known.items() if active), None), "known": sorted(known)}

    def done(self, state: State) -> bool:
        return bool(state["active"] == HIGH_PERFORMANCE)

    def apply(self, state: State) -> None:
        if HIGH_PERFORMANCE not in state["known"]:
            raise UsageError(
                "the power plan High performance on the machine",
                seen=", ".join(state["known"]) or "no plans",
                where=self.machine.where,
                next_step=f"run: powercfg /duplicatescheme {HIGH_PERFORMANCE} {HIGH_PERFORMANCE}",
            )
        self.machine.tool("powercfg", "/setactive", HIGH_PERFORMANCE)

    def undo(self, previous: State) -> None:
        if previous["active"]:
            self.machine.tool("powercfg", "/setactive", previous["active"])


class PausedService(Step):
    """A service of Windows that would change the machine under a test; ``argument`` is its name."""

    kind = "paused-service"

    def read(self) -> State:
        found = self.shell.run(Command("Get-Service", Name=self.argument, **_IF_THERE))
        return {"start": str(found[0]["StartType"]), "status": str(found[0]["Status"])} if found else {}

    def done(self, state: State) -> bool:
        return not state or (state["start"] == "Disabled" and state["status"] == "Stopped")

    def apply(self, state: State) -> None:  # noqa: ARG002 - it is the same from any state
        self.shell.run(Command("Set-Service", Name=self.argument, StartupType="Disabled"))
        self.shell.run(Command("Stop-Service", Name=self.argument, Force=True))

    def undo(self, previous: State) -> None:
        self.shell.run(Command("Set-Service", Name=self.argument, StartupType=previous["start"]))
        if previous["status"] == "Running":
            self.shell.run(Command("Start-Service", Name=self.argument))


class RegistryNumber(Step):
    r"""A REG_DWORD; ``argument`` reads ``HKLM:\key!name=1``."""

    kind = "registry"

    def __init__(self, place: Place, argument: str = "") -> None:
        super().__init__(place, argument)
        self.key, _, rest = argument.partition("!")
        self.value_name, _, value = rest.rpartition("=")
        self.value = int(value)

    def read(self) -> State:
        there, found = self.shell.batch(
            [
                Command("Test-Path", Path=self.key),
                Command("Get-ItemProperty", Path=self.key, Name=self.value_name, **_IF_THERE),
            ]
        )
        return {"key": bool(there[0]), "value": int(found[0][self.value_name]) if found else None}

    def done(self, state: State) -> bool:
        return bool(state["value"] == self.value)

    def apply(self, state: State) -> None:
        if not state["key"]:
            # only for a key that is missing: -Force empties one that is there
            self.shell.run(Command("New-Item", Path=self.key, Force=True))
        self._write(self.value)

    def undo(self, previous: State) -> None:
        if previous["value"] is not None:
            self._write(previous["value"])
            return
        self.shell.run(Command("Remove-ItemProperty", Path=self.key, Name=self.value_name, **_IF_THERE))
        if not previous["key"]:
            self.shell.run(Command("Remove-Item", Path=self.key, **_IF_THERE))

    def _write(self, value: int) -> None:
        where = {"Path": self.key, "Name": self.value_name}
        self.shell.run(Command("New-ItemProperty", **where, Value=value, PropertyType="DWord", Force=True))


class CrashDumpKind(RegistryNumber):
    """The kernel reads it at boot."""

    kind = "crash-dump"
    restart = True


class Tool(Step):
    """A program that tests run on the machine, or a DLL of it; ``argument`` is its name in ``hil.windows.tools``."""

    kind = "tool"

    def read(self) -> State:
        remote = tools.tool_path(self.argument)
        found = self.shell.run(Command("Get-FileHash", Path=remote, Algorithm="SHA256", **_IF_THERE))
        return {"path": remote, "sha256": str(found[0]["Hash"]).lower() if found else None}

    def done(self, state: State) -> bool:
        return bool(state["sha256"] == hashlib.sha256(self._local().read_bytes()).hexdigest())

    def apply(self, state: State) -> None:
        self.machine.upload(self._local(), state["path"])

    def undo(self, previous: State) -> None:
        if previous["sha256"] is None:
            self.shell.run(Command("Remove-Item", Path=previous["path"], Force=True, **_IF_THERE))

    def _local(self) -> Path:
        return tools.to_send(self.place.testbed.tools)[tools.tool_path(self.argument)]


class Certificate(Step):
    """The signer of a test-signed package is trusted; ``argument`` is the thumbprint of the testbed's certificate."""

    kind = "certificate"

    def read(self) -> State:
        der = certificate(self.place.testbed)
        # kept whole: at the undo the file may be gone
        return {"der": b64encode(der).decode("ascii"), "stores": list(trust.trusted_in(self.machine, der))}

    def done(self, state: State) -> bool:
        return tuple(state["stores"]) == trust.STORES

    def apply(self, state: State) -> None:
        trust.import_certificate(self.machine, b64decode(state["der"]))

    def undo(self, previous: State) -> None:
        ours = [store for store in trust.STORES if store not in previous["stores"]]
        trust.remove_certificate(self.machine, b64decode(previous["der"]), ours)


class TestSigning(Step):
    """Windows loads drivers that are signed for tests only."""

    __test__ = False
    kind = "test-signing"
    restart = True

    def read(self) -> State:
        return {"on": trust.test_signing(self.machine)}

    def done(self, state: State) -> bool:
        return bool(state["on"])

    def apply(self, state: State) -> None:  # noqa: ARG002 - it was off
        trust.set_test_signing(self.machine, True)

    def undo(self, previous: State) -> None:  # noqa: ARG002 - it was off
        if not trust.secure_boot(self.machine):
            trust.set_test_signing(self.machine, False)


KINDS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        PowerPlan, PausedService, RegistryNumber, CrashDumpKind, Tool, Certificate, TestSigning, ManagementRoute,
        ManagementMetric, TestAddress, DriverVerifier,
    )
}  # fmt: skip


def steps(place: Place) -> list[Step]:
    """All that this testbed needs, in the order in which it is applied."""
    testbed = place.testbed
    to_send = tools.to_send(testbed.tools)  # a file that is missing is told before anything is changed
    wanted: list[Step] = [
        PowerPlan(place),
        # the driver under test must not be replaced, nor the machine restarted, in the middle of a night
        RegistryNumber(place, rf"{_UPDATE}!ExcludeWUDriversInQualityUpdate=1"),
        RegistryNumber(place, rf"{_UPDATE}\AU!NoAutoUpdate=1"),
        PausedService(place, "UsoSvc"),
        PausedService(place, "wuauserv"),
        CrashDumpKind(place, rf"{_CRASH}!CrashDumpEnabled={_AUTOMATIC_DUMP}"),
        RegistryNumber(place, rf"{_CRASH}!AutoReboot=1"),
        RegistryNumber(place, rf"{_CRASH}!AlwaysKeepMemoryDump=1"),
        ManagementRoute(place),
        ManagementMetric(place),
    ]
    wanted += [Tool(place, tools.tool_name(remote)) for remote in to_send]
    if testbed.packages and testbed.packages.certificate:
        wanted += [Certificate(place, trust.thumbprint(certificate(testbed))), TestSigning(place)]
    if place.adapter and place.adapter.has_interface():
        wanted += [TestAddress(place, place.adapter.wanted.address)]
    return wanted


def certificate(testbed: Testbed) -> bytes:
    """The certificate (DER) to trust. Raises UsageError when the testbed names none, or a file that is none."""
    path = testbed.packages.certificate if testbed.packages else None
    if path is None:
        raise UsageError("a test certificate", seen="the testbed names none", where=testbed.name)
    return read_certificate(path)


def step_named(place: Place, name: str) -> Step:
    """The step that made a recorded change. Raises UsageError for a name that this version does not know."""
    kind, _, argument = name.partition(":")
    if kind not in KINDS:
        raise UsageError(f"a provisioning step named {name!r}", seen=f"this version knows {', '.join(sorted(KINDS))}")
    return KINDS[kind](place, argument)
