"""Whole packages under check: files, images, catalogs, and the command."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.cli import run_command
from hil.errors import ExitCode, UsageError
from hil.package import Inf, Package
from hil.package.check import check
from hil.package.linkage import Linkage
from hil.package.pe import Pe, image_checksum
from hil.package.policy import TARGETS
from hil.virtual.driver.inf_text import HARDWARE_IDS
from hil.virtual.driver.signing import Publisher

DAY = date(2026, 1, 1)
PE_AT = 0x80
OPTIONAL = PE_AT + 24


@pytest.fixture(scope="session")
def publisher(built):
    from hil.clock import utc_now

    return Publisher.create("Vendor", utc_now())


@pytest.fixture
def signed_again(folder, publisher):
    """``signed_again()`` makes the catalog anew over what the folder holds."""
    from hil.clock import utc_now

    def sign(**more: bytes) -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".inf", ".sys")} | more
        (folder / "hilnic.cat").write_bytes(publisher.sign_catalog(files, HARDWARE_IDS, utc_now()))

    return sign


def rules(folder: Path, **options: object) -> set[str]:
    return {finding.rule for report in check(folder, today=DAY, **options) for finding in report.findings}


def change_image(folder: Path, at: int, data: bytes, *, checksum: bool = True) -> None:
    """Overwrite bytes of the driver, and set its checksum right again."""
    file = folder / "hilnic.sys"
    image = bytearray(file.read_bytes())
    image[at : at + len(data)] = data
    if checksum:
        struct.pack_into("<I", image, OPTIONAL + 64, image_checksum(bytes(image), OPTIONAL + 64))
    file.write_bytes(image)


def change_inf(folder: Path, old: bytes, new: bytes) -> None:
    inf = folder / "hilnic.inf"
    assert old in inf.read_bytes()
    inf.write_bytes(inf.read_bytes().replace(old, new))


def test_sample_packages_are_clean(built):
    """Both releases have no finding, and the newer one ranks above the older.

    The virtual bench installs them; a package with faults of its own would hide what a suite looks for.
    """
    for package, previous in ((built.previous, None), (built.current, built.previous)):
        (report,) = check(package, previous=previous, trusted=[built.certificate.read_bytes()])
        assert (report.findings, report.failed) == ((), False)
        assert [verdict.target.name for verdict in report.verdicts if verdict.accepted] == ["test-signing"]


IMAGE_CASES = {
    "wrong-machine": (PE_AT + 4, struct.pack("<H", 0xAA64)),
    "wrong-subsystem": (OPTIONAL + 68, struct.pack("<H", 3)),
    "damaged-image": (PE_AT, b"NO"),
    "not-hvci-compatible": (OPTIONAL + 240 + 36, struct.pack("<I", 0xE0000020)),
    "no-address-randomisation": (OPTIONAL + 70, struct.pack("<H", 0x6000)),
    "no-security-cookie": (0x600 + 88, bytes(8)),
    "no-control-flow-guard": (0x600 + 144, bytes(4)),
    "no-symbols": (0x600 + 148 + 12, bytes(4)),
    "no-version-resource": (OPTIONAL + 240 + 3 * 40, b".other\0\0"),
}  # fmt: skip


@pytest.mark.parametrize("rule", IMAGE_CASES)
def test_image_rule_fires(folder, signed_again, rule):
    """One field of the driver's headers changed, catalog made anew: that rule, and none of the catalog's."""
    change_image(folder, *IMAGE_CASES[rule], checksum=rule != "damaged-image")
    signed_again()
    found = rules(folder)
    assert rule in found and "not-in-catalog" not in found


def test_wrong_checksum(folder, signed_again):
    """A driver patched after linking has the wrong checksum; Windows does not load it."""
    change_image(folder, 0x5FF, b"\xff", checksum=False)
    signed_again()
    assert rules(folder) == {"wrong-checksum"}


def test_import_of_a_user_mode_library(folder, signed_again):
    """A driver that was linked with a user-mode library is named with library and function."""
    data = (folder / "hilnic.sys").read_bytes()
    place, address = 0x800 + 16, 0x3000 + 16
    table = struct.pack("<5I", address + 56, 0, 0, address + 40, address + 56) + bytes(20)
    table += b"KERNEL32.dll\0".ljust(16, b"\0") + struct.pack("<QQ", address + 72, 0) + b"\0\0Sleep\0"
    change_image(folder, place, table)
    change_image(folder, OPTIONAL + 112 + 8, struct.pack("<II", address, 40))
    signed_again()
    (finding,) = check(folder, today=DAY)[0].findings
    assert (finding.rule, finding.message) == ("user-mode-import", "KERNEL32.dll: Sleep")
    assert len((folder / "hilnic.sys").read_bytes()) == len(data)


def test_kernel_imports_are_right(folder, signed_again):
    """ndis.sys, hal.dll and ntoskrnl.exe are what drivers import from."""
    address, place = 0x3000 + 16, 0x800 + 16
    table = struct.pack("<5I", address + 56, 0, 0, address + 40, address + 56) + bytes(20)
    table += b"HAL.dll\0".ljust(16, b"\0") + struct.pack("<QQ", 1 << 63 | 7, 0)
    change_image(folder, place, table)
    change_image(folder, OPTIONAL + 112 + 8, struct.pack("<II", address, 40))
    signed_again()
    assert rules(folder) == set()
    image = (folder / "hilnic.sys").read_bytes()
    assert Linkage.read(Pe.parse(image, ""), image, "").imports == (("HAL.dll", ("#7",)),)


def test_identity_of_the_symbols(built):
    """A debugger finds the .pdb of each release by its own key."""
    keys = set()
    for folder in (built.current, built.previous):
        data = (folder / "hilnic.sys").read_bytes()
        pdb = Linkage.read(Pe.parse(data, ""), data, "").pdb
        assert pdb.path == "hilnic.pdb" and len(pdb.key) == 33
        keys.add(pdb.key)
    assert len(keys) == 2


def test_version_of_image_and_inf(folder, signed_again):
    """An INF whose DriverVer was raised without building the driver anew."""
    change_inf(folder, b"09/15/2025,2.1.0.0", b"09/16/2025,2.2.0.0")
    signed_again()
    assert rules(folder) == {"version-differs"}


def test_boot_driver_without_signature(folder, signed_again):
    """A NIC that boots from the network is loaded before catalogs are read."""
    change_inf(folder, b"StartType      = 3", b"StartType      = 0")
    signed_again()
    assert rules(folder) == {"boot-driver-unsigned"}


@pytest.mark.parametrize("name", ["hilnic.sys", "hilnic.cat"])
def test_missing_file(folder, name):
    """A file that the INF names and that is not there is one finding with the INF's line."""
    (folder / name).unlink()
    found = [finding for finding in check(folder, today=DAY)[0].findings if finding.rule == "file-missing"]
    assert [(finding.message, finding.line > 0) for finding in found] == [(name, True)]


