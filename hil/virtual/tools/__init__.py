"""Native tools of the virtual Windows: the same command lines, exit codes and texts, one module per program."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hil.virtual.tools.command_line import is_operator, split
from hil.virtual.windows.files import expanded

if TYPE_CHECKING:
    from hil.virtual.bench import VirtualBench
    from hil.virtual.windows.system import Windows


class Reader(Protocol):
    async def read(self, n: int = -1) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes) -> object: ...


@dataclass(frozen=True)
class ToolCall:
    """One run of a program: ``args`` without the program, split as the C runtime of Windows does."""

    program: str
    """As it was typed; a path when it came with one."""
    args: list[str]
    bench: VirtualBench
    windows: Windows
    stdin: Reader
    stdout: Writer
    stderr: Writer

    def out(self, text: str = "") -> None:
        """One line, or several, on standard output in the console's code page (437)."""
        self.stdout.write((text + "\n").replace("\n", "\r\n").encode("cp437", "replace"))

    def err(self, text: str = "") -> None:
        self.stderr.write((text + "\n").replace("\n", "\r\n").encode("cp437", "replace"))

    def not_recognized(self) -> int:
        """What cmd.exe says of a program that is not there, and its exit code."""
        text = "is not recognized as an internal or external command,\noperable program or batch file."
        self.err(f"'{self.program}' {text}")
        return NOT_RECOGNIZED


Tool = Callable[[ToolCall], Awaitable[int]]

SYSTEM32 = "\\windows\\system32\\"
NOT_RECOGNIZED, NO_SUCH_PATH = 1, 1

_MODULES = {
    "pnputil": "pnputil", "certutil": "certutil", "bcdedit": "bcdedit", "verifier": "verifier",
    "shutdown": "shutdown", "powercfg": "powercfg", "wevtutil": "wevtutil", "whoami": "whoami", "hostname": "hostname",
    "cmd": "cmd", "powershell": "powershell", "pwsh": "powershell",
}  # fmt: skip
"""Programs of System32 to the module that has ``async def run(call: ToolCall) -> int``."""
_INTERNAL = ("ver", "echo", "exit")
"""Commands that cmd.exe has inside."""


def find(program: str) -> Tool | None:
    r"""The tool for ``C:\Windows\System32\pnputil.exe``, ``pnputil.exe`` or ``pnputil``; None for anything else."""
    folder, _, name = program.replace("/", "\\").lower().rpartition("\\")
    if folder and not f"{folder}\\".endswith(SYSTEM32):
        return None
    name = name.removesuffix(".exe")
    module = _MODULES.get(name) or ("cmd" if name in _INTERNAL and not folder else None)
    if module is None:
        return None
    tool: Tool = importlib.import_module(f"{__name__}.{module}").run
    return tool


async def execute(command_line: str, bench: VirtualBench, stdin: Reader, stdout: Writer, stderr: Writer) -> int:
    """Run one command line as cmd.exe /c does; the program's exit code, unsigned 32 bits."""
    windows = bench.windows
    words = split(expanded(command_line))
    if not words:
        return 0
    program, args = words[0], words[1:]
    call = ToolCall(program, args, bench, windows, stdin, stdout, stderr)
    operator = next((word for word in words if is_operator(word)), None)
    if operator:
        call.err(f"{operator[1:]} was unexpected at this time.")
        return 255
    tool = find(program)
    if tool is None and ("\\" in program or "/" in program):
        tool = _uploaded(program, windows)
        if tool is None:
            call.err("The system cannot find the path specified.")
            return NO_SUCH_PATH
    if tool is None:
        return call.not_recognized()
    return await tool(call) & 0xFFFFFFFF


def _uploaded(program: str, windows: Windows) -> Tool | None:
    """A program that somebody copied onto the disk: it is run as it is, in the machine's network."""
    if not windows.files.exists(program) and not windows.files.exists(f"{program}.exe"):
        return None
    tool: Tool = importlib.import_module(f"{__name__}.uploaded").run
    return tool
