"""Time stamps, embedded signatures, and which Windows takes what; osslsigncode makes and judges them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from hil.clock import utc_now
from hil.package import Catalog, Pe, Reason, SignatureRefused, Signer, anchors
from hil.package.check import check
from hil.package.policy import ATTESTATION, TARGETS, WHQL, Kind, Signature, judge, verdict
from hil.package.signature import CODE_SIGNING, TIME_STAMPING, verify, verify_message, verify_signed
from hil.package.signed import Signed, embedded, image_digest

pytestmark = pytest.mark.skipif(shutil.which("osslsigncode") is None, reason="needs osslsigncode")
NOW = utc_now()
SIGNED_ON = NOW - timedelta(days=300)
LIFETIME = "1.3.6.1.4.1.311.10.3.13"


class Identity:
    """A certificate and its key, in files as osslsigncode wants them."""

    def __init__(self, folder: Path, name: str, issuer: Identity | None, usages: tuple[str, ...], days: int) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=400))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(_key_usage(issuer is None), critical=True)
        )
        if usages:
            extended = x509.ExtendedKeyUsage([ObjectIdentifier(usage) for usage in usages])
            builder = builder.add_extension(extended, critical=TIME_STAMPING in usages)
        self.certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        self.key = key
        self.der = self.certificate.public_bytes(Encoding.DER)
        self.pem = folder / f"{name}.pem"
        self.pem.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self.key_file = folder / f"{name}.key"
        self.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _key_usage(authority: bool) -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign",
             "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(digital_signature=True, key_cert_sign=authority, **dict.fromkeys(names, False))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """An authority, a signer whose certificate has expired, one of a single purpose, and a stamping service."""
    folder = tmp_path_factory.mktemp("keys")
    root = Identity(folder, "Root", None, (), 3650)
    return {
        "root": root,
        "expired": Identity(folder, "Vendor", root, (CODE_SIGNING,), -10),
        "lifetime": Identity(folder, "Short", root, (CODE_SIGNING, LIFETIME), -10),
        "valid": Identity(folder, "Good", root, (CODE_SIGNING, WHQL), 300),
        "stamper": Identity(folder, "Stamper", root, (TIME_STAMPING,), 3650),
    }


def sign(source: Path, target: Path, signer: Identity, stamper: Identity | None) -> bytes:
    """Sign with osslsigncode; with a stamp of ``SIGNED_ON`` when there is a stamper."""
    stamp = ["-TSA-certs", stamper.pem, "-TSA-key", stamper.key_file] if stamper else []
    stamp += ["-TSA-time", str(int(SIGNED_ON.timestamp()))] if stamper else []
    subprocess.run(
        ["osslsigncode", "sign", "-certs", signer.pem, "-key", signer.key_file, "-h", "sha256", *stamp,
         "-in", source, "-out", target], check=True, capture_output=True,
    )  # fmt: skip
    return target.read_bytes()


def osslsigncode_takes(file: Path, root: Identity) -> bool:
    done = subprocess.run(
        ["osslsigncode", "verify", "-ignore-crl", "-ignore-cdp", "-CAfile", root.pem, "-TSA-CAfile", root.pem,
         "-in", file], capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode == 0 and "Succeeded" in done.stdout


@pytest.fixture
def image(built, tmp_path):
    """``image(signer, stamper)`` is a signed driver: its path and its one embedded signature, DER."""

    def make(signer: Identity, stamper: Identity | None = None) -> tuple[Path, bytes]:
        target = tmp_path / "signed.sys"
        data = sign(built.current / "hilnic.sys", target, signer, stamper)
        (signature,) = embedded(Pe.parse(data, ""), data)
        return target, signature

    return make


def test_stamped_signature_outlives_its_certificate(keys, image):
    """A signature by a certificate that has expired since holds by its RFC 3161 stamp, and says when it was made.

    Every driver older than its certificate depends on it; osslsigncode agrees.
    """
    file, signature = image(keys["expired"], keys["stamper"])
    signer = verify_message(signature, "x", [keys["root"].der])
    assert (signer.name, signer.stamped_by) == ("Vendor", "RFC 3161, Stamper")
    assert abs(signer.signed_at - SIGNED_ON) < timedelta(seconds=2)
    assert osslsigncode_takes(file, keys["root"])


def test_without_a_stamp_it_expires(keys, image):
    """The same without stamp is expired today, and was not on the day of signing."""
    file, signature = image(keys["expired"])
    with pytest.raises(SignatureRefused) as error:
        verify_message(signature, "x", [keys["root"].der])
    assert error.value.reason is Reason.EXPIRED
    assert verify_message(signature, "x", [keys["root"].der], at=SIGNED_ON).signed_at is None
    assert not osslsigncode_takes(file, keys["root"])


def test_stamp_of_an_unknown_service_does_not_count(keys, image, tmp_path):
    """A stamp that anybody could have made moves nothing."""
    stranger = Identity(tmp_path, "Stranger", Identity(tmp_path, "Elsewhere", None, (), 900), (TIME_STAMPING,), 900)
    _, signature = image(keys["expired"], stranger)
    with pytest.raises(SignatureRefused) as error:
        verify_message(signature, "x", [keys["root"].der])
    assert error.value.reason is Reason.EXPIRED


def test_stamper_must_be_for_stamping(keys, image):
    """A code-signing certificate does not stamp."""
    signed = Signed.read(image(keys["expired"], keys["stamper"])[1])
    other = replace(signed, stamp=replace(signed.stamp, signer=keys["valid"].certificate))
    roots = (keys["root"].der,)
    assert verify_signed(signed, "x", roots, NOW).signed_at
    with pytest.raises(SignatureRefused) as error:
        verify_signed(other, "x", roots, NOW)
    assert error.value.reason is Reason.EXPIRED


def test_counter_signature(keys, image):
    """The stamp of the old kind, which most drivers before 2013 have, counts in the same way.

    It is made here, since stamping services of that kind are gone; the reader was tried on real ones too.
    """
    _, signature = image(keys["expired"])
    signer = verify_message(counter_signed(signature, keys["stamper"]), "x", [keys["root"].der])
    assert signer.stamped_by == "counter-signature, Stamper"
    assert abs(signer.signed_at - SIGNED_ON) < timedelta(seconds=2)
    moved = counter_signed(signature, keys["stamper"], over=b"another signature")
    with pytest.raises(SignatureRefused) as error:
        verify_message(moved, "x", [keys["root"].der])
    assert error.value.reason is Reason.DAMAGED


def counter_signed(signature: bytes, stamper: Identity, over: bytes = b"") -> bytes:
    """The message with a PKCS #9 counter-signature over its signature value."""
    certificate = asn1.Certificate.load(stamper.der)
    message = cms.ContentInfo.load(signature)
    info = message["content"]["signer_infos"][0]
    digest = hashlib.sha256(over or info["signature"].native).digest()
    attributes = cms.CMSAttributes([
        cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
        cms.CMSAttribute({"type": "signing_time", "values": [cms.Time("utc_time", SIGNED_ON.replace(microsecond=0))]}),
        cms.CMSAttribute({"type": "message_digest", "values": [digest]}),
    ])  # fmt: skip
    counter = cms.SignerInfo({
        "version": "v1",
        "sid": cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(
            {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        )),
        "digest_algorithm": {"algorithm": "sha256"}, "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
        "signature": stamper.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256()),
    })  # fmt: skip
    info["unsigned_attrs"] = [cms.CMSAttribute({"type": "counter_signature", "values": [counter]})]
    message["content"]["certificates"].append(cms.CertificateChoices("certificate", certificate))
    return bytes(message.dump())


