"""Catalog files: which files a publisher vouches for, by hash.

A catalog is a PKCS #7 SignedData whose content is a certificate trust list. Each member carries SPC_INDIRECT_DATA with
the digest of one file: of the image as Authenticode sees it for executables, of the plain bytes for others.
Sources: MS-CAESO (structure), Microsoft "Catalog files and digital signatures"; structures parsed with signify.asn1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hil.errors import UsageError
from hil.package.pe import Pe, is_pe
from hil.package.signed import PARSE_ERRORS

CATALOG_LIST = "1.3.6.1.4.1.311.12.1.1"
NAME_VALUE = "1.3.6.1.4.1.311.12.2.1"
_MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Member:
    """One file that the catalog vouches for."""

    tag: str
    """Subject identifier: hexadecimal digest, or the text that the maker chose."""
    algorithm: str
    """sha1 or sha256."""
    digest: bytes
    attributes: Mapping[str, str]
    """Name-value attributes: ``File``, ``OSAttr`` ..."""


@dataclass(frozen=True)
class Catalog:
    """One catalog, not yet verified: see :mod:`hil.package.signature`."""

    name: str
    data: bytes
    identifier: bytes
    created: datetime
    members: tuple[Member, ...]
    attributes: Mapping[str, str]
    """Of the catalog as a whole: ``OS``, ``HWID1`` ..."""
    signer: str
    """Common name of the certificate that signed, empty when the catalog is not signed."""
    certificates: tuple[bytes, ...]
    """Embedded certificates, DER."""
    signer_certificate: bytes = b""
    """The one that signed, DER; empty when the catalog is not signed."""

    @classmethod
    def parse(cls, data: bytes, name: str) -> Catalog:
        """Raises UsageError when ``data`` is no catalog."""
        if len(data) > _MAX_BYTES:
            raise UsageError(f"a catalog of at most {_MAX_BYTES} bytes", seen=f"{len(data)} bytes", where=name)
        try:
            return _parse(data, name)
        except PARSE_ERRORS as error:
            raise UsageError(
                "a security catalog (.cat)", seen=f"{type(error).__name__}: {str(error)[:200]}", where=name
            ) from error

    def find(self, data: bytes) -> Member | None:
        """The member that vouches for a file with these bytes; None when no hash fits."""
        algorithms = {member.algorithm for member in self.members}
        digests = {(algorithm, file_digest(data, algorithm)) for algorithm in algorithms}
        return next((member for member in self.members if (member.algorithm, member.digest) in digests), None)


def file_digest(data: bytes, algorithm: str = "sha256") -> bytes:
    """The digest that a catalog holds for a file with these bytes."""
    if is_pe(data):
        try:
            return Pe.parse(data, "").authenticode_hash(data, algorithm)
        except UsageError:  # damaged images are hashed flat, and so match nothing
            return hashlib.new(algorithm, data).digest()
    return hashlib.new(algorithm, data).digest()


def _parse(data: bytes, name: str) -> Catalog:
    from asn1crypto import cms
    from signify.asn1 import ctl  # registers the structures of trust lists with asn1crypto

    envelope = cms.ContentInfo.load(data, strict=True)
    if envelope["content_type"].native != "signed_data":
        raise ValueError(f"content type {envelope['content_type'].native}")
    signed = envelope["content"]
    content = signed["encap_content_info"]["content"]
    if not isinstance(content, ctl.CertificateTrustList):
        raise ValueError("the signed content is no trust list")
    if CATALOG_LIST not in [usage.dotted for usage in content["subject_usage"]]:
        raise ValueError("the trust list is no catalog list")
    certificates = [choice.chosen for choice in signed["certificates"] or () if choice.name == "certificate"]
    extensions = content["ctl_extensions"] or ()
    signer = _signer(signed, certificates)
    return Catalog(
        name=name, data=data, identifier=content["list_identifier"].native or b"",
        created=content["ctl_this_update"].native,
        members=tuple(_member(subject) for subject in content["trusted_subjects"] or ()),
        attributes=dict(
            _name_value(ctl.NameValue.load(extension["extn_value"].native))
            for extension in extensions if extension["extn_id"].dotted == NAME_VALUE
        ),
        signer=_common_name(signer.subject.native) if signer else "",
        certificates=tuple(certificate.dump() for certificate in certificates),
        signer_certificate=signer.dump() if signer else b"",
    )  # fmt: skip


def _member(subject: Any) -> Member:
    attributes = {attribute["type"].native: attribute["values"] for attribute in subject["subject_attributes"] or ()}
    tag = subject["subject_identifier"].native
    # the first format writes the digest in UTF-16 hexadecimal digits, the second as it is
    readable = tag.decode("utf-16-le", "replace").rstrip("\0") if len(tag) > 32 else tag.hex().upper()
    if "microsoft_spc_indirect_data_content" in attributes:
        digest = attributes["microsoft_spc_indirect_data_content"][0]["message_digest"]
        algorithm, value = str(digest["digest_algorithm"]["algorithm"].native), digest["digest"].native
    else:
        value = bytes.fromhex(readable)
        algorithm = {20: "sha1", 32: "sha256"}.get(len(value), "")
    if algorithm not in ("sha1", "sha256", "sha384", "sha512"):
        raise ValueError(f"digest algorithm {algorithm or 'unknown'}")
    return Member(
        tag=readable, algorithm=algorithm, digest=value,
        attributes=dict(_name_value(value) for value in attributes.get("microsoft_cat_namevalue", ())),
    )  # fmt: skip


def _name_value(value: Any) -> tuple[str, str]:
    return str(value["refname"].native), str(value["value"].native)


def _signer(signed: Any, certificates: list[Any]) -> Any:
    """The certificate of the first signer that brought it; None without."""
    for info in signed["signer_infos"]:
        sid = info["sid"].chosen
        for certificate in certificates:
            named = certificate.issuer == sid["issuer"] if info["sid"].name == "issuer_and_serial_number" else False
            if named and certificate.serial_number == sid["serial_number"].native:
                return certificate
    return None


def _common_name(subject: Mapping[str, Any]) -> str:
    name = subject.get("common_name") or subject.get("organization_name") or ""
    return str(name[0] if isinstance(name, list) else name)
