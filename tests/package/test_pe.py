"""Facts of executable images, with osslsigncode as an independent judge."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package import Pe
from hil.package.pe import MachineType, Subsystem, image_checksum, is_pe
from hil.virtual.driver import image

needs_osslsigncode = pytest.mark.skipif(shutil.which("osslsigncode") is None, reason="needs osslsigncode")
DRIVER = image.driver("x.sys", "2.1.0.7", "a driver", utc_now())


def test_facts_of_a_driver():
    """Machine, subsystem, sections, version and checksum of a driver image are read as they were written."""
    pe = Pe.parse(DRIVER, "x.sys")
    assert (pe.machine, pe.subsystem, pe.is_dll) == (MachineType.AMD64, Subsystem.NATIVE, False)
    assert (pe.sections, pe.file_version, pe.signature_size) == ((".text", ".rdata", ".data", ".rsrc"), "2.1.0.7", 0)
    assert pe.checksum == pe.computed_checksum != 0


@needs_osslsigncode
def test_checksum_and_hash_agree_with_osslsigncode(tmp_path):
    """Checksum and Authenticode digest are those that osslsigncode computes.

    Windows refuses a driver over either: the loader by checksum, the catalog by digest.
    """
    path, signed = tmp_path / "x.sys", tmp_path / "s.sys"
    path.write_bytes(DRIVER)
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key,
         "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        ["osslsigncode", "sign", "-certs", certificate, "-key", key, "-h", "sha256", "-in", path, "-out", signed],
        check=True, capture_output=True,
    )  # fmt: skip
    said = subprocess.run(["osslsigncode", "verify", "-in", signed], capture_output=True, text=True, check=False).stdout
    pe = Pe.parse(signed.read_bytes(), "s.sys")
    digest = re.search(r"Calculated message digest\s*:\s*([0-9A-F]+)", said)[1]
    assert pe.signature_size > 0
    assert pe.authenticode_hash(signed.read_bytes()).hex().upper() == digest
    assert Pe.parse(DRIVER, "x").authenticode_hash(DRIVER).hex().upper() == digest, "signing does not change the hash"
    assert "MISMATCH" not in said
    assert int(re.search(r"PE checksum\s*:\s*([0-9A-F]+)", said)[1], 16) == pe.computed_checksum


@given(st.binary(min_size=80, max_size=400))
def test_checksum_is_the_folded_sum_of_words(data):
    """The short way to the checksum gives what the loop over 16-bit words gives."""
    total = 0
    for at in range(0, len(data) + len(data) % 2, 2):
        word = b"\0\0" if 64 <= at < 68 else data[at : at + 2].ljust(2, b"\0")
        total += int.from_bytes(word, "little")
        total = (total & 0xFFFF) + (total >> 16)
    assert image_checksum(data, 64) == total + len(data)


@settings(max_examples=300)
@given(st.data())
def test_damaged_image_is_read_or_refused(data):
    """A damaged image gives facts or UsageError, never another error."""
    damaged = bytearray(DRIVER[: data.draw(st.integers(0, len(DRIVER)))])
    for _ in range(data.draw(st.integers(0, 5))):
        if damaged:
            damaged[data.draw(st.integers(0, min(len(damaged) - 1, 0x300)))] = data.draw(st.integers(0, 255))
    try:
        pe = Pe.parse(bytes(damaged), "x.sys")
    except UsageError as error:
        assert error.where == "x.sys"
    else:
        assert len(pe.authenticode_hash(bytes(damaged))) == hashlib.sha256().digest_size


def test_other_files_are_no_images():
    """A text file, a DOS program and an empty file are not images."""
    assert not is_pe(b"") and not is_pe(b"[Version]" * 40) and not is_pe(b"MZ" + bytes(200))