def test_lifetime_signing_ends_with_the_certificate(keys, image):
    """A certificate for lifetime signing is over when it ends, stamped or not."""
    _, signature = image(keys["lifetime"], keys["stamper"])
    with pytest.raises(SignatureRefused) as error:
        verify_message(signature, "x", [keys["root"].der])
    assert error.value.reason is Reason.EXPIRED


def test_stamp_of_another_signature_is_damage(keys, image):
    """A stamp moved from one signature to another is found out."""
    _, signature = image(keys["expired"], keys["stamper"])
    imprint = Signed.read(signature).stamp
    assert imprint is not None
    value = _signature_value(signature)
    changed = signature.replace(value, bytes(reversed(value)))
    with pytest.raises(SignatureRefused) as error:
        verify_message(changed, "x", [keys["root"].der])
    assert error.value.reason is Reason.DAMAGED


def _signature_value(signature: bytes) -> bytes:
    return bytes(cms.ContentInfo.load(signature)["content"]["signer_infos"][0]["signature"].native)


def test_catalog_with_a_stamp(keys, built, tmp_path):
    """A catalog signed anew by osslsigncode, with stamp: read, proven, and its usage known."""
    target = tmp_path / "stamped.cat"
    data = sign(built.current / "hilnic.cat", target, keys["valid"], keys["stamper"])
    signer = verify(Catalog.parse(data, "x.cat"), [keys["root"].der])
    assert (signer.name, WHQL in signer.usages) == ("Good", True)
    assert abs(signer.signed_at - SIGNED_ON) < timedelta(seconds=2)
    assert osslsigncode_takes(target, keys["root"])


