"""Whole packages on disk, good and bad."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pytest
from vendor_package import BASIC, family, vendor_package

from hil.errors import UsageError
from hil.package import Package, Target
from hil.virtual.driver.image import driver


def test_sample_package(built):
    """Version, date, provider, ids, service and image hash are those of the package.

    The install suite compares the machine with exactly these.
    """
    package = Package.load(built.current)
    assert (package.version, package.date, package.provider) == ("2.1.0.0", date(2025, 9, 15), "HIL Lab")
    assert package.hardware_ids[0] == r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01"
    assert (package.service, package.driver, package.signer) == ("hilnic", "hilnic.sys", "HIL Lab Test Certificate")
    assert package.driver_sha256 == hashlib.sha256((built.current / "hilnic.sys").read_bytes()).hexdigest().upper()
    assert [file.path for file in package.files] == ["hilnic.inf", "hilnic.cat", "hilnic.sys"]
    assert package.image.file_version == package.version


def test_good_package_has_no_findings(built):
    """Both releases are vouched for by their catalogs and by the publisher's certificate."""
    for folder in (built.current, built.previous):
        assert Package.load(folder).verify([built.certificate.read_bytes()]) == ()
        Package.load(folder).require_intact()


def test_releases_differ(built):
    """Previous and current are other images, and the broken one differs from the current in the image alone."""
    current, previous, broken = (Package.load(f) for f in (built.current, built.previous, built.broken))
    assert len({current.driver_sha256, previous.driver_sha256, broken.driver_sha256}) == 3
    assert (broken.version, broken.files[0].sha256) == (current.version, current.files[0].sha256)
    assert previous.date < current.date


def test_altered_file_is_named(built):
    """Of a package that was changed after signing, the changed file is named."""
    package = Package.load(built.broken)
    assert [finding.where for finding in package.verify()] == [str(built.broken / "hilnic.sys")]
    with pytest.raises(UsageError) as error:
        package.require_intact()
    assert error.value.where.endswith("hilnic.sys") and "hilnic.cat" in error.value.seen


def test_changed_inf_is_named(folder):
    """An INF edited after signing does not match its catalog either."""
    inf = folder / "hilnic.inf"
    inf.write_bytes(inf.read_bytes().replace(b"2.1.0.0", b"9.9.9.9"))
    assert [finding.where for finding in Package.load(folder).verify()] == [str(inf)]


def test_what_each_install_writes_anew(folder):
    """A property that AddReg writes into the driver key is reset by each install, unless it is told to leave what is
    there; a default below Ndi\\params resets nothing.

    An upgrade that keeps or resets the wrong setting is seen by users, not by version numbers.
    """
    package = Package.load(folder)
    assert package.rewrites == {"wakefroms5": "1"}
    inf = folder / "hilnic.inf"
    inf.write_bytes(inf.read_bytes().replace(b"HKR,, WakeFromS5, 0,", b"HKR,, WakeFromS5, 2,"))
    assert Package.load(folder).rewrites == {}


def test_certificate_of_the_signer(built):
    """Of the certificates that come with a catalog, the one that signed; none of a catalog that nobody signed."""
    own = Package.load(built.current).catalog
    assert own.signer_certificate == built.certificate.read_bytes()
    issued = Package.load(built.revoked).catalog
    assert issued.signer_certificate in issued.certificates
    assert issued.signer_certificate != built.certificate.read_bytes() and issued.signer == "HIL Lab Second Publisher"
    unsigned = Package.load(built.unsigned).catalog
    assert (unsigned.signer_certificate, unsigned.signer) == (b"", "")


