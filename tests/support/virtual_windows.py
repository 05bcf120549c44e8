"""A virtual Windows machine in this process, without network: programs are run on it as cmd.exe would run them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hil.testbed.model import Testbed
from hil.virtual import tools
from hil.virtual.bench import VirtualBench
from hil.virtual.driver import SamplePackages
from hil.virtual.power_state import Power
from hil.virtual.windows.state import Devnode
from hil.wait import async_pause

T = TypeVar("T")
NIC = "DEV_7A10"


class _Pipe:
    """A standard stream: empty to read, and keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    async def read(self, size: int = -1) -> bytes:
        return b""


class VirtualWindows:
    """Context manager; ``settings`` are those of the testbed's ``virtual`` section."""

    def __init__(self, folder: Path, **settings: object) -> None:
        testbed = Testbed.model_validate({"name": "test", "virtual": {"timescale": 0.001, **settings}})
        self._runner = asyncio.Runner()
        self.bench = VirtualBench(testbed, folder, self._runner.get_loop())
        self.windows = self.bench.windows

    def __enter__(self) -> VirtualWindows:
        self.bench.faults.attach(self.bench)
        self._runner.run(self.bench.machine.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self.bench.close())
        self._runner.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the model to its end."""
        return self._runner.run(work)

    def run(self, command_line: str) -> tuple[int, str]:
        """Exit code, and what the program wrote to both streams, with plain line ends."""
        out, err = _Pipe(), _Pipe()
        code = self.wait(tools.execute(command_line, self.bench, _Pipe(), out, err))
        return code, (out.written + err.written).decode("cp437").replace("\r\n", "\n")

    def upload(self, local: Path, folder: str) -> None:
        """Copy a file, or what is in a folder, to a Windows folder."""
        for file in local.iterdir() if local.is_dir() else [local]:
            self.windows.files.copy_in(file, rf"{folder}\{file.name}")

    def reboot(self) -> None:
        """Restart and wait until Windows is up again."""
        before = self.windows.last_boot
        self.run("shutdown /r /t 0")
        self.wait(self._until_up(before))

    async def _until_up(self, before: object) -> None:
        while self.bench.machine.power is not Power.ON or self.windows.last_boot == before:
            await async_pause(0.002)

    def cut_power(self) -> None:
        """Mains off and on again, and wait until Windows is up."""
        self.wait(self._cut_power())

    async def _cut_power(self) -> None:
        before = self.windows.last_boot
        self.bench.machine.set_mains(False)
        self.bench.machine.set_mains(True)
        await self._until_up(before)

    def trust(self, samples: SamplePackages) -> None:
        """What provisioning does: the certificate in both stores, test signing, a restart."""
        self.upload(samples.certificate, r"C:\hil")
        for store in ("Root", "TrustedPublisher"):
            assert self.run(rf"certutil -addstore -f {store} C:\hil\{samples.certificate.name}")[0] == 0
        assert self.run("bcdedit /set testsigning on")[0] == 0
        self.reboot()

    @property
    def nic(self) -> Devnode:
        """The devnode of the NIC under test."""
        return next(node for node in self.windows.devices.all() if NIC in node.instance_id)
