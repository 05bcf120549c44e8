"""A program that was copied onto the machine. It must be a Windows image; iperf3 is then run by this computer's own
iperf3, inside the machine's network, so that what it measures is the virtual NIC."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from hil.virtual.windows.system import Program

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall, Writer

CHUNK_BYTES = 64 * 1024
EXE_MACHINE_TYPE_MISMATCH = 216
DLL_NOT_FOUND = 0xC0000135

_HOSTED = {"iperf3": "iperf3"}
"""Name in the image's version resource to the program of this computer that does the same."""
_NEEDED = re.compile(rb"cyg\w+\.dll")
"""What an image that was built with Cygwin wants beside it."""


async def run(call: ToolCall) -> int:
    files = call.windows.files
    image = files.read(call.program if files.exists(call.program) else f"{call.program}.exe")
    name = next((name for name in _HOSTED if name.encode("utf-16-le") in image), "")
    if image[:2] != b"MZ" or not name:
        call.err(f"This version of {call.program} is not compatible with the version of Windows you're running.")
        return EXE_MACHINE_TYPE_MISMATCH
    folder = call.program.rpartition("\\")[0]
    if not all(files.exists(rf"{folder}\{found.decode()}") for found in _NEEDED.findall(image)):
        return DLL_NOT_FOUND
    hosted = shutil.which(_HOSTED[name])
    if hosted is None or call.bench.nic is None:
        return DLL_NOT_FOUND
    process = await call.bench.nic.run([hosted, *call.args])
    # cmd.exe puts a blank between the program and what follows it, which begins with one
    command_line = f"{subprocess.list2cmdline([call.program])}  {subprocess.list2cmdline(call.args)}"
    call.windows.programs[process.pid] = Program(command_line, process.kill)
    try:
        await asyncio.gather(_copy(process.stdout, call.stdout), _copy(process.stderr, call.stderr))
        return await process.wait()
    finally:
        del call.windows.programs[process.pid]
        if process.returncode is None:
            process.kill()


async def _copy(source: asyncio.StreamReader | None, target: Writer) -> None:
    while source and (chunk := await source.read(CHUNK_BYTES)):
        target.write(chunk)