@pytest.mark.parametrize(("name", "rule"), [("helper.dll", "code-not-named"), ("readme.txt", "file-not-named")])
def test_file_that_nobody_names(folder, name, rule):
    """A library that the INF forgot does not reach the machine; a text file is only noted."""
    (folder / name).write_bytes(b"x")
    assert rules(folder) == {rule}


def test_altered_file(built):
    """The broken package: the driver's hash is not in the catalog, and no Windows takes it."""
    (report,) = check(built.broken, today=DAY)
    assert {"not-in-catalog", "wrong-checksum"} <= {finding.rule for finding in report.findings}
    assert not any(verdict.accepted for verdict in report.verdicts)


def test_line_ends_changed_by_version_control(folder):
    """An INF that git checked out with LF is not what was signed, and the finding says how it came."""
    inf = folder / "hilnic.inf"
    inf.write_bytes(inf.read_bytes().replace(b"\r\n", b"\n"))
    (finding,) = [one for one in check(folder, today=DAY)[0].findings if one.rule == "not-in-catalog"]
    assert "line ends" in finding.message


def test_catalog_of_more_files(folder, signed_again):
    """A catalog that was made for a larger package is noted with a name."""
    signed_again(**{"other.sys": b"gone"})
    (finding,) = check(folder, today=DAY)[0].findings
    assert finding.rule == "catalog-of-other-files" and "other.sys" in finding.message


@pytest.mark.parametrize("data", [b"", b"no catalog"])
def test_catalog_that_is_none(folder, data):
    """Bytes that are no catalog are named, and the package counts as unsigned."""
    (folder / "hilnic.cat").write_bytes(data)
    assert rules(folder) == {"catalog-damaged", "signature-missing"}


def test_catalog_with_a_broken_signature(folder):
    """A catalog whose signed list was changed is refused everywhere."""
    catalog = folder / "hilnic.cat"
    data = bytearray(catalog.read_bytes())
    data[-1] ^= 1
    catalog.write_bytes(data)
    (report,) = check(folder, today=DAY)
    assert [finding.rule for finding in report.findings] == ["catalog-signature"]
    assert not any(verdict.accepted for verdict in report.verdicts)


def test_package_without_catalog(folder):
    """An unsigned package is told in one finding more than its missing CatalogFile."""
    change_inf(folder, b"CatalogFile = hilnic.cat", b"")
    assert rules(folder) == {"catalog-missing", "signature-missing", "code-not-named"}


