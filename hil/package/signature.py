"""Whether a signature is by someone who is trusted, at the time when it was made.

Sources: RFC 5280 section 6 (chains), RFC 3161 and Microsoft "Time Stamping Authenticode Signatures" (a valid stamp
moves the question to the time of signing), "Authenticode Digital Signatures". The mathematics is pyca/cryptography's.
signify has a verifier too, but it stands on oscrypto 1.3, which does not load beside OpenSSL 3.0.10 and later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package.catalog import Catalog
from hil.package.signed import PARSE_ERRORS, Signed, Stamp, check

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CODE_SIGNING, TIME_STAMPING = "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.8"
_LIFETIME_SIGNING = "1.3.6.1.4.1.311.10.3.13"
"""A certificate with this usage makes signatures that end with it, stamped or not (wincrypt.h)."""
_MAX_CHAIN = 8
_OLD_CONSTRAINTS, _SUBJECT_IS_AUTHORITY = "2.5.29.10", bytes.fromhex("03020780")
"""Basic constraints before 1997, and their bit string for an authority; Microsoft's first driver authority has them."""
_SIGNATURES = {
    "1.2.840.113549.1.1.4": "md5", "1.2.840.113549.1.1.5": "sha1", "1.3.14.3.2.29": "sha1",
    "1.2.840.113549.1.1.11": "sha256", "1.2.840.113549.1.1.12": "sha384", "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384", "1.2.840.10045.4.3.4": "sha512",
}  # fmt: skip
"""Digest by signature algorithm of a certificate: RSA with PKCS #1 padding, ECDSA."""


class Reason(Enum):
    """Why a signature is refused."""

    NOT_SIGNED = "the catalog is not signed"
    DAMAGED = "the signature does not fit the catalog"
    UNTRUSTED_ROOT = "the chain ends in a root that is not trusted"
    EXPIRED = "a certificate of the chain is expired or not yet valid"
    WRONG_USAGE = "the certificate is not for code signing"


class SignatureRefused(UsageError):
    """A signature that cannot be relied upon; ``reason`` says why."""

    def __init__(self, reason: Reason, *, seen: str, where: str) -> None:
        self.reason = reason
        super().__init__("a signature that can be trusted", seen=f"{reason.value} ({seen})", where=where)


@dataclass(frozen=True)
class Signer:
    """Who signed, proven up to a trusted root."""

    name: str
    certificate: bytes
    """DER of the signing certificate."""
    chain: tuple[bytes, ...]
    """DER, from the signing certificate up to the root."""
    usages: frozenset[str] = frozenset()
    """Extended key usages of the signing certificate, as dotted numbers."""
    signed_at: datetime | None = None
    """From the time stamp, when it is trusted."""
    stamped_by: str = ""
    """Kind of the time stamp and who made it; empty without a trusted one."""
    digest_algorithm: str = "sha256"
    certificate_from: datetime | None = None
    """When the signing certificate became valid."""


def verify(catalog: Catalog, roots: Iterable[bytes], *, at: datetime | None = None) -> Signer:
    """The signer of ``catalog`` when its chain ends in one of ``roots`` (DER) and was valid when it signed.

    That moment is the time stamp's, if ``roots`` trust it; else ``at`` (default: now, UTC). Raises SignatureRefused.
    """
    if not catalog.signer:
        raise SignatureRefused(Reason.NOT_SIGNED, seen="no signer with its certificate", where=catalog.name)
    return verify_message(catalog.data, catalog.name, roots, at=at)


def verify_message(data: bytes, where: str, roots: Iterable[bytes], *, at: datetime | None = None) -> Signer:
    """As :func:`verify`, for a signed message (DER), such as an image carries."""
    try:
        signed = Signed.read(data)
        anchors = tuple(roots)
        return verify_signed(signed, where, anchors, at or utc_now())
    except PARSE_ERRORS as error:
        seen = f"{type(error).__name__}: {str(error)[:120]}"
        raise SignatureRefused(Reason.DAMAGED, seen=seen, where=where) from error


