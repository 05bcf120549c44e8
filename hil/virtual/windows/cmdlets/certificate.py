"""Import-Certificate (reference windows/cmdlets.json).

Get-ChildItem, Remove-Item and Test-Path on Cert: paths ask :mod:`hil.virtual.windows.trust`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hil.virtual.powershell import Call, CmdletError, Module, Param, PSRecord
from hil.virtual.windows import trust

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows

cmdlets = Module("PKI")

_IMPORT = "Microsoft.CertificateServices.Commands.ImportCertificateCommand"
@cmdlets.cmdlet("Import-Certificate", default_set="ByFile", should_process=True, implemented_by=_IMPORT)
def import_certificate(
    call: Call,
    FilePath: Annotated[str, Param(position=0, mandatory=True, aliases=("FullName",), pipeline="property")],
    CertStoreLocation: str | None = None,
) -> Iterator[PSRecord]:
    """Put a certificate file into a store; what is there already stays as it is."""
    windows: Windows = call.host
    parts = (CertStoreLocation or r"Cert:\CurrentUser\My").replace("/", "\\").split("\\")
    if len(parts) < 3 or not trust.is_certificate_path("\\".join(parts)):
        raise _refused("The path is not a certificate store.", "System.ArgumentException", CertStoreLocation)
    location, store = parts[-2], parts[-1]
    if location.lower() == "localmachine" and not windows.elevated:
        raise _refused(
            "Access is denied. 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)", "System.UnauthorizedAccessException"
        )
    try:
        certificate = trust.certificate(windows.files.read(FilePath))
    except FileNotFoundError as error:
        raise _refused(
            "The system cannot find the file specified. 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)",
            "System.IO.FileNotFoundException", FilePath,
        ) from error  # fmt: skip
    except ValueError as error:
        raise _refused(
            "ASN1 bad tag value met. 0x8009310b (ASN: 267 CRYPT_E_ASN1_BADTAG)", "System.Exception", FilePath
        ) from error
    try:
        windows.certificates.add(store, certificate, location)
    except FileNotFoundError as error:
        message = f"Cannot find path '{CertStoreLocation}' because it does not exist."
        raise _refused(message, "System.Management.Automation.ItemNotFoundException") from error
    yield trust.record(certificate, location, store)


def _refused(message: str, exception: str, target: object = None) -> CmdletError:
    return CmdletError(message, error_id=f"{exception},{_IMPORT}", target=target, exception=exception)
