"""Stop-Process (Microsoft.PowerShell.Management), for the programs that were copied onto the machine."""

from __future__ import annotations

from typing import Annotated

from hil.virtual.powershell import Call, CmdletError, Module, Param, Switch

cmdlets = Module("Microsoft.PowerShell.Management")

_COMMAND = "Microsoft.PowerShell.Commands.StopProcessCommand"


@cmdlets.cmdlet("Stop-Process", default_set="Id", implemented_by=_COMMAND, should_process=True)
def stop_process(
    call: Call,
    Id: Annotated[list[int] | None, Param(position=0, set="Id", mandatory=True)] = None,
    Force: Switch = False,
) -> None:
    for pid in Id or ():
        program = call.host.programs.get(pid)
        if program is not None:
            program.kill()
            continue
        call.write_error(
            CmdletError(
                f"Cannot find a process with the process identifier {pid}.",
                error_id=f"NoProcessFoundForGivenId,{_COMMAND}",
                category="ObjectNotFound",
                target=pid,
                exception="Microsoft.PowerShell.Commands.ProcessCommandException",
            )
        )
