"""Get-AuthenticodeSignature (reference windows/cmdlets.json)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hil.package import SignatureRefused
from hil.package.signature import verify
from hil.virtual.powershell import Call, CmdletError, Module, Param, PSEnum, PSRecord
from hil.virtual.windows import trust

if TYPE_CHECKING:
    from hil.package import Catalog
    from hil.virtual.windows.system import Windows

cmdlets = Module("Microsoft.PowerShell.Security")

_COMMAND = "Microsoft.PowerShell.Commands.GetAuthenticodeSignatureCommand"
_STATUS = {
    "Valid": (0, "Signature verified."),
    "UnknownError": (1, "A certificate chain processed, but terminated in a root certificate which is not trusted by "
                        "the trust provider"),
    "NotSigned": (2, "The file {path} is not digitally signed. You cannot run this script on the current system."),
}  # fmt: skip


@cmdlets.cmdlet("Get-AuthenticodeSignature", implemented_by=_COMMAND)
def get_authenticode_signature(
    call: Call,
    FilePath: Annotated[list[str] | None, Param(position=0, mandatory=True, set="ByPath", pipeline="value")] = None,
    LiteralPath: Annotated[
        list[str] | None, Param(mandatory=True, set="ByLiteralPath", aliases=("PSPath",), pipeline="property")
    ] = None,
) -> Iterator[PSRecord]:
    """The signature of files; drivers are looked up in the catalogs of the driver store."""
    windows: Windows = call.host
    for path in FilePath or LiteralPath or ():
        if not windows.files.exists(path):
            error = CmdletError(
                f"Cannot find path '{path}' because it does not exist.", category="ObjectNotFound", target=path,
                error_id=f"FileNotFound,{_COMMAND}", exception="System.Management.Automation.ItemNotFoundException",
            )  # fmt: skip
            call.write_error(error)
        else:
            yield _signature(windows, path)


def _signature(windows: Windows, path: str) -> PSRecord:
    data = windows.files.read(path)
    catalogs = [stored.package.catalog for stored in windows.driver_store.all() if stored.package.catalog]
    catalog = next((catalog for catalog in catalogs if catalog.find(data)), None)
    status, signer = _verdict(windows, catalog)
    value, message = _STATUS[status]
    certificate = trust.record(signer, "LocalMachine", "CA") if signer else None
    return PSRecord(
        ("System.Management.Automation.Signature", "System.Object"),
        {
            "SignerCertificate": certificate, "TimeStamperCertificate": None,
            "Status": PSEnum("System.Management.Automation.SignatureStatus", value, status),
            "StatusMessage": message.format(path=path), "Path": windows.files.windows_path(windows.files.locate(path)),
            "SignatureType": PSEnum(
                "System.Management.Automation.SignatureType", 2 if catalog else 0, "Catalog" if catalog else "None"
            ),
            "IsOSBinary": False,
        },
        "System.Management.Automation.Signature",
    )  # fmt: skip


def _verdict(windows: Windows, catalog: Catalog | None) -> tuple[str, trust.Certificate | None]:
    if catalog is None:
        return "NotSigned", None
    try:
        signer = verify(catalog, windows.certificates.roots(), at=windows.now())
    except SignatureRefused:
        return "UnknownError", trust.Certificate(catalog.certificates[0])
    return "Valid", trust.Certificate(signer.certificate)
