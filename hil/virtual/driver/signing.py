"""A throw-away publisher, and catalogs signed by it the way Inf2Cat and SignTool make them.

Structures: MS-CAESO (certificate trust list), "Windows Authenticode Portable Executable Signature Format" (indirect
data), RFC 2315 (the signature covers the content without its tag and length).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, core, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from signify.asn1 import ctl, spc

from hil.package.catalog import CATALOG_LIST, NAME_VALUE, file_digest
from hil.package.pe import is_pe

PE_SIP = "{C689AAB8-8E78-11D0-8C47-00C04FC295EE}"
FLAT_SIP = "{DE351A42-8E59-11D0-8C47-00C04FC295EE}"
"""Subject interface packages of Windows for executables and for plain files."""
_V1_MEMBER = "1.3.6.1.4.1.311.12.1.2"
_TEXT_ATTRIBUTE = 0x10010001
"""CRYPTCAT_ATTR_AUTHENTICATED | NAMEASCII | DATAASCII"""
_OBSOLETE = "<<<Obsolete>>>"
"""What Microsoft's own tools put where a file name once stood."""


@dataclass(frozen=True)
class Publisher:
    """A code-signing certificate and its key; self-signed, as the driver kit makes for test signing, or issued."""

    name: str
    certificate: pyca.Certificate
    key: rsa.RSAPrivateKey
    issuers: tuple[Publisher, ...] = ()
    """From who issued the certificate up to the root; none for a self-signed one."""

    @classmethod
    def create(cls, name: str, now: datetime) -> Publisher:
        """RSA 2048, valid from a day before ``now`` for a year: kernel code integrity takes no elliptic curves."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = pyca.Name([pyca.NameAttribute(NameOID.COMMON_NAME, name)])
        identifier = pyca.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            pyca.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(pyca.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(pyca.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(pyca.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(identifier, critical=False)
            .add_extension(_key_usage(), critical=True)
        )
        return cls(name, builder.sign(key, hashes.SHA256()), key)

    def issue(self, name: str, begin: datetime, end: datetime) -> Publisher:
        """Another publisher, with a certificate that this one issued. It has the same key, which costs no time."""
        builder = (
            pyca.CertificateBuilder()
            .subject_name(pyca.Name([pyca.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject)
            .public_key(self.key.public_key())
            .serial_number(pyca.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(pyca.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(pyca.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        )
        return Publisher(name, builder.sign(self.key, hashes.SHA256()), self.key, (self, *self.issuers))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def sign_catalog(self, files: Mapping[str, bytes], hardware_ids: tuple[str, ...], now: datetime) -> bytes:
        """A signed catalog (DER) with one member for each of ``files`` (name to bytes)."""
        content = _trust_list(files, hardware_ids, now)
        certificate = x509.Certificate.load(self.der)
        digest = hashlib.sha256(content.contents).digest()
        attributes = cms.CMSAttributes([
            _attribute("content_type", "microsoft_ctl"),
            _attribute("microsoft_spc_sp_opus_info", {"program_name": spc.SpcString("unicode", self.name)}),
            _attribute("message_digest", digest),
        ])  # fmt: skip
        signature = self.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256())
        sha256 = {"algorithm": "sha256", "parameters": core.Null()}
        signer = cms.SignerInfo({
            "version": "v1",
            "sid": cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
            )),
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "rsassa_pkcs1v15", "parameters": core.Null()},
            "signature": signature,
        })  # fmt: skip
        brought = [x509.Certificate.load(publisher.der) for publisher in (self, *self.issuers)]
        return _message(content, digest_algorithms=[sha256], signer_infos=[signer], certificates=brought)


def unsigned_catalog(files: Mapping[str, bytes], hardware_ids: tuple[str, ...], now: datetime) -> bytes:
    """A catalog as Inf2Cat leaves it, before SignTool."""
    return _message(_trust_list(files, hardware_ids, now), digest_algorithms=[], signer_infos=[])


def _message(content: ctl.CertificateTrustList, **signatures: object) -> bytes:
    inner = {"content_type": "microsoft_ctl", "content": content}
    signed = cms.SignedData({"version": "v1", "encap_content_info": inner, **signatures})
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _key_usage() -> pyca.KeyUsage:
    return pyca.KeyUsage(
        digital_signature=True, key_cert_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _attribute(kind: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": [value]})


def _trust_list(files: Mapping[str, bytes], hardware_ids: tuple[str, ...], now: datetime) -> ctl.CertificateTrustList:
    texts = {"OS": "_v100_X64_24H2"} | {f"HWID{index}": text.lower() for index, text in enumerate(hardware_ids, 1)}
    extensions = [
        {"extn_id": NAME_VALUE, "extn_value": core.ParsableOctetString(_name_value(name, text).dump())}
        for name, text in texts.items()
    ]
    members = [_member(name, data) for name, data in files.items()]
    members.sort(key=lambda member: bytes(member["subject_identifier"]))
    return ctl.CertificateTrustList({
        "subject_usage": [CATALOG_LIST],
        "list_identifier": hashlib.sha256(b"".join(files.values())).digest()[:16],
        "ctl_this_update": x509.Time("utc_time", now.replace(microsecond=0)),
        "subject_algorithm": algos.DigestAlgorithm({"algorithm": _V1_MEMBER, "parameters": core.Null()}),
        "trusted_subjects": members,
        "ctl_extensions": extensions,
    })  # fmt: skip


def _name_value(name: str, text: str) -> ctl.NameValue:
    return ctl.NameValue({"refname": name, "typeaction": _TEXT_ATTRIBUTE, "value": text + "\0"})


def _member(name: str, data: bytes) -> ctl.TrustedSubject:
    digest = file_digest(data)
    image = is_pe(data)
    link = spc.SpcLink("file", spc.SpcString("unicode", _OBSOLETE))
    subject = {"type": "microsoft_spc_cab_data", "value": link}
    if image:
        subject = {"type": "microsoft_spc_pe_image_data", "value": spc.SpcPeImageData({"flags": set(), "file": link})}
    information = {"subguid": PE_SIP if image else FLAT_SIP, "certversion": 512}
    indirect = spc.SpcIndirectDataContent({
        "data": subject,
        "message_digest": {"digest_algorithm": {"algorithm": "sha256", "parameters": core.Null()}, "digest": digest},
    })  # fmt: skip
    return ctl.TrustedSubject({
        "subject_identifier": (digest.hex().upper() + "\0").encode("utf-16-le"),
        "subject_attributes": [
            {"type": "microsoft_cat_namevalue", "values": [_name_value("File", name), _name_value("OSAttr", "2:10.0")]},
            {"type": "microsoft_cat_memberinfo", "values": [information]},
            {"type": "microsoft_spc_indirect_data_content", "values": [indirect]},
        ],
    })  # fmt: skip
