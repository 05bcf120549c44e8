"""What Windows demands of a driver package's signature: when it is staged, and when its image is loaded.

The catalog that was uploaded is really verified, against the certificates that the machine really trusts, and those
that it distrusts. Codes: reference windows/executables.json (pnputil), winerror.h, and logs of setupapi that people
published (unsigned: 0xE0000247, expired: 0x800B0101). Unconfirmed are those of a publisher that is not trusted
(0xE0000242) and of one whose certificate is among the untrusted ones: TRUST_E_EXPLICIT_DISTRUST is what WinVerifyTrust
documents, CERT_E_REVOKED what a revocation list gives; that pnputil hands the former through is by analogy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hil.package import Package, Reason, SignatureRefused
from hil.package.catalog import Catalog, file_digest
from hil.package.signature import Signer, verify

if TYPE_CHECKING:
    from hil.virtual.windows.system import Windows


class SetupError(Exception):
    """A refusal of SetupAPI or PnP: Win32, HRESULT or setup code (unsigned) and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Refusal(NamedTuple):
    """Why a signature is refused, by the word that faults know; the code, its text, and the log's first line."""

    reason: str
    code: int
    text: str
    said: str = ""


class SignatureError(SetupError):
    """``said`` is what the log says of it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.text)
        self.said = refusal.said or f"Error 0x{refusal.code:08x}: {refusal.text}"


FILE_NOT_FOUND = (2, "The system cannot find the file specified")
INVALID_DATA = (13, "The data is invalid.")
NO_CATALOG = Refusal(
    "unsigned", 0xE000022F, "The third-party INF does not contain digital signature information."
)  # fmt: skip
TAMPERED = Refusal(
    "tampered", 0xE000024B, "The hash for the file is not present in the specified catalog file. "
    "The file is likely corrupt or the victim of tampering.",
)  # fmt: skip
UNKNOWN_PUBLISHER = Refusal(
    "publisher", 0xE0000242,
    "The publisher of an Authenticode(tm) signed catalog has not yet been established as trusted.",
)  # fmt: skip
DISTRUSTED = Refusal("revoked", 0x800B0111, "The certificate was explicitly marked as untrusted by the user.")
_BY_REASON = {
    Reason.NOT_SIGNED: Refusal(
        "unsigned", 0xE0000247, "A problem was encountered while attempting to add the driver to the store.",
        "Driver package catalog file does not contain a signature, and Code Integrity is enforced.",
    ),
    Reason.DAMAGED: Refusal("tampered", 0x80096010, "The digital signature of the object did not verify."),
    Reason.UNTRUSTED_ROOT: Refusal(
        "root", 0x800B0109, "A certificate chain processed, but terminated in a root certificate which is not trusted "
        "by the trust provider.",
    ),
    Reason.EXPIRED: Refusal(
        "expired", 0x800B0101, "A required certificate is not within its validity period when verifying against the "
        "current system clock or the timestamp in the signed file.",
    ),
    Reason.WRONG_USAGE: Refusal("usage", 0x800B0110, "The certificate is not valid for the requested usage."),
}  # fmt: skip


def check_package(windows: Windows, package: Package) -> None:
    """The policy for staging. Raises SignatureError; the verdict passes through the bench's faults."""
    refusal = _refusal(windows, package)
    reason = refusal.reason if refusal else ""
    if not windows.bench.faults.accepts_signature(refusal is None, reason=reason):
        raise SignatureError(refusal or TAMPERED)


def _refusal(windows: Windows, package: Package) -> Refusal | None:
    if package.catalog is None:
        return NO_CATALOG
    try:
        signer = verify(package.catalog, windows.certificates.roots(), at=windows.now())
    except SignatureRefused as error:
        return _BY_REASON[error.reason]
    if package.verify():
        return TAMPERED
    if _distrusted(windows, signer):
        return DISTRUSTED
    return None if windows.certificates.trusts_publisher(signer.certificate) else UNKNOWN_PUBLISHER


def _distrusted(windows: Windows, signer: Signer) -> bool:
    """Whether a certificate of the chain is among the untrusted ones. The kernel asks its own list, not this store."""
    untrusted = {certificate.der for certificate in windows.certificates.store("Disallowed").values()}
    return not untrusted.isdisjoint(signer.chain)


def may_load(windows: Windows, image: bytes, catalog: Catalog | None) -> bool:
    """Code integrity, when the image is loaded: its hash is in a signed catalog, and test signing is on.

    No root of Microsoft is known here, so that every signature is a test signature; with test signing the kernel takes
    any chain. The verdict passes through the bench's faults.
    """
    digest = file_digest(image)
    if catalog is None or not catalog.signer:
        reason = "unsigned"
    elif all(member.digest != digest for member in catalog.members):
        reason = "tampered"
    else:
        reason = "" if windows.boot_options.test_signing else "test-signed"
    return windows.bench.faults.accepts_signature(not reason, reason=reason)
