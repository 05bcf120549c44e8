"""What Windows demands of a driver package's signature: when it is staged, and when its image is loaded.

The catalog that was uploaded is really verified, against the certificates that the machine really trusts.
Codes: reference windows/executables.json (pnputil) and winerror.h; the value of "publisher not trusted" is unconfirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.package import Package, Reason, SignatureRefused
from hil.package.catalog import Catalog, file_digest
from hil.package.signature import verify

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows


class SetupError(Exception):
    """A refusal of SetupAPI or PnP: Win32, HRESULT or setup code (unsigned) and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


FILE_NOT_FOUND = (2, "The system cannot find the file specified")
INVALID_DATA = (13, "The data is invalid.")
NO_CATALOG = (0xE000022F, "The third-party INF does not contain digital signature information.")
HASH_NOT_IN_CATALOG = (
    0xE000024B,
    "The hash for the file is not present in the specified catalog file. "
    "The file is likely corrupt or the victim of tampering.",
)
PUBLISHER_NOT_TRUSTED = (
    0xE0000242, "The publisher of an Authenticode(tm) signed catalog has not yet been established as trusted.",
)  # fmt: skip
_REFUSALS = {
    Reason.NOT_SIGNED: (0x800B0100, "No signature was present in the subject."),
    Reason.DAMAGED: (0x80096010, "The digital signature of the object did not verify."),
    Reason.UNTRUSTED_ROOT: (
        0x800B0109,
        "A certificate chain processed, but terminated in a root certificate which is not trusted by the trust "
        "provider.",
    ),
    Reason.EXPIRED: (
        0x800B0101,
        "A required certificate is not within its validity period when verifying against the current system clock or "
        "the timestamp in the signed file.",
    ),
    Reason.WRONG_USAGE: (0x800B0110, "The certificate is not valid for the requested usage."),
}


def check_package(windows: Windows, package: Package) -> None:
    """The policy for staging. Raises SetupError; the verdict passes through the bench's faults."""
    refusal = _refusal(windows, package)
    if not windows.bench.faults.accepts_signature(refusal is None):
        raise SetupError(*(refusal or HASH_NOT_IN_CATALOG))


def _refusal(windows: Windows, package: Package) -> tuple[int, str] | None:
    if package.catalog is None:
        return NO_CATALOG
    try:
        signer = verify(package.catalog, windows.certificates.roots(), at=windows.now())
    except SignatureRefused as error:
        return _REFUSALS[error.reason]
    if package.verify():
        return HASH_NOT_IN_CATALOG
    if not windows.certificates.trusts_publisher(signer.certificate):
        return PUBLISHER_NOT_TRUSTED
    return None


def may_load(windows: Windows, image: bytes, catalog: Catalog | None) -> bool:
    """Code integrity, when the image is loaded: its hash is in a signed catalog, and test signing is on.

    No root of Microsoft is known here, so that every signature is a test signature; with test signing the kernel takes
    any chain. The verdict passes through the bench's faults.
    """
    digest = file_digest(image)
    known = catalog is not None and bool(catalog.signer) and any(member.digest == digest for member in catalog.members)
    return windows.bench.faults.accepts_signature(known and windows.boot_options.test_signing)
