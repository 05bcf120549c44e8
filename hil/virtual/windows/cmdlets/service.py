"""Get-, Set-, Start-, Stop- and Restart-Service (Microsoft.PowerShell.Management)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSEnum, PSRecord, Switch
from hil.virtual.windows.cmdlets import cdxml

if TYPE_CHECKING:
    from hil.virtual.windows.services import Service

cmdlets = Module("Microsoft.PowerShell.Management")

_TYPE = "Microsoft.PowerShell.Commands"
_ERROR = "Microsoft.PowerShell.Commands.ServiceCommandException"
_START = {"Boot": 0, "System": 1, "Automatic": 2, "Manual": 3, "Disabled": 4}

Name = Annotated[list[str] | None, Param(position=0, aliases=("ServiceName",), set="Default", pipeline="property")]
Input = Annotated[list[object] | None, Param(set="InputObject", pipeline="value")]


def service_object(service: Service) -> PSRecord:
    status = (4, "Running") if service.running else (1, "Stopped")
    kind = (1, "KernelDriver") if service.kernel else (32, "Win32ShareProcess")
    properties: dict[str, object] = {
        "Name": service.name, "DisplayName": service.display_name,
        "Status": PSEnum("System.ServiceProcess.ServiceControllerStatus", *status),
        "StartType": PSEnum("System.ServiceProcess.ServiceStartMode", _START[service.start_type], service.start_type),
        "ServiceName": service.name, "MachineName": ".", "CanStop": service.running and not service.kernel,
        "CanShutdown": False, "CanPauseAndContinue": False,
        "ServiceType": PSEnum("System.ServiceProcess.ServiceType", *kind), "BinaryPathName": service.image_path,
    }  # fmt: skip
    return PSRecord(("System.ServiceProcess.ServiceController", "System.Object"), properties, service.name)


def _found(call: Call, names: list[str] | None, objects: list[object] | None, command: str) -> Iterator[Service]:
    if objects is not None:
        names = [str(item.properties.get("Name", "")) if isinstance(item, PSRecord) else str(item) for item in objects]
    for name in names or ["*"]:
        hits = [service for service in call.host.services.all() if cdxml.matches(name, service.name)]
        if names is None:
            hits = [service for service in hits if not service.kernel]
        if not hits and not cdxml.is_pattern(name):
            call.write_error(_missing(name, command))
        yield from hits


def _missing(name: str, command: str) -> CmdletError:
    return CmdletError(
        f"Cannot find any service with service name '{name}'.", category="ObjectNotFound", target=name,
        exception=_ERROR,
        error_id=f"NoServiceFoundForGivenName,{_TYPE}.{command}",
    )  # fmt: skip


def _may(call: Call, service: Service, verb: str, command: str) -> bool:
    if call.host.elevated:
        return True
    named = f"{service.display_name} ({service.name})"
    message = f"Service '{named}' cannot be {verb} due to the following error: Access is denied."
    error_id = f"CouldNot{command.removesuffix('Command')},{_TYPE}.{command}"
    call.write_error(
        CmdletError(message, error_id=error_id, category="PermissionDenied", target=service.name, exception=_ERROR)
    )
    return False


@cmdlets.cmdlet("Get-Service", default_set="Default", implemented_by=f"{_TYPE}.GetServiceCommand")
def get_service(call: Call, Name: Name = None, InputObject: Input = None) -> Iterator[PSRecord]:
    yield from (service_object(service) for service in _found(call, Name, InputObject, "GetServiceCommand"))


@cmdlets.cmdlet("Set-Service", default_set="Name", should_process=True, implemented_by=f"{_TYPE}.SetServiceCommand")
def set_service(
    call: Call,
    Name: Annotated[
        list[str] | None, Param(position=0, aliases=("ServiceName",), set="Name", mandatory=True, pipeline="property")
    ] = None,
    InputObject: Input = None,
    StartupType: Annotated[
        str | None, Param(aliases=("StartMode", "ST"), choices=("Automatic", "Manual", "Disabled"))
    ] = None,
    Status: Annotated[str | None, Param(choices=("Running", "Stopped", "Paused"))] = None,
    Force: Switch = False,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    for service in _found(call, Name, InputObject, "SetServiceCommand"):
        if not _may(call, service, "configured", "SetServiceCommand"):
            continue
        if StartupType:
            call.host.services.set_start_type(service, StartupType)
        if Status:
            service.running = Status == "Running"
        if PassThru:
            yield service_object(service)


@cmdlets.cmdlet(
    "Start-Service", default_set="Default", should_process=True, implemented_by=f"{_TYPE}.StartServiceCommand"
)
def start_service(
    call: Call, Name: Name = None, InputObject: Input = None, PassThru: Switch = False
) -> Iterator[PSRecord]:
    yield from _run(call, Name, InputObject, True, "StartServiceCommand", PassThru)


@cmdlets.cmdlet(
    "Stop-Service", default_set="Default", should_process=True, implemented_by=f"{_TYPE}.StopServiceCommand"
)
def stop_service(
    call: Call,
    Name: Name = None,
    InputObject: Input = None,
    Force: Switch = False,
    NoWait: Switch = False,
    PassThru: Switch = False,
) -> Iterator[PSRecord]:
    yield from _run(call, Name, InputObject, False, "StopServiceCommand", PassThru)


@cmdlets.cmdlet(
    "Restart-Service", default_set="Default", should_process=True, implemented_by=f"{_TYPE}.RestartServiceCommand"
)
def restart_service(
    call: Call, Name: Name = None, InputObject: Input = None, Force: Switch = False, PassThru: Switch = False
) -> Iterator[PSRecord]:
    yield from _run(call, Name, InputObject, True, "RestartServiceCommand", PassThru)


def _run(
    call: Call, names: list[str] | None, objects: list[object] | None, running: bool, command: str, passes: bool
) -> Iterator[PSRecord]:
    verb = "started" if running else "stopped"
    for service in _found(call, names, objects, command):
        if not _may(call, service, verb, command):
            continue
        if running and service.start_type == "Disabled":
            message = (
                f"Service '{service.display_name} ({service.name})' cannot be started due to the following error: "
            )
            message += f"Cannot start service {service.name} on computer '.'."
            call.write_error(
                CmdletError(message, error_id=f"CouldNotStartService,{_TYPE}.{command}", category="OpenError",
                            target=service.name, exception=_ERROR)
            )  # fmt: skip
            continue
        service.running = running
        if passes:
            yield service_object(service)
