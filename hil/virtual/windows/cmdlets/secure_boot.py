"""Confirm-SecureBootUEFI (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hil.virtual.powershell import Call, CmdletError, Module

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

cmdlets = Module("SecureBoot")

_COMMAND = "Microsoft.SecureBoot.Commands.ConfirmSecureBootUefiCommand"


@cmdlets.cmdlet("Confirm-SecureBootUEFI", implemented_by=_COMMAND)
def confirm_secure_boot(call: Call) -> Iterator[bool]:
    """True with Secure Boot on, False with it off."""
    windows: Windows = call.host
    if not windows.elevated:
        raise CmdletError(
            "Unable to set proper privileges. Access was denied.", category="PermissionDenied",
            error_id=f"System.UnauthorizedAccessException,{_COMMAND}",
            exception="System.UnauthorizedAccessException",
        )  # fmt: skip
    yield windows.boot_options.secure_boot
