"""Whether a catalog is signed by someone who is trusted.

Sources: RFC 5652 section 5 (what is signed), RFC 5280 section 6 (chains), Microsoft "Authenticode Digital Signatures".
The signature mathematics is pyca/cryptography's. signify has a verifier too, but stands on oscrypto 1.3, which does not
load beside OpenSSL 3.0.10 and later. Time stamps are not looked at: pass ``at`` for a signature made in the past.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package.catalog import PARSE_ERRORS, Catalog

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MAX_CHAIN = 8


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


def verify(catalog: Catalog, roots: Iterable[bytes], *, at: datetime | None = None) -> Signer:
    """The signer of ``catalog`` when its chain ends in one of ``roots`` (DER) and is valid ``at`` (default: now, UTC).

    Raises SignatureRefused.
    """
    moment = at or utc_now()

    def refused(reason: Reason, seen: str) -> SignatureRefused:
        return SignatureRefused(reason, seen=seen, where=catalog.name)

    if not catalog.signer:
        raise refused(Reason.NOT_SIGNED, "no signer with its certificate")
    try:
        embedded = _certificates(catalog.certificates)
        signer = _check_signature(catalog.data, embedded)
        anchors = _certificates(roots)
    except _REFUSALS as error:
        raise refused(Reason.DAMAGED, f"{type(error).__name__}: {str(error)[:120]}") from error
    if not _may_sign_code(signer):
        raise refused(Reason.WRONG_USAGE, f"signer {catalog.signer}")
    chain = next(_chains([signer], [*embedded, *anchors], anchors), None)
    if chain is None:
        raise refused(Reason.UNTRUSTED_ROOT, f"signer {catalog.signer}")
    for certificate in chain:
        if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
            name, end = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
            raise refused(Reason.EXPIRED, f"{name} until {end}")
    encoded = tuple(_der(certificate) for certificate in chain)
    return Signer(catalog.signer, encoded[0], encoded)


class _BadSignature(ValueError):
    """The mathematics says no."""


_REFUSALS = (_BadSignature, *PARSE_ERRORS)


def _certificates(encoded: Iterable[bytes]) -> list[Certificate]:
    from cryptography.x509 import load_der_x509_certificate

    return [load_der_x509_certificate(data) for data in encoded]


def _der(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _check_signature(data: bytes, embedded: list[Certificate]) -> Certificate:
    """The certificate whose key made the signature over content and attributes. Raises one of the refusals."""
    from asn1crypto import cms

    signed = cms.ContentInfo.load(data)["content"]
    info = signed["signer_infos"][0]
    serial = info["sid"].chosen["serial_number"].native
    signer = next(certificate for certificate in embedded if certificate.serial_number == serial)
    algorithm = str(info["digest_algorithm"]["algorithm"].native)
    attributes = {attribute["type"].native: attribute["values"][0].native for attribute in info["signed_attrs"]}
    # the content's tag and length are not hashed (RFC 2315 section 9.3)
    content = hashlib.new(algorithm, signed["encap_content_info"]["content"].contents).digest()
    if attributes["content_type"] != "microsoft_ctl" or attributes["message_digest"] != content:
        raise _BadSignature("the signed digest is not that of the content")
    # signed as a SET, stored with an implicit tag (RFC 5652 section 5.4)
    _check(signer, info["signature"].native, b"\x31" + info["signed_attrs"].dump()[1:], algorithm)
    return signer


def _check(signer: Certificate, signature: bytes, message: bytes, algorithm: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    known: tuple[Any, ...] = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
    digest, key = {kind.name: kind for kind in known}[algorithm](), signer.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            raise _BadSignature(f"a key of type {type(key).__name__}")
    except InvalidSignature as error:
        raise _BadSignature("the signature was not made by this key") from error


def _may_sign_code(certificate: Certificate) -> bool:
    """A certificate that names its extended usages must name code signing."""
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usages = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
        return ExtendedKeyUsageOID.CODE_SIGNING in usages
    except ExtensionNotFound:
        return True
    except ValueError:
        return False


def _chains(
    path: list[Certificate], known: list[Certificate], anchors: list[Certificate]
) -> Iterator[tuple[Certificate, ...]]:
    """Every way from ``path`` up to an anchor through certificates that may issue."""
    last = path[-1]
    if last in anchors:
        yield tuple(path)
    for issuer in known:
        if issuer not in path and len(path) < _MAX_CHAIN and _issued(issuer, last):
            yield from _chains([*path, issuer], known, anchors)


def _issued(issuer: Certificate, subject: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        subject.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(BasicConstraints).value.ca
    except (InvalidSignature, ExtensionNotFound, ValueError, TypeError):
        return False
