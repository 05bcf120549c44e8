"""What kind of signature a package has, and which Windows takes it.

Sources: Microsoft, "Driver Signing Policy" (who signs, exceptions, roots), "Windows 10 attestation signed drivers"
(client only), "The TESTSIGNING Boot Configuration Option" (not with Secure Boot); usages: wincrypt.h,
"How to validate the Microsoft signature".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from hil.package.anchors import is_kernel_root, programme
from hil.package.signature import Reason, SignatureRefused, Signer, verify_signed
from hil.package.signed import PARSE_ERRORS, Signed

WHQL, ATTESTATION, WINDOWS = "1.3.6.1.4.1.311.10.3.5", "1.3.6.1.4.1.311.10.3.5.1", "1.3.6.1.4.1.311.10.3.6"
_CROSS_ROOT = "Microsoft Code Verification Root"
_CROSS_SIGNED_UNTIL = datetime(2015, 7, 29, tzinfo=UTC)
"""Certificates issued before may still sign drivers for Windows with Secure Boot ("Driver Signing Policy")."""


class Kind(Enum):
    """Who vouches for a package."""

    CERTIFIED = "certified by Microsoft (WHQL)"
    ATTESTED = "attestation signed by Microsoft"
    MICROSOFT = "signed by Microsoft"
    PUBLIC = "signed by a publisher that a public authority knows"
    PRIVATE = "test signed"
    NONE = "not signed"
    REFUSED = "signed, but not to be relied upon"


@dataclass(frozen=True)
class SigningTarget:
    """A Windows that a package is meant for, as far as signatures go."""

    name: str
    title: str
    server: bool = False
    secure_boot: bool = True
    test_signing: bool = False


TARGETS = (
    SigningTarget("client", "Windows 11, Secure Boot on"),
    SigningTarget("client-no-secure-boot", "Windows 11, Secure Boot off", secure_boot=False),
    SigningTarget("server", "Windows Server 2025, Secure Boot on", server=True),
    SigningTarget("test-signing", "test signing on", secure_boot=False, test_signing=True),
)


@dataclass(frozen=True)
class Signature:
    """A catalog's or an image's signature."""

    kind: Kind
    signer: Signer | None
    text: str
    """Signer's name, or why the signature is refused."""
    cross_signed: bool = False
    """Whether it brings a cross-certificate of Microsoft's for its authority."""


@dataclass(frozen=True)
class Verdict:
    """Whether one Windows takes the package, and why."""

    target: SigningTarget
    accepted: bool
    because: str


def judge(data: bytes, where: str, trusted: Iterable[bytes], at: datetime) -> Signature:
    """What signature (DER of a signed message) this is; ``trusted`` are roots beside Microsoft's programme (DER)."""
    private = tuple(trusted)
    try:
        signed = Signed.read(data)
        signer = verify_signed(signed, where, (*programme(), *private), at)
    except SignatureRefused as refusal:
        kind = Kind.PRIVATE if refusal.reason is Reason.UNTRUSTED_ROOT else Kind.REFUSED
        return Signature(kind, None, refusal.seen)
    except PARSE_ERRORS as error:
        return Signature(Kind.REFUSED, None, f"{type(error).__name__}: {str(error)[:120]}")
    if is_kernel_root(signer.chain[-1]):
        found = next((kind for usage, kind in _KINDS if usage in signer.usages), Kind.MICROSOFT)
        return Signature(found, signer, signer.name)
    if signer.chain[-1] in private:
        return Signature(Kind.PRIVATE, signer, signer.name)
    crossed = any(_CROSS_ROOT in certificate.issuer.rfc4514_string() for certificate in signed.certificates)
    return Signature(Kind.PUBLIC, signer, signer.name, crossed)


_KINDS = ((ATTESTATION, Kind.ATTESTED), (WHQL, Kind.CERTIFIED), (WINDOWS, Kind.MICROSOFT))
"""Microsoft's publisher certificate may carry both usages; attestation then counts, being the lesser claim."""


def verdict(signature: Signature, target: SigningTarget, intact: bool = True) -> Verdict:
    """Whether ``target`` loads a kernel driver with this signature. Installing may still ask whom to trust.

    ``intact`` says whether the catalog vouches for all files.
    """
    accepted, because = _decide(signature, target) if intact else (False, "files were changed after it was signed")
    return Verdict(target, accepted, because)


def _decide(signature: Signature, target: SigningTarget) -> tuple[bool, str]:
    kind, signer = signature.kind, signature.signer
    if kind is Kind.NONE or kind is Kind.REFUSED:
        return False, kind.value
    if target.test_signing:
        return True, "any signature does"
    if kind is Kind.PRIVATE:
        return False, "its root is not Microsoft's; only test signing takes it"
    if kind is Kind.ATTESTED and target.server:
        return False, "attestation is for client Windows"
    if kind is Kind.PUBLIC:
        if not signature.cross_signed:
            return False, "no cross-certificate of Microsoft's comes with it"
        issued = signer.certificate_from if signer else None
        if not target.secure_boot:
            return True, "cross-signed drivers load without Secure Boot"
        if issued and issued < _CROSS_SIGNED_UNTIL:
            return True, f"its certificate is of {issued:%Y-%m-%d}, before the end of cross-signing"
        return False, "new drivers must be signed by Microsoft (since Windows 10 1607)"
    return True, kind.value
