"""powershell.exe and pwsh.exe started with something else than server mode, which the SSH server takes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.virtual.tools import ToolCall


async def run(call: ToolCall) -> int:
    """Scripts are text, and this Windows has no parser for them: said plainly, not answered wrongly."""
    if "pwsh" in call.program.lower() and call.bench.config.far_end != "pwsh":
        return call.not_recognized()
    call.err(
        "The virtual machine understands PowerShell through remoting only (pwsh -sshs, or Windows PowerShell\n"
        "-ServerMode): from Python, hil.remote.PowerShell or pypsrp's SSHInfo; from pwsh, New-PSSession -HostName."
    )
    return 1
