"""The functions of the companion module Hil.psm1, as the virtual machine answers them.

They exist for a runspace once the module's file was uploaded and imported (Import-Module reads which it defines).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from psrpcore.types import PSInt, PSInt64, PSUInt, PSUInt64

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSRecord
from hil.virtual.windows.cmdlets.cim import must_answer
from hil.virtual.windows.cmdlets.core import CUSTOM_OBJECT
from hil.virtual.windows.power_events import SleepState

cmdlets = Module("Hil", autoload=False)

_CALLERS = {
    "pwsh": r"\Device\HarddiskVolume3\Program Files\PowerShell\7\pwsh.exe",
    "powershell": r"\Device\HarddiskVolume3\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
}
_WIN32 = "System.ComponentModel.Win32Exception"


@cmdlets.cmdlet("Get-HilClock")
def get_clock(call: Call) -> Iterator[PSRecord]:
    must_answer(call)
    now, boot = call.host.now(), call.host.last_boot
    up_ms = int((now - boot) / timedelta(milliseconds=1))
    yield PSRecord(CUSTOM_OBJECT, {"LastBootUpTime": boot, "UptimeMs": PSUInt64(up_ms), "UtcNow": now})


@cmdlets.cmdlet("Suspend-HilMachine")
def suspend_machine(
    call: Call,
    State: Annotated[SleepState, Param(position=0, mandatory=True, choices=("S3", "S4", "S0ix"))],
    WakeAfterSeconds: Annotated[int, Param(position=1, mandatory=True)],
    DelayMs: Annotated[int, Param(position=2)] = 500,
) -> Iterator[PSRecord]:
    _privileged(call)
    wake = call.host.now() + timedelta(seconds=WakeAfterSeconds)
    call.bench.machine.request_sleep(
        State, wake_after_s=WakeAfterSeconds, delay_s=DelayMs / 1000, caller=_CALLERS[call.runspace.host.far_end]
    )
    yield PSRecord(CUSTOM_OBJECT, {"State": State, "WakeTimerUtc": wake})


@cmdlets.cmdlet("Invoke-HilBugcheck")
def invoke_bugcheck(call: Call, DelayMs: Annotated[int, Param(position=0)] = 500) -> Iterator[PSRecord]:
    _privileged(call)
    call.bench.machine.request_bugcheck(0xEF, (0xFFFFA40812340080, 0, 0, 0), delay_s=DelayMs / 1000)
    yield PSRecord(CUSTOM_OBJECT, {"Code": PSUInt(0xEF)})


@cmdlets.cmdlet("Get-HilLoadedImage")
def get_loaded_image(call: Call, Service: Annotated[str, Param(position=0, mandatory=True)]) -> Iterator[PSRecord]:
    image = call.host.devices.loaded_image(Service)
    if image:
        _privileged(call)
    path, digest = (image.path, image.sha256) if image else (None, None)
    yield PSRecord(CUSTOM_OBJECT, {"Service": Service, "Path": path, "Sha256": digest, "Running": image is not None})


@cmdlets.cmdlet("Get-HilResourceUsage")
def get_resource_usage(call: Call) -> Iterator[PSRecord]:
    memory = call.host.memory
    yield PSRecord(
        CUSTOM_OBJECT,
        {
            "NonPagedPoolBytes": PSUInt64(memory.non_paged_pool_bytes()),
            "PagedPoolBytes": PSUInt64(memory.paged_pool_bytes()),
            "HandleCount": PSInt(memory.handles()), "ProcessCount": PSInt(memory.processes()),
        },
    )  # fmt: skip


@cmdlets.cmdlet("Get-HilProcessorTime")
def get_processor_time(call: Call) -> Iterator[PSRecord]:
    idle, total = call.host.processors.ticks()
    yield PSRecord(CUSTOM_OBJECT, {"IdleTicks": PSInt64(idle), "TotalTicks": PSInt64(total)})


@cmdlets.cmdlet("Get-HilPower")
def get_power(call: Call) -> Iterator[PSRecord]:
    hibernation = call.host.hibernation
    states = [state for state in call.bench.config.sleep_states if hibernation or state != "S4"]
    yield PSRecord(CUSTOM_OBJECT, {"HibernateEnabled": hibernation, "States": states})


def _privileged(call: Call) -> None:
    """What the module's native code gets without elevation: the privilege is not in the token (error 1300)."""
    if not call.host.elevated:
        raise CmdletError(
            'Exception calling a native function: "Not all privileges or groups referenced are assigned to the caller"',
            error_id="Win32Exception", category="NotSpecified", exception=_WIN32,
        )  # fmt: skip
