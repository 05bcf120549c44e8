"""What makes a machine accept test-signed drivers: the certificate in two stores, and test signing.

Sources: Microsoft, "Installing test certificates" (Root and TrustedPublisher), "The TESTSIGNING boot configuration
option" (next boot only; refused under Secure Boot).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hil.errors import BenchError, UsageError
from hil.remote import Command, PowerShellError

if TYPE_CHECKING:
    from hil.windows.machine import Machine

STORES = ("Root", "TrustedPublisher")
"""A publisher is trusted when its certificate is in the second and its chain ends in the first."""
FOLDER = r"C:\hil\certificates"
_CONTROL_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Control"


def thumbprint(der: bytes) -> str:
    """How Windows names a certificate: SHA-1 of its DER bytes, upper-case hexadecimal."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def _path(store: str, der: bytes) -> str:
    return rf"Cert:\LocalMachine\{store}\{thumbprint(der)}"


def trusted_in(machine: Machine, der: bytes) -> tuple[str, ...]:
    """Which of the two stores have the certificate."""
    return _having(machine, der, STORES)


def _having(machine: Machine, der: bytes, stores: Iterable[str]) -> tuple[str, ...]:
    asked = {store: Command("Test-Path", Path=_path(store, der)) for store in stores}
    answers = machine.shell.batch(list(asked.values())) if asked else []
    return tuple(store for store, answer in zip(asked, answers, strict=True) if answer and answer[0] is True)


def import_certificate(machine: Machine, der: bytes) -> tuple[str, ...]:
    """Put the certificate into both stores; the stores that did not have it, for :func:`remove_certificate` to undo.

    Raises PowerShellError when Windows refuses, BenchError when it is not there afterwards.
    """
    missing = tuple(store for store in STORES if store not in trusted_in(machine, der))
    if not missing:
        return ()
    put(machine, der, *missing)
    if trusted_in(machine, der) != STORES:
        raise BenchError(
            f"certificate {thumbprint(der)} in {' and '.join(STORES)}", seen=f"only in {trusted_in(machine, der)}",
            where=machine.where, tried="Import-Certificate",
        )  # fmt: skip
    return missing


def put(machine: Machine, der: bytes, *stores: str) -> None:
    """Put the certificate into stores of the machine: ``Disallowed`` has those that it distrusts."""
    remote = rf"{FOLDER}\{thumbprint(der)}.cer"
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "certificate.cer"
        local.write_bytes(der)
        machine.upload(local, remote)
    for store in stores:
        location = rf"Cert:\LocalMachine\{store}"
        machine.shell.run(Command("Import-Certificate", FilePath=remote, CertStoreLocation=location))


def take(machine: Machine, der: bytes, *stores: str) -> None:
    """Take the certificate out of those of these stores that have it."""
    for store in _having(machine, der, stores):
        machine.shell.run(Command("Remove-Item", Path=_path(store, der)))


def remove_certificate(machine: Machine, der: bytes, stores: Iterable[str] = STORES) -> None:
    """Take the certificate out of these stores; nothing happens where it is not."""
    take(machine, der, *stores)


def test_signing(machine: Machine) -> bool:
    """Whether the running kernel takes test signatures, from its start options (in no language but the kernel's)."""
    found = machine.shell.run(Command("Get-ItemProperty", Path=_CONTROL_KEY, Name="SystemStartOptions"))
    return "TESTSIGNING" in str(found[0]["SystemStartOptions"]).upper().split()


test_signing.__test__ = False  # type: ignore[attr-defined]  # a question, not a test: pytest would take it for one


def secure_boot(machine: Machine) -> bool:
    """Whether Secure Boot is on; a machine without UEFI has none."""
    try:
        return machine.shell.run(Command("Confirm-SecureBootUEFI"))[0] is True
    except PowerShellError as error:
        if error.category == "PermissionDenied":
            raise
        return False


def set_test_signing(machine: Machine, on: bool) -> bool:
    """Ask for test signing to be on, or off, from the next boot; True when a reboot is needed for it.

    Raises UsageError when Secure Boot forbids it, BenchError when bcdedit fails.
    """
    if secure_boot(machine):
        if not on:
            return False
        raise UsageError(
            "test signing, for a package that Microsoft did not sign", seen="Secure Boot is on", where=machine.where,
            next_step="turn Secure Boot off in the machine's firmware, or test a package that Microsoft signed",
        )  # fmt: skip
    active = test_signing(machine)
    machine.tool("bcdedit", "/set", "testsigning", "on" if on else "off")
    return active != on