def test_embedded_signature_of_another_image(keys, image, folder, publisher_of):
    """An image changed after it was signed does not fit its own signature; both judges say so."""
    file, signature = image(keys["valid"])
    data = bytearray(file.read_bytes())
    algorithm, digest = image_digest(Signed.read(signature))
    assert Pe.parse(bytes(data), "").authenticode_hash(bytes(data), algorithm) == digest
    assert osslsigncode_takes(file, keys["root"])
    data[0x5FF] ^= 1
    file.write_bytes(data)
    assert not osslsigncode_takes(file, keys["root"])
    (folder / "hilnic.sys").write_bytes(data)
    publisher_of(folder)
    assert "embedded-signature" in {finding.rule for finding in check(folder)[0].findings}


@pytest.fixture
def publisher_of():
    """``publisher_of(folder)`` makes the catalog of a folder anew."""
    from hil.virtual.driver.inf_text import HARDWARE_IDS
    from hil.virtual.driver.signing import Publisher

    def make(folder: Path) -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".inf", ".sys")}
        (folder / "hilnic.cat").write_bytes(Publisher.create("P", NOW).sign_catalog(files, HARDWARE_IDS, NOW))

    return make


def test_private_usage_is_no_certification(keys, built, tmp_path):
    """A certificate that claims to be Microsoft's by its usage, under another root, stays a test certificate."""
    data = sign(built.current / "hilnic.cat", tmp_path / "x.cat", keys["valid"], keys["stamper"])
    assert judge(data, "x", [keys["root"].der], NOW).kind is Kind.PRIVATE
    assert judge(data, "x", [], NOW).kind is Kind.PRIVATE
    assert judge(data[:-9], "x", [], NOW).kind is Kind.REFUSED


def test_roots_of_microsoft():
    """The three roots of production drivers are among those that are known, each by its thumbprint."""
    known = [root for root in anchors.microsoft() if anchors.is_kernel_root(root)]
    assert len(known) == len(anchors.KERNEL_ROOTS) == 3
    assert set(anchors.microsoft()) < set(anchors.programme())


SIGNER = Signer("x", b"", (), certificate_from=datetime(2024, 1, 1, tzinfo=UTC))
OLD = replace(SIGNER, certificate_from=datetime(2014, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("signature", "accepted"),
    [
        (Signature(Kind.CERTIFIED, SIGNER, "x"), "client client-no-secure-boot server test-signing"),
        (Signature(Kind.ATTESTED, SIGNER, "x"), "client client-no-secure-boot test-signing"),
        (Signature(Kind.PUBLIC, SIGNER, "x", cross_signed=True), "client-no-secure-boot test-signing"),
        (Signature(Kind.PUBLIC, OLD, "x", cross_signed=True), "client client-no-secure-boot server test-signing"),
        (Signature(Kind.PUBLIC, OLD, "x"), "test-signing"),
        (Signature(Kind.PRIVATE, SIGNER, "x"), "test-signing"),
        (Signature(Kind.NONE, None, ""), ""),
        (Signature(Kind.REFUSED, None, "x"), ""),
    ],
)
def test_which_windows_takes_what(signature, accepted):
    """Microsoft's driver signing policy, case by case."""
    taken = [target.name for target in TARGETS if verdict(signature, target).accepted]
    assert taken == accepted.split()
    assert all(verdict(signature, target).because for target in TARGETS)
    assert not any(verdict(signature, target, intact=False).accepted for target in TARGETS)


def test_attestation_is_not_certification():
    """The usages that tell them apart differ by one last number (wincrypt.h)."""
    assert f"{WHQL}.1" == ATTESTATION
