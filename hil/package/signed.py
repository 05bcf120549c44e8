"""Signed messages as Authenticode makes them: in catalogs, in images, and in time stamps.

Sources: RFC 5652 (signed data), RFC 2315 section 9.3 (what of the content is hashed), RFC 3161 (time-stamp token),
Microsoft "Windows Authenticode Portable Executable Signature Format" (attributes, indirect data, certificate table).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from hil.package.pe import Pe

PARSE_ERRORS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, StopIteration,
)  # fmt: skip
"""What asn1crypto and pyca/cryptography raise on malformed input, by reading their source and by fuzzing."""

_TIME_STAMP_TOKEN = "1.3.6.1.4.1.311.3.3.1"
_NESTED = "1.3.6.1.4.1.311.2.4.1"
_COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
_TIME_STAMP_INFO = "1.2.840.113549.1.9.16.1.4"
_PKCS_SIGNED_DATA = 2
"""WIN_CERT_TYPE_PKCS_SIGNED_DATA"""


class BadSignature(ValueError):
    """The mathematics says no."""


@dataclass(frozen=True)
class Stamp:
    """A time stamp on a signature; not yet trusted."""

    moment: datetime
    kind: str
    """``RFC 3161`` or ``counter-signature``."""
    signer: Certificate
    certificates: tuple[Certificate, ...]


@dataclass(frozen=True)
class Signed:
    """One signed message whose signature fits its content; whether its signer is trusted is another question."""

    content_type: str
    content: Any
    """Parsed by asn1crypto."""
    digest_algorithm: str
    signer: Certificate
    certificates: tuple[Certificate, ...]
    """All that came with it."""
    stamp: Stamp | None
    nested: tuple[bytes, ...]
    """Further signatures, DER."""

    @classmethod
    def read(cls, data: bytes) -> Signed:
        """Raises BadSignature when the signature does not fit, or one of PARSE_ERRORS."""
        from asn1crypto import cms
        from signify.asn1 import ctl, spc  # noqa: F401  (registers Microsoft's structures with asn1crypto)

        signed = cms.ContentInfo.load(data)["content"]
        info = signed["signer_infos"][0]
        certificates = _certificates(signed)
        signer = _signer(info, certificates)
        content = signed["encap_content_info"]
        algorithm = _check_message(signer, info, content["content_type"].native, _hashed(content))
        unsigned = {item["type"].dotted: item["values"] for item in info["unsigned_attrs"] or ()}
        return cls(
            content_type=content["content_type"].native, content=content["content"], digest_algorithm=algorithm,
            signer=signer, certificates=certificates,
            stamp=_stamp(unsigned, info["signature"].native, certificates),
            nested=tuple(value.dump() for value in unsigned.get(_NESTED, ())),
        )  # fmt: skip


def _certificates(signed: Any) -> tuple[Certificate, ...]:
    from cryptography.x509 import load_der_x509_certificate

    choices = signed["certificates"] or ()
    return tuple(load_der_x509_certificate(choice.chosen.dump()) for choice in choices if choice.name == "certificate")


def _signer(info: Any, certificates: tuple[Certificate, ...]) -> Certificate:
    serial = info["sid"].chosen["serial_number"].native
    issuer = info["sid"].chosen["issuer"].dump()
    for certificate in certificates:
        if certificate.serial_number == serial and certificate.issuer.public_bytes() == issuer:
            return certificate
    return next(certificate for certificate in certificates if certificate.serial_number == serial)


def _hashed(content: Any) -> bytes:
    """The content without its tag and length (RFC 2315 section 9.3); of a token, the octets (RFC 5652 section 5.4)."""
    body = content["content"]
    octets = content["content_type"].dotted == _TIME_STAMP_INFO
    return bytes(body) if octets else bytes(body.contents)


def _check_message(signer: Certificate, info: Any, content_type: str, content: bytes) -> str:
    """The digest algorithm, when digest and signature fit. Raises BadSignature."""
    algorithm = str(info["digest_algorithm"]["algorithm"].native)
    signature = info["signature"].native
    if not info["signed_attrs"]:
        check(signer, signature, content, algorithm)
        return algorithm
    attributes = {attribute["type"].native: attribute["values"][0].native for attribute in info["signed_attrs"]}
    digest = hashlib.new(algorithm, content).digest()
    if attributes["content_type"] != content_type or attributes["message_digest"] != digest:
        raise BadSignature("the signed digest is not that of the content")
    # signed as a SET, stored with an implicit tag (RFC 5652 section 5.4)
    check(signer, signature, b"\x31" + info["signed_attrs"].dump()[1:], algorithm)
    return algorithm


def check(signer: Certificate, signature: bytes, message: bytes, algorithm: str) -> None:
    """Raises BadSignature when ``signature`` over ``message`` was not made with the certificate's key."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    known: tuple[Any, ...] = (hashes.MD5, hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
    digest = {kind.name: kind for kind in known}[algorithm]()
    try:
        key = signer.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            if not _bare_digest(key, signature, message, algorithm):
                key.verify(signature, message, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            raise BadSignature(f"a key of type {type(key).__name__}")
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise BadSignature("the signature was not made by this key") from error


def _bare_digest(key: Any, signature: bytes, message: bytes, algorithm: str) -> bool:
    """Whether the signed block is the digest without its algorithm's name: stamping services did so before 2008."""
    from cryptography.hazmat.primitives.asymmetric import padding

    if algorithm not in ("md5", "sha1"):
        return False
    recovered = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    return bool(recovered == hashlib.new(algorithm, message, usedforsecurity=False).digest())


def _stamp(unsigned: dict[str, Any], signature: bytes, certificates: tuple[Certificate, ...]) -> Stamp | None:
    """The time stamp over ``signature``; None without one. Raises BadSignature for one of another signature."""
    if _TIME_STAMP_TOKEN in unsigned:
        from asn1crypto import tsp

        token = Signed.read(unsigned[_TIME_STAMP_TOKEN][0].dump())
        content = tsp.TSTInfo.load(bytes(token.content))
        imprint = content["message_imprint"]
        algorithm = str(imprint["hash_algorithm"]["algorithm"].native)
        if imprint["hashed_message"].native != hashlib.new(algorithm, signature).digest():
            raise BadSignature("the time stamp is of another signature")
        return Stamp(content["gen_time"].native, "RFC 3161", token.signer, (*token.certificates, *certificates))
    if _COUNTER_SIGNATURE in unsigned:
        from asn1crypto import cms

        info = cms.SignerInfo.load(unsigned[_COUNTER_SIGNATURE][0].dump())
        signer = _signer(info, certificates)
        _check_message(signer, info, "data", signature)
        attributes = {attribute["type"].native: attribute["values"][0].native for attribute in info["signed_attrs"]}
        return Stamp(attributes["signing_time"], "counter-signature", signer, certificates)
    return None


def embedded(image: Pe, data: bytes) -> Iterator[bytes]:
    """DER of each signature in an image's certificate table. Raises struct.error for a damaged table."""
    at, end = image.signature_offset, image.signature_offset + image.signature_size
    while at and at + 8 < end:
        size, _, kind = struct.unpack_from("<IHH", data, at)
        if size < 8:
            raise struct.error(f"a certificate entry of {size} bytes")
        if kind == _PKCS_SIGNED_DATA:
            yield data[at + 8 : at + size]
        at += size + -size % 8


def image_digest(signed: Signed) -> tuple[str, bytes]:
    """Algorithm and digest of the image that an embedded signature is for."""
    digest = signed.content["message_digest"]
    return str(digest["digest_algorithm"]["algorithm"].native), digest["digest"].native
