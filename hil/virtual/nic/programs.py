"""Programs that run on the virtual machine: real processes in its network namespace."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from hil import netns


class Programs:
    """Started, stopped with the machine's sleep, gone with its power. They die with this process, SIGKILL included."""

    def __init__(self) -> None:
        self._running: set[asyncio.subprocess.Process] = set()
        self._frozen = False

    async def run(
        self, namespace: str, argv: Sequence[str], *, stdin: int | None, stdout: int | None, stderr: int | None
    ) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *netns.argv(namespace, argv), stdin=stdin, stdout=stdout, stderr=stderr
        )
        self._running.add(process)
        if self._frozen:
            self._signal(signal.SIGSTOP)
        return process

    def freeze(self) -> None:
        self._frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._frozen = False
        self._signal(signal.SIGCONT)

    def kill_all(self) -> None:
        self._frozen = False
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self._running = {process for process in self._running if process.returncode is None}
        for process in self._running:
            process.send_signal(number)
