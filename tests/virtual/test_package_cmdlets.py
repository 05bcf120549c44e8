"""Cmdlets for packages and trust, asked over real SSH: types, values and error ids as the reference has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hil.journal import Journal
from hil.package import Package
from hil.remote import Command, PowerShellError
from hil.testbed.model import Packages, Testbed
from hil.virtual.lab import Lab
from hil.windows import DriverStore, Machine, trust

ROOT = r"Cert:\LocalMachine\Root"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Packages]]:
    """A machine that trusts the lab and has the current package staged; not rebooted, so nothing is loaded."""
    journal = Journal()
    described = Testbed.model_validate({"name": "cmdlets", "virtual": {"timescale": 0.005, "instruments": []}})
    with Lab(described, tmp_path_factory.mktemp("state"), journal) as bed, Machine(bed.machine, journal) as machine:
        trust.import_certificate(machine, bed.packages.certificate.read_bytes())
        DriverStore(machine).add(Package.load(bed.packages.current), install=False)
        yield machine, bed.packages


@pytest.fixture
def machine(bench) -> Machine:
    return bench[0]


def test_windows_driver(machine):
    """A package of the store has the members and types of DISM's object."""
    (found,) = machine.shell.run(Command("Get-WindowsDriver", Online=True))
    assert found.type_names[0] == "Microsoft.Dism.Commands.BasicDriverObject"
    assert (found["Driver"], found["ProviderName"], found["Version"]) == ("oem0.inf", "HIL Lab", "2.1.0.0")
    assert (found["MajorVersion"], found["Inbox"], found["DriverSignature"]) == (2, False, "Signed")
    assert r"\DriverStore\FileRepository\hilnic.inf_amd64_" in str(found["OriginalFileName"])
    models = machine.shell.run(Command("Get-WindowsDriver", Online=True, Driver="oem0.inf"))
    assert models[0]["HardwareId"] == r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01"


def test_windows_driver_that_is_not_there(machine):
    """An unknown package, and a call without -Online, are errors of the cmdlet."""
    with pytest.raises(PowerShellError):
        machine.shell.run(Command("Get-WindowsDriver", Online=True, Driver="oem9.inf"))
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Get-WindowsDriver", Online=True, Nonsense=1))
    assert error.value.error_id.startswith("NamedParameterNotFound")


def test_signature_of_a_driver_comes_from_its_catalog(machine, bench):
    """A staged driver is Valid by catalog, an altered one NotSigned, a missing one an error.

    Get-AuthenticodeSignature is what people ask first when a driver is refused.
    """
    (package,) = machine.shell.run(Command("Get-WindowsDriver", Online=True))
    folder = str(package["OriginalFileName"]).rpartition("\\")[0]
    (good,) = machine.shell.run(Command("Get-AuthenticodeSignature", FilePath=rf"{folder}\hilnic.sys"))
    assert (good["Status"], good["SignatureType"]) == ("Valid", "Catalog")
    machine.upload(bench[1].broken / "hilnic.sys", r"C:\hil\altered.sys")
    (bad,) = machine.shell.run(Command("Get-AuthenticodeSignature", FilePath=r"C:\hil\altered.sys"))
    assert (bad["Status"], bad["SignatureType"], bad["SignerCertificate"]) == ("NotSigned", "None", None)
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Get-AuthenticodeSignature", FilePath=r"C:\hil\none.sys"))
    assert error.value.error_id == "FileNotFound,Microsoft.PowerShell.Commands.GetAuthenticodeSignatureCommand"


def test_certificate_drive(machine, bench):
    """The Cert: drive lists stores and certificates, by thumbprint too, and misses what is not there."""
    name = trust.thumbprint(bench[1].certificate.read_bytes())
    (found,) = machine.shell.run(Command("Get-ChildItem", Path=ROOT))
    assert (found["Thumbprint"], found["Subject"]) == (name, "CN=HIL Lab Test Certificate")
    assert machine.shell.run(Command("Test-Path", Path=rf"{ROOT}\{name}"))[0] is True
    assert machine.shell.run(Command("Test-Path", Path=rf"{ROOT}\{'0' * 40}"))[0] is False


def test_import_certificate_errors(machine):
    """A missing file is an error of Import-Certificate with the .NET exception in its id."""
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Import-Certificate", FilePath=r"C:\none.cer", CertStoreLocation=ROOT))
    assert error.value.error_id.startswith("System.IO.FileNotFoundException,Microsoft.CertificateServices")


def test_secure_boot(machine):
    """Off is False, not an error: this machine has UEFI."""
    assert machine.shell.run(Command("Confirm-SecureBootUEFI")) == [False]