def verify_signed(signed: Signed, where: str, roots: tuple[bytes, ...], at: datetime) -> Signer:
    """As :func:`verify`, for a message that was read already."""
    name, allowed = common_name(signed.signer), usages(signed.signer)
    if allowed and CODE_SIGNING not in allowed:
        raise SignatureRefused(Reason.WRONG_USAGE, seen=f"signer {name}", where=where)
    stamp = signed.stamp if signed.stamp and _stamp_trusted(signed.stamp, roots) else None
    moment = stamp.moment if stamp and _LIFETIME_SIGNING not in allowed else at
    refusal: SignatureRefused | None = None
    for chain in chains(signed.signer, signed.certificates, roots):
        expired = next((c for c in chain if not c.not_valid_before_utc <= moment <= c.not_valid_after_utc), None)
        if expired is None:
            return Signer(
                name, _der(chain[0]), tuple(map(_der, chain)), allowed, stamp.moment if stamp else None,
                f"{stamp.kind}, {common_name(stamp.signer)}" if stamp else "", signed.digest_algorithm,
                signed.signer.not_valid_before_utc,
            )  # fmt: skip
        text = f"{expired.subject.rfc4514_string()} until {expired.not_valid_after_utc}"
        refusal = refusal or SignatureRefused(Reason.EXPIRED, seen=text, where=where)
    raise refusal or SignatureRefused(Reason.UNTRUSTED_ROOT, seen=f"signer {name}", where=where)


def _stamp_trusted(stamp: Stamp, roots: tuple[bytes, ...]) -> bool:
    """The stamp's signer may stamp, and its chain to a root was valid at that moment."""
    return TIME_STAMPING in usages(stamp.signer) and any(
        all(c.not_valid_before_utc <= stamp.moment <= c.not_valid_after_utc for c in chain[:-1])
        for chain in chains(stamp.signer, stamp.certificates, roots)
    )


def usages(certificate: Certificate) -> frozenset[str]:
    """Extended key usages; none when the certificate names none. Raises ValueError for a malformed extension."""
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound

    try:
        found = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    except ExtensionNotFound:
        return frozenset()
    return frozenset(usage.dotted_string for usage in found)


def common_name(certificate: Certificate) -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def chains(
    signer: Certificate, known: Iterable[Certificate], roots: tuple[bytes, ...]
) -> Iterator[tuple[Certificate, ...]]:
    """Every way from ``signer`` up to one of ``roots`` (DER) through certificates that may issue."""
    yield from _chains((signer,), tuple(known), roots)


def _chains(
    path: tuple[Certificate, ...], known: tuple[Certificate, ...], roots: tuple[bytes, ...]
) -> Iterator[tuple[Certificate, ...]]:
    last = path[-1]
    if _der(last) in roots:
        yield path
        return
    issuer_name = last.issuer.public_bytes()
    # a root is parsed only when its bytes hold the issuer's name: bundles have hundreds
    fitting = [_loaded(root) for root in roots if issuer_name in root]
    for issuer in (*known, *fitting):
        if issuer not in path and len(path) < _MAX_CHAIN and issuer.subject == last.issuer and _issued(issuer, last):
            yield from _chains((*path, issuer), known, roots)


@cache
def _loaded(encoded: bytes) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(encoded)


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _issued(issuer: Certificate, subject: Certificate) -> bool:
    """Whether ``issuer`` may issue and did; also with the digests of twenty years ago, which old roots have."""
    algorithm = _SIGNATURES.get(subject.signature_algorithm_oid.dotted_string)
    try:
        check(issuer, subject.signature, subject.tbs_certificate_bytes, algorithm or "")
        return _may_issue(issuer)
    except PARSE_ERRORS:
        return False


def _may_issue(certificate: Certificate) -> bool:
    from cryptography.x509 import BasicConstraints

    for extension in certificate.extensions:
        if isinstance(extension.value, BasicConstraints):
            return extension.value.ca
        if extension.oid.dotted_string == _OLD_CONSTRAINTS:
            return _SUBJECT_IS_AUTHORITY in extension.value.public_bytes()
    return certificate.issuer == certificate.subject  # roots of the first generation have no extensions