def test_folder_without_inf(tmp_path):
    """No folder, or one without INF, is said plainly."""
    with pytest.raises(UsageError, match="no INF"):
        Package.load(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        Package.load(tmp_path / "missing")


def test_two_infs(folder):
    """Two INFs in one folder are both named: the harness does not guess which was meant."""
    (folder / "other.INF").write_bytes((folder / "hilnic.inf").read_bytes())
    with pytest.raises(UsageError, match=r"hilnic\.inf, other\.INF"):
        Package.load(folder)


@pytest.mark.parametrize("name", ["hilnic.cat", "hilnic.sys"])
def test_missing_file_is_named_with_its_line(folder, name):
    """A file that the INF names and that is not there is named, with the INF's line."""
    (folder / name).unlink()
    with pytest.raises(UsageError) as error:
        Package.load(folder)
    assert name in error.value.wanted and "hilnic.inf:" in error.value.where


def test_case_of_names_does_not_count(folder):
    """HILNIC.SYS is hilnic.sys, as on Windows: packages were often zipped there."""
    (folder / "hilnic.sys").rename(folder / "HILNIC.SYS")
    assert Package.load(folder).verify() == ()


def test_inf_for_other_hardware(built):
    """The device's ids and the INF's are both shown when they do not fit."""
    package = Package.load(built.current)
    assert package.model_for([r"pci\ven_1d0f&dev_7a10"]).number == package.models[1].number
    with pytest.raises(UsageError) as error:
        package.model_for([r"PCI\VEN_8086&DEV_15F3"])
    assert "DEV_15F3" in error.value.wanted and "DEV_7A10" in error.value.seen


def test_driver_that_is_renamed_when_it_is_copied(folder):
    """The image of a package is found also where CopyFiles gives it another name on the machine.

    One package for several architectures has their images side by side, and copies one of them under the common name.
    """
    inf = folder / "hilnic.inf"
    text = inf.read_bytes().replace(b"hilnic.sys = 1", b"hilnic64.sys = 1")
    inf.write_bytes(text.replace(b"[HilNic.copy]\r\nhilnic.sys", b"[HilNic.copy]\r\nhilnic.sys, hilnic64.sys"))
    (folder / "hilnic.sys").rename(folder / "hilnic64.sys")
    package = Package.load(folder)
    assert (package.driver, package.driver_file.path) == ("hilnic.sys", "hilnic64.sys")


def test_one_of_a_family(tmp_path):
    """For a device, settings, service and image are those of its model; the package and its hash stay the same.

    Vendors ship one INF for all that they make: what the first in it offers may be wrong for each other one.
    """
    image = driver(f"{BASIC}.sys", "2.1.0.0", "Basic", datetime(2025, 9, 15, tzinfo=UTC))
    vendor_package(tmp_path, family, {f"{BASIC}.sys": image})
    package = Package.load(tmp_path / "vendor")
    first, second = (package.for_device([rf"PCI\VEN_1D0F&DEV_{device}"]) for device in ("7A09", "7A10"))
    assert [one.service for one in (package, first, second)] == [BASIC, BASIC, "hilnic"]
    assert [one.driver_file.path for one in (first, second)] == [f"{BASIC}.sys", "hilnic.sys"]
    assert first.driver_sha256 == hashlib.sha256(image).hexdigest().upper() != second.driver_sha256
    assert [keyword.name for keyword in first.keywords] == ["*FlowControl"]
    assert first.rewrites == {} and second.rewrites == {"wakefroms5": "1"}
    assert len(second.keywords) > 20
    assert package.content_sha256 == first.content_sha256 == second.content_sha256
    with pytest.raises(UsageError, match="DEV_15F3"):
        package.for_device([r"PCI\VEN_8086&DEV_15F3"])


def test_inf_for_another_architecture(built):
    """An INF without models for this Windows is refused when it is loaded, with its line."""
    with pytest.raises(UsageError) as error:
        Package.load(built.current, Target(architecture="arm64"))
    assert "hilnic.inf:" in error.value.where


def test_package_without_catalog(folder):
    """An INF that names no catalog loads, and is reported as unsigned."""
    inf = folder / "hilnic.inf"
    inf.write_bytes(inf.read_bytes().replace(b"CatalogFile = hilnic.cat\r\n", b""))
    package = Package.load(folder)
    assert (package.catalog, package.signer) == (None, "")
    assert [finding.rule for finding in package.verify()] == ["no-catalog"]
