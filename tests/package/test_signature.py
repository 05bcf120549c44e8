"""Catalogs and who signed them, with osslsigncode as an independent judge."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package import Catalog, Reason, SignatureRefused
from hil.package.signature import verify
from hil.virtual.driver.signing import Publisher

needs_osslsigncode = pytest.mark.skipif(shutil.which("osslsigncode") is None, reason="needs osslsigncode")
FILES = {"a.inf": b"[Version]", "b.txt": b"text"}
NOW = utc_now()
PUBLISHER = Publisher.create("Lab", NOW)
SIGNED = PUBLISHER.sign_catalog(FILES, (r"PCI\VEN_1",), NOW)


def test_what_the_catalog_says():
    """Members, attributes, signer and hardware ids are read from the signed list."""
    catalog = Catalog.parse(SIGNED, "x.cat")
    assert {member.attributes["File"] for member in catalog.members} == set(FILES)
    assert (catalog.signer, catalog.attributes["HWID1"]) == ("Lab", r"pci\ven_1")
    assert all(catalog.find(data) for data in FILES.values())
    assert catalog.find(b"something else") is None
    assert abs(catalog.created - NOW) < timedelta(seconds=2)


@needs_osslsigncode
def test_osslsigncode_agrees(built, tmp_path):
    """osslsigncode takes the catalog's signature and the driver through it, and refuses the altered driver.

    Two verifiers that share no code: what both say, a Windows machine will say.
    """
    authority = tmp_path / "ca.pem"
    certificate = x509.load_der_x509_certificate(built.certificate.read_bytes())
    authority.write_bytes(certificate.public_bytes(Encoding.PEM))
    catalog = built.current / "hilnic.cat"

    def judge(*args: object) -> bool:
        done = subprocess.run(
            ["osslsigncode", "verify", "-CAfile", authority, *args], capture_output=True, text=True, check=False
        )
        return done.returncode == 0 and "Succeeded" in done.stdout.splitlines()[-1:]

    assert judge("-in", catalog)
    assert judge("-catalog", catalog, "-in", built.current / "hilnic.sys")
    assert not judge("-catalog", catalog, "-in", built.broken / "hilnic.sys")
    # issued by the same authority, one of them in time
    assert judge("-in", built.revoked / "hilnic.cat")
    assert not judge("-in", built.expired / "hilnic.cat")
    assert not judge("-in", built.unsigned / "hilnic.cat")


def refusal(data: bytes, roots: list[bytes], **options: object) -> Reason:
    with pytest.raises(SignatureRefused) as error:
        verify(Catalog.parse(data, "x.cat"), roots, **options)
    assert error.value.where == "x.cat"
    return error.value.reason


def test_trusted_signer():
    """A signature whose certificate is trusted holds, and names its signer."""
    assert verify(Catalog.parse(SIGNED, "x.cat"), [PUBLISHER.der]).name == "Lab"


def test_untrusted_root():
    """Without the root, or with another one, the reason is the root and nothing else."""
    assert refusal(SIGNED, []) is Reason.UNTRUSTED_ROOT
    assert refusal(SIGNED, [Publisher.create("Lab", NOW).der]) is Reason.UNTRUSTED_ROOT


def test_expired_certificate():
    """After the certificate's end, and before its start, the reason is the time."""
    assert refusal(SIGNED, [PUBLISHER.der], at=NOW + timedelta(days=400)) is Reason.EXPIRED
    assert refusal(SIGNED, [PUBLISHER.der], at=NOW - timedelta(days=2)) is Reason.EXPIRED


def test_changed_content_is_damage():
    """A member's digest changed in the signed list: the signature does not fit any more."""
    digest = Catalog.parse(SIGNED, "x.cat").members[0].digest
    changed = SIGNED.replace(digest, bytes(reversed(digest)))
    assert changed != SIGNED
    assert refusal(changed, [PUBLISHER.der]) is Reason.DAMAGED


def test_changed_signature_is_damage():
    """One bit of the signature itself changed."""
    assert refusal(SIGNED[:-1] + bytes([SIGNED[-1] ^ 1]), [PUBLISHER.der]) is Reason.DAMAGED


def issue(name: str, issuer: Publisher | None, usage: x509.ObjectIdentifier, *, authority: bool = False) -> Publisher:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Publisher(name, certificate, key)


def test_chain_through_an_authority():
    """A signer whose certificate an authority issued is trusted through that authority, by name of the signer."""
    root = issue("Root", None, ExtendedKeyUsageOID.CODE_SIGNING, authority=True)
    leaf = issue("Vendor", root, ExtendedKeyUsageOID.CODE_SIGNING)
    signer = verify(Catalog.parse(leaf.sign_catalog(FILES, (), NOW), "x.cat"), [root.der])
    assert (signer.name, signer.chain) == ("Vendor", (leaf.der, root.der))


def test_issuer_that_is_no_authority():
    """A certificate issued by an ordinary one does not inherit its trust.

    Else anybody with a certificate could make more of them.
    """
    vendor = issue("Vendor", None, ExtendedKeyUsageOID.CODE_SIGNING)
    other = issue("Other", vendor, ExtendedKeyUsageOID.CODE_SIGNING)
    assert refusal(other.sign_catalog(FILES, (), NOW), [vendor.der]) is Reason.UNTRUSTED_ROOT


def test_certificate_for_another_purpose():
    """A web server's certificate does not sign drivers, trusted or not."""
    server = issue("www", None, ExtendedKeyUsageOID.SERVER_AUTH, authority=True)
    assert refusal(server.sign_catalog(FILES, (), NOW), [server.der]) is Reason.WRONG_USAGE


@settings(max_examples=400)
@given(st.data())
def test_damaged_catalog_is_read_or_refused(data):
    """Bytes changed or cut anywhere: an answer or UsageError, and never a signature that holds over other content."""
    damaged = bytearray(SIGNED[: data.draw(st.integers(0, len(SIGNED)))] if data.draw(st.booleans()) else SIGNED)
    for _ in range(data.draw(st.integers(1, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        catalog = Catalog.parse(bytes(damaged), "x.cat")
        verify(catalog, [PUBLISHER.der])
    except UsageError as error:
        assert error.where == "x.cat"
    else:
        assert {member.digest for member in catalog.members} == {m.digest for m in Catalog.parse(SIGNED, "").members}


@given(st.binary(max_size=200))
def test_any_bytes_are_no_catalog(data):
    """Bytes that never were a catalog are refused by name."""
    with pytest.raises(UsageError):
        Catalog.parse(data, "x.cat")
