"""One virtual bench: machine, Windows, NIC, SSH server and instruments around one event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hil.testbed.model import Virtual
from hil.virtual.faults.chain import FaultChain

if TYPE_CHECKING:
    from hil.virtual.machine import VirtualMachine
    from hil.virtual.nic import Nic
    from hil.virtual.ssh_server import SshServer
    from hil.virtual.windows.system import Windows


class VirtualBench:
    """What every piece of the model holds on to. Assembled by :mod:`hil.virtual.__main__`; all on the loop's thread."""

    config: Virtual
    testbed_name: str
    state_dir: Path
    """A folder of this bench alone, removed when it ends."""
    loop: asyncio.AbstractEventLoop
    faults: FaultChain
    machine: VirtualMachine
    windows: Windows
    nic: Nic | None
    """None when the wire could not be had."""
    ssh: SshServer | None
    instruments: list[Any]

    def scale(self, seconds: float) -> float:
        """Real seconds for ``seconds`` that the machine would take."""
        return seconds * self.config.timescale
