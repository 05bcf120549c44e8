"""cmd.exe: /c with one command, and the few internal commands that scripts ask for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from hil.virtual import tools

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall


async def run(call: ToolCall) -> int:
    name = call.program.lower().rpartition("\\")[2].removesuffix(".exe")
    if name == "cmd":
        if not call.args or call.args[0].lower() != "/c":
            return 0
        line = call.args[1] if len(call.args) == 2 else subprocess.list2cmdline(call.args[1:])
        return await tools.execute(line, call.bench, call.stdin, call.stdout, call.stderr)
    if name == "ver":
        call.out(f"\nMicrosoft Windows [Version 10.0.{call.windows.build}.{call.windows.revision}]")
    elif name == "echo":
        call.out(" ".join(call.args) or "ECHO is on.")
    elif name == "exit":
        codes = [argument for argument in call.args if argument.lstrip("-").isdigit()]
        return int(codes[0]) if codes else 0
    return 0