def test_required_windows(built):
    """Asked for a Windows with Secure Boot, a test-signed package fails; asked for test signing, it does not."""
    client, test_signing = TARGETS[0], TARGETS[-1]
    assert rules(built.current, required=[client]) == {"signature-refused"}
    assert rules(built.current, required=[test_signing]) == set()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_package_is_reported(built, data):
    """Bytes of driver, catalog or INF changed or cut anywhere: findings, never a traceback."""
    name = data.draw(st.sampled_from(["hilnic.sys", "hilnic.cat", "hilnic.inf"]))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(built.current, Path(place) / "package"))
        damaged = bytearray((folder / name).read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(damaged))) if data.draw(st.booleans()) else len(damaged)
        (folder / name).write_bytes(damaged[:cut])
        assert len(check(folder, today=DAY)) == 1


def test_each_inf_has_its_report(folder):
    """A folder with a second INF, of an extension, gives two reports."""
    (folder / "second.inf").write_bytes(b"[Version]\nSignature=x")
    reports = check(folder, today=DAY)
    assert [report.inf for report in reports] == ["hilnic.inf", "second.inf"]
    assert [finding.rule for finding in reports[1].findings] == ["unreadable"]


def test_no_package(tmp_path, folder):
    """No folder, no INF, and no INF in the previous package are mistakes of the person."""
    for wrong in (tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError):
            check(wrong)
    with pytest.raises(UsageError):
        check(folder, previous=tmp_path)


def test_command_prints_json(built, capsys):
    """--json says what the table says, with facts of the image, and the exit code is the outcome."""
    arguments = ["package", "check", "--json", "--trust", str(built.certificate)]
    assert run_command([*arguments, str(built.current)]) == ExitCode.OK
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["findings"], report["signature"]["kind"]) == ([], "private")
    assert report["images"]["hilnic.sys"]["pdb"]["path"] == "hilnic.pdb"
    assert report["verdicts"]["test-signing"]["loads"] is True
    assert run_command([*arguments, str(built.broken)]) == ExitCode.DEVICE


def test_command_prints_a_table(built, capsys):
    """The table names rule and file; wrong arguments are usage errors."""
    assert run_command(["package", "check", str(built.broken), "--target", "client"]) == ExitCode.DEVICE
    out = capsys.readouterr().out
    assert "not-in-ca" in out and "error" in out
    assert run_command(["package", "check", str(built.current), "--target", "dos"]) == ExitCode.USAGE
    assert run_command(["package", "check", str(built.current), "--trust", str(built.iperf3)]) == ExitCode.USAGE
    assert run_command(["package", "rules"]) == ExitCode.OK


def test_data_of_standardized_keywords_can_be_made_again(tmp_path):
    """The product's table is what the script makes; it is skipped where the reference file is not at hand."""
    reference = Path(__file__).parents[3] / "shared/reference/inf-keywords.json"
    if not reference.is_file():
        pytest.skip("needs the reference file of keywords")
    from hil.package import rules as package

    data = Path(package.__file__).with_name("standardized.json")
    before = data.read_bytes()
    subprocess.run([sys.executable, str(Path(__file__).with_name("make_standardized.py")), str(reference)], check=True)
    assert data.read_bytes() == before


def test_previous_release_by_name(built, folder):
    """Of a previous folder with several INFs, the one of the same name counts."""
    assert Inf.read(folder / "hilnic.inf").driver_version > Inf.read(built.previous / "hilnic.inf").driver_version
    assert rules(built.previous, previous=folder) == {"not-newer-than-previous"}


def test_distrusted_signer(built, tmp_path):
    """A package whose signer, or its issuer, the machine was told to refuse is an error; another one's list is none.

    What `hil package check` lets pass and a machine refuses is found on the night of the rollout.
    """
    signer = tmp_path / "signer.cer"
    signer.write_bytes(Package.load(built.revoked).catalog.signer_certificate)

    def refused(folder: Path, *certificates: Path) -> bool:
        trusted, distrusted = [built.certificate.read_bytes()], [one.read_bytes() for one in certificates]
        (report,) = check(folder, trusted=trusted, distrusted=distrusted, today=DAY)
        return any(finding.rule == "signature-distrusted" for finding in report.findings)

    assert refused(built.revoked, signer) and refused(built.revoked, built.certificate)
    assert refused(built.current, built.certificate)
    assert not refused(built.revoked) and not refused(built.current, signer)
    assert not refused(built.unsigned, signer)
    assert run_command(["package", "check", str(built.revoked), "--distrust", str(signer)]) == ExitCode.DEVICE
