"""A small Windows machine behind the real SSH server, in a process of its own: no devices, only what remoting needs.

``SshMachine`` starts this very file as a program; lines on its stdin steer it, lines of JSON on its stdout answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import asyncssh
from psrpcore.types import PSByte, PSUInt, PSUInt16, PSUInt64

from hil.testbed.model import Ssh
from hil.virtual.faults import Fault
from hil.virtual.faults.chain import FaultChain
from hil.virtual.powershell import (
    Call,
    CmdletError,
    Module,
    Param,
    PowerShellHost,
    Progress,
    PSEnum,
    PSRecord,
    Switch,
)
from hil.virtual.ssh_server import SshServer
from hil.virtual.windows.cmdlets import core

ADAPTER_TYPES = (
    "Microsoft.Management.Infrastructure.CimInstance#ROOT/StandardCimv2/MSFT_NetAdapter",
    "Microsoft.Management.Infrastructure.CimInstance",
    "System.Object",
)
netadapter = Module("NetAdapter", cdxml=True)
samples = Module("Samples")
companion = Module("Hil", autoload=False)


@netadapter.cmdlet("Get-NetAdapter", default_set="ByName")
def get_netadapter(
    call: Call,
    Name: Annotated[list[str] | None, Param(position=0, aliases=("ifAlias", "InterfaceAlias"), set="ByName")] = None,
    InterfaceIndex: Annotated[list[PSUInt] | None, Param(aliases=("ifIndex",), mandatory=True, set="ByIfIndex")] = None,
    IncludeHidden: Switch = False,
) -> Iterator[PSRecord]:
    known = {"Ethernet": 7, "Ethernet 2": 12}
    for wanted in Name or []:
        if wanted not in known:
            call.write_error(
                CmdletError(
                    f"No MSFT_NetAdapter objects found with property 'Name' equal to '{wanted}'.  Verify the value of "
                    "the property and retry.",
                    error_id="CmdletizationQuery_NotFound_Name,Get-NetAdapter",
                    category="ObjectNotFound",
                    target=wanted,
                    exception="Microsoft.PowerShell.Cmdletization.Cim.CimJobException",
                )
            )
    for name, index in known.items():
        if (Name is None or name in Name) and (InterfaceIndex is None or index in InterfaceIndex):
            yield adapter(name, index)


def adapter(name: str, index: int) -> PSRecord:
    """About as many properties as the real one has."""
    return PSRecord(
        ADAPTER_TYPES,
        {
            "Name": name, "InterfaceDescription": "HIL Lab 1G Controller", "ifIndex": PSUInt(index), "Status": "Up",
            "MacAddress": "02-1D-0F-00-00-01", "LinkSpeed": "1 Gbps", "Speed": PSUInt64(10**9), "FullDuplex": True,
            "InterfaceGuid": "{1C3E7A52-0D9B-4E1F-9B5B-0123456789AB}", "NetworkAddresses": ["021D0F000001"],
            "AdminStatus": PSEnum("Microsoft.PowerShell.Cmdletization.GeneratedTypes.NetAdapter.AdminStatus", 1, "Up"),
            "VlanID": None, "MtuSize": PSUInt(1500), "DriverVersionString": "2.1.0.0", "DriverProvider": "HIL Lab",
            **{f"Property{number}": number for number in range(40)},
            **{f"Flag{number}": bool(number % 2) for number in range(20)},
            **{f"Text{number}": "some value" for number in range(20)},
        },
        "MSFT_NetAdapter",
    )  # fmt: skip


@samples.cmdlet("Get-Sample")
def get_sample(call: Call) -> PSRecord:
    """One value of every type."""
    inner = PSRecord(("Inner",), {"Depth": 2}, "I am the inner one")
    return PSRecord(
        ("Sample.Type", "System.Object"),
        {
            "Text": "Grüße 测试 🐱 \x07 _x0041_ <&>\"'", "Empty": "", "Nothing": None, "Yes": True, "No": False,
            "Int": -5, "Long": 2**40, "Byte": PSByte(255), "UInt16": PSUInt16(65535), "UInt32": PSUInt(2**32 - 1),
            "UInt64": PSUInt64(2**64 - 1), "Double": 0.5, "Bytes": b"\x00\xff", "Guid": uuid.UUID(int=7),
            "When": datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC), "Span": timedelta(days=1, seconds=61.5),
            "Enum": PSEnum("Sample.Color", 3, "Red"), "List": [1, "two", None], "Table": {"a": 1, "b": "c"},
            "Inner": inner, "Inners": [inner, inner],
        },
        "a sample",
    )  # fmt: skip


@samples.cmdlet("Write-Everything")
def write_everything(call: Call) -> Iterator[str]:
    call.write_warning("careful")
    call.write_verbose("in detail")
    call.write_debug("deeper")
    call.write_information("for your information")
    call.write_progress(Progress("Working", "half", 50))
    yield "done"


@samples.cmdlet("Wait-Long")
async def wait_long(call: Call, Seconds: Annotated[float, Param(position=0)] = 60.0) -> AsyncIterator[str]:
    yield "begun"
    await asyncio.sleep(Seconds)
    yield "ended"


@samples.cmdlet("Wait-Stubborn")
async def wait_stubborn(call: Call) -> None:
    """Does not stop when told to."""
    for _ in range(40):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@samples.cmdlet("Get-Big")
def get_big(call: Call, Kilobytes: Annotated[int, Param(position=0, mandatory=True)] = 0) -> str:
    return "0123456789abcde\n" * (Kilobytes * 64)


@samples.cmdlet("Get-Number")
def get_number(call: Call, Count: Annotated[int, Param(position=0)] = 10) -> Iterator[int]:
    yield from range(Count)


@samples.cmdlet("Join-Input")
async def join_input(call: Call) -> str:
    return ",".join([str(item) async for item in call.input])


@samples.cmdlet("Stop-Here", implemented_by="Sample.StopHereCommand")
def stop_here(call: Call) -> None:
    raise CmdletError(
        "Cannot go on.", error_id="Stopped,Sample.StopHereCommand", category="InvalidOperation", terminating=True
    )


@samples.cmdlet("Test-Defect")
def test_defect(call: Call) -> None:
    raise ZeroDivisionError("a defect of the model")


@companion.cmdlet("Get-HilClock")
def get_hil_clock(call: Call) -> PSRecord:
    return PSRecord(("System.Management.Automation.PSCustomObject", "System.Object"), {"UtcNow": datetime.now(UTC)})


class Host:
    """The SshHost of this machine: files below a folder, a few native programs."""

    def __init__(self, root: Path, authorized: list[str], far_end: Literal["pwsh", "powershell"]) -> None:
        self.user = "hil"
        self.authorized_keys = authorized
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.root = root
        bench: Any = None
        self.shell = PowerShellHost(
            self, bench, (netadapter, samples, companion, core.cmdlets), self.read_file, far_end=far_end
        )

    def now(self) -> datetime:
        return datetime.now(UTC)

    def local(self, path: str) -> Path:
        return self.root / path.replace("\\", "/").lstrip("/").removeprefix("C:").removeprefix("c:").lstrip("/")

    def read_file(self, path: str) -> bytes:
        return self.local(path).read_bytes()

    def files(self, channel: Any) -> asyncssh.SFTPServer:
        return Files(self, channel)

    async def execute(self, command_line: str, stdin: Any, stdout: Any, stderr: Any) -> int:
        program, _, rest = command_line.partition(" ")
        if program == "echo":
            stdout.write(rest.encode() + b"\r\n")
            return 0
        if program == "exit":
            return int(rest, 0)
        if program == "cat":
            while data := await stdin.read(65536):
                stdout.write(data)
            return 0
        if program == "flood":
            for _ in range(64):
                stderr.write(b"e" * 65536)
                await stderr.drain()
            stdout.write(b"through")
            return 3010
        if program == "sleep":
            await asyncio.sleep(float(rest))
            return 0
        if program == "noop":
            return 0
        stderr.write(f"'{program}' is not recognized as an internal or external command,\r\n".encode())
        return 1


class Files(asyncssh.SFTPServer):
    """The virtual disk: /C:/x and C:/x are files below the root."""

    def __init__(self, host: Host, channel: Any) -> None:
        super().__init__(channel)
        self.host = host

    def map_path(self, path: bytes) -> bytes:
        return os.fsencode(self.host.local(path.decode()))

    def reverse_map_path(self, path: bytes) -> bytes:
        return b"/C:/" + os.path.relpath(path, os.fsencode(self.host.root)).removeprefix(b".")


class StallAfter(Fault):
    """SSH falls silent after so many commands."""

    def __init__(self, count: int) -> None:
        self.count = count

    def ssh_stalls(self, stalled: bool, *, command_count: int) -> bool:
        return stalled or command_count == self.count


async def serve(settings: dict[str, Any]) -> None:
    """Until stdin closes: one command a line."""
    host = Host(Path(settings["root"]), settings["authorized"], settings["far_end"])
    faults = FaultChain([StallAfter(settings["stall_after"])] if settings["stall_after"] else [])
    server = SshServer(host, faults)
    port = await server.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"port": port, "host_key": host.host_key.export_public_key().decode().strip()}), flush=True)
    while line := (await reader.readline()).decode().strip():
        result = getattr(server, line)()
        if asyncio.iscoroutine(result):
            await result
        print(json.dumps({"done": line, "command_count": server.command_count}), flush=True)
    await server.close()


class SshMachine:
    """Starts and steers that process."""

    def __init__(self, *, far_end: Literal["pwsh", "powershell"] = "pwsh", stall_after: int = 0) -> None:
        self.far_end, self.stall_after = far_end, stall_after

    def __enter__(self) -> SshMachine:
        self._folder = tempfile.TemporaryDirectory(prefix="hil-ssh-")
        folder = Path(self._folder.name)
        self.root = folder / "c"
        self.root.mkdir()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = folder / "id_ed25519"
        key.write_private_key(str(self.key_file))
        self.key_file.chmod(0o600)
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        settings = {
            "root": str(self.root), "authorized": [key.export_public_key().decode()], "far_end": self.far_end,
            "stall_after": self.stall_after,
        }  # fmt: skip
        answer = self._ask(json.dumps(settings))
        self.port, self.host_key = answer["port"], answer["host_key"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)
        self._folder.cleanup()

    def tell(self, command: Literal["stall", "resume", "reset", "listen_again"]) -> None:
        assert self._ask(command)["done"] == command

    @property
    def ssh(self) -> Ssh:
        return Ssh(
            host="127.0.0.1", port=self.port, user="hil", key_file=self.key_file, host_key=self.host_key,
            connect_timeout_s=5.0, keepalive_s=1.0,
        )  # fmt: skip

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
