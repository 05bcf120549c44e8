"""Native tools of the virtual Windows: the same command lines, exit codes and texts, one module per program."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.system import Windows


class Reader(Protocol):
    async def read(self, size: int = -1) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes) -> object: ...


@dataclass(frozen=True)
class ToolCall:
    """One run of a program: ``args`` without the program, split as the C runtime of Windows does."""

    program: str
    args: list[str]
    bench: VirtualBench
    windows: Windows
    stdin: Reader
    stdout: Writer
    stderr: Writer

    def out(self, text: str) -> None:
        """One line, or several, on standard output in the console's code page (437)."""
        self.stdout.write((text + "\n").replace("\n", "\r\n").encode("cp437", "replace"))

    def err(self, text: str) -> None:
        self.stderr.write((text + "\n").replace("\n", "\r\n").encode("cp437", "replace"))


Tool = Callable[[ToolCall], Awaitable[int]]

_MODULES = {
    "pnputil": "pnputil", "certutil": "certutil", "bcdedit": "bcdedit", "verifier": "verifier",
    "shutdown": "shutdown", "powercfg": "powercfg", "wevtutil": "wevtutil", "whoami": "whoami", "hostname": "whoami",
    "iperf3": "iperf3", "cmd": "cmd",
}  # fmt: skip
"""Program name without .exe to the module that has ``async def run(call: ToolCall) -> int``."""


def find(program: str) -> Tool | None:
    r"""The tool for ``C:\Windows\System32\pnputil.exe`` or ``pnputil``; None when Windows has no such program."""
    name = program.replace("/", "\\").rsplit("\\", 1)[-1].lower().removesuffix(".exe")
    module = _MODULES.get(name)
    if module is None:
        return None
    tool: Tool = importlib.import_module(f"{__name__}.{module}").run
    return tool
