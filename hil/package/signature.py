"""Whether a catalog is signed by someone who is trusted. The cryptography is signify's.

Source: Microsoft, "Authenticode Digital Signatures"; code signing is extended key usage 1.3.6.1.5.5.7.3.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package.catalog import PARSE_ERRORS, Catalog


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
    """DER from the root down to the signing certificate."""


def verify(catalog: Catalog, roots: Iterable[bytes], *, at: datetime | None = None) -> Signer:
    """The signer of ``catalog`` when its chain ends in one of ``roots`` (DER) and is valid ``at`` (default: now, UTC).

    A time stamp in the signature counts instead of ``at``. Raises SignatureRefused.
    """
    if not catalog.signer:
        raise SignatureRefused(Reason.NOT_SIGNED, seen="no signer information", where=catalog.name)
    moment = at or utc_now()
    chain, failure = _chain(catalog, roots, moment)
    if chain:
        return Signer(catalog.signer, chain[-1], chain)
    raise SignatureRefused(_diagnose(catalog, moment), seen=f"signer {catalog.signer}; {failure}", where=catalog.name)


def _diagnose(catalog: Catalog, moment: datetime) -> Reason:
    """Why no chain was found: what would have to be overlooked for the signature to hold."""
    embedded = catalog.certificates
    if _chain(catalog, embedded, moment)[0]:
        return Reason.UNTRUSTED_ROOT
    if _chain(catalog, embedded, moment, usage=None)[0]:
        return Reason.WRONG_USAGE
    if _chain(catalog, embedded, _signing_certificate_start(catalog))[0]:
        return Reason.EXPIRED
    return Reason.DAMAGED


def _signing_certificate_start(catalog: Catalog) -> datetime:
    """The latest moment at which a certificate of the chain began to be valid."""
    from asn1crypto import x509

    starts: list[datetime] = [x509.Certificate.load(certificate).not_valid_before for certificate in catalog.certificates]
    return max(starts, default=utc_now())


def _chain(
    catalog: Catalog, anchors: Iterable[bytes], moment: datetime, *, usage: str | None = "code_signing"
) -> tuple[tuple[bytes, ...], str]:
    """DER from an anchor to the signer, or nothing and what was wrong."""
    from asn1crypto import x509
    from signify.authenticode.trust_list import CertificateTrustList
    from signify.exceptions import SignifyError
    from signify.x509 import Certificate, CertificateStore

    try:
        store = CertificateStore([Certificate(x509.Certificate.load(anchor)) for anchor in anchors], trusted=True)
        signed = CertificateTrustList.from_envelope(catalog.data)
        chains = signed.verify(
            trusted_certificate_store=store, extended_key_usages=[usage] if usage else None,
            verification_context_kwargs={"timestamp": moment},
        )  # fmt: skip
        return tuple(certificate.to_asn1crypto().dump() for certificate in next(iter(chains))), ""
    except (SignifyError, *PARSE_ERRORS) as error:
        return (), f"{type(error).__name__}: {str(error)[:200]}"
