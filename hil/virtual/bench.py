"""One virtual bench: machine, Windows, NIC, SSH server and instruments around one event loop."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import BenchError
from hil.testbed.model import (
    VIRTUAL_WAKE,
    Adapter,
    LocalPartner,
    Machine,
    Packages,
    Ssh,
    Testbed,
    Tools,
    Virtual,
)
from hil.virtual.faults import load
from hil.virtual.faults.chain import FaultChain
from hil.virtual.machine import VirtualMachine
from hil.virtual.windows.hardware import HARDWARE_ID, MAC
from hil.virtual.windows.system import Windows

if TYPE_CHECKING:
    from hil.virtual.driver import SamplePackages
    from hil.virtual.nic import Nic
    from hil.virtual.ssh_server import SshServer

ADDRESS, PARTNER_ADDRESS = "198.18.0.1/24", "198.18.0.2/24"
"""RFC 2544: set aside for tests of network devices."""
ASLEEP_BELOW_W = 10.0
WAKE_SHOWS_S = 1.0
"""The machine draws more at once; the meter is refreshed several times in this time."""
_TIMEOUTS_S = {"boot_timeout_s": 300.0, "shutdown_timeout_s": 60.0, "sleep_timeout_s": 30.0, "resume_timeout_s": 60.0}
_LEAST_TIMEOUT_S = 10.0
"""However fast the model boots, the computer it runs on may be busy."""


class VirtualBench:
    """What every piece of the model holds on to; all on the loop's thread.

    ``state_dir`` is a folder of this bench alone; ``nic`` is None when the wire could not be had, and ``missing`` then
    says why; ``ssh`` is None until the machine has booted for the first time.
    """

    def __init__(self, testbed: Testbed, state_dir: Path, loop: asyncio.AbstractEventLoop) -> None:
        assert testbed.virtual is not None, "only a virtual testbed describes a virtual bench"
        self.config: Virtual = testbed.virtual
        self.testbed_name, self.state_dir, self.loop = testbed.name, state_dir, loop
        self.missing: dict[str, str] = {}
        self.nic: Nic | None = None
        self.ssh: SshServer | None = None
        self._limits, self._debugger = testbed.limits, testbed.debugger
        self._open = AsyncExitStack()
        self.faults = FaultChain([load(path) for path in self.config.faults])
        self.machine = VirtualMachine(self)
        self.windows = Windows(self)

    def scale(self, seconds: float) -> float:
        """Real seconds for ``seconds`` that the machine would take."""
        return seconds * self.config.timescale

    def chance(self, whose: str) -> random.Random:
        """Chance of one part of the bench: by the bench's seed, and independent of what other parts draw."""
        return random.Random(f"{self.config.seed} {whose}")

    async def start(self) -> Testbed:
        """Bring everything up; the bench as an ordinary testbed. Raises BenchError."""
        from hil.virtual.driver import build
        from hil.virtual.instruments.assembly import Instruments

        self.faults.attach(self)
        self._lay_wire()
        await self.machine.start()
        ssh = await self._open_door()
        instruments = Instruments(self)
        self._open.push_async_callback(instruments.close)
        standing = await instruments.start()
        packages = build(self.state_dir / "packages", self.config.link_mbps, self.faults.written_inf)
        return Testbed(
            name=self.testbed_name,
            description="virtual bench",
            machine=Machine(
                ssh=ssh, shell=self.config.far_end, sleep_states=self.config.sleep_states,
                asleep_below_w=ASLEEP_BELOW_W, wake_shows_s=WAKE_SHOWS_S, may_bugcheck=True, **self._timeouts(),
            ),
            adapter=Adapter(
                hardware_id=HARDWARE_ID, link_mbps=self.config.link_mbps, address=ADDRESS,
                back_timeout_s=_LEAST_TIMEOUT_S, wake=VIRTUAL_WAKE,
            ),
            partner=self._partner(),
            instruments=standing,
            packages=_packages(packages),
            tools=Tools(iperf3=packages.iperf3),
            debugger=self._debugger,
            limits=self._limits,
            state_dir=self.state_dir,
        )  # fmt: skip

    async def close(self) -> None:
        """End everything that start() began. Idempotent."""
        self.machine.set_mains(False)
        await self._open.aclose()

    def _lay_wire(self) -> None:
        from hil.virtual.nic import Nic

        nic = Nic(
            name=self.testbed_name, link_mbps=self.config.link_mbps, true_frames=self.config.true_frames, mac=MAC,
            faults=self.faults, wake=self.machine.wake_frame, loop=self.loop,
            seed=self.config.seed,
        )  # fmt: skip
        try:
            nic.open()
        except BenchError as error:
            self.missing["wire"] = str(error)
            return
        self._open.callback(nic.close)
        nic.set_partner_address([PARTNER_ADDRESS])
        self.nic = nic

    def _partner(self) -> LocalPartner | None:
        if self.nic is None:
            return None
        return LocalPartner(netns=self.nic.partner_netns, interface=self.nic.partner_interface, address=PARTNER_ADDRESS)

    async def _open_door(self) -> Ssh:
        import asyncssh

        from hil.virtual.ssh_server import SshServer
        from hil.virtual.windows.door import Door

        key = asyncssh.generate_private_key("ssh-ed25519")
        key_file = self.state_dir / "id_ed25519"
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.export_private_key())
        door = Door(self, [key.export_public_key().decode().strip()])
        self.ssh = SshServer(door, self.faults)
        self._open.push_async_callback(self.ssh.close)
        port = await self.ssh.start()
        host_key = " ".join(door.host_key.export_public_key().decode().split()[:2])
        return Ssh(host="127.0.0.1", port=port, user=door.user, key_file=key_file, host_key=host_key)

    def _timeouts(self) -> dict[str, float]:
        return {name: max(_LEAST_TIMEOUT_S, self.scale(seconds)) for name, seconds in _TIMEOUTS_S.items()}


def _packages(built: SamplePackages) -> Packages:
    return Packages(**{name: getattr(built, name) for name in Packages.model_fields})
