"""The virtual instruments on a machine that is not there, in a process of its own: what the benchmarks ask.

    with standing() as server: server["slot"], server["control"], server["shelly"]
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hil.testbed.model import Virtual
from hil.virtual.faults import Fault
from hil.virtual.instruments import Instruments
from hil.virtual.instruments.http_pdu import HttpPdu
from hil.virtual.instruments.pdu import Pdu


@contextmanager
def standing() -> Iterator[dict[str, str]]:
    """Start the process; resources by role, the control port's address, and a Shelly without a password."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdin is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


class Absent:
    """Takes whatever is done to it."""

    def set_mains(self, on: bool) -> None: ...

    def press_button(self, seconds: float) -> None: ...

    def set_slot(self, present: bool) -> None: ...

    def set_cable(self, connected: bool) -> None: ...

    def watts(self) -> float:
        return 60.0


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench: Any = SimpleNamespace(config=Virtual(), machine=Absent(), faults=Fault(), state_dir=Path(folder))
        instruments, shelly = Instruments(bench), HttpPdu(Pdu(move_s=0.0))
        described = await instruments.start()
        await shelly.start()
        resources = {name: one.resource for name, one in described.items()}
        resources |= {"control": instruments.control.resource, "shelly": shelly.resource}
        print(json.dumps(resources), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await shelly.close()
        await instruments.close()


if __name__ == "__main__":
    asyncio.run(main())
