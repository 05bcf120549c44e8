"""Texts and exit codes of the native tools for packages, as the reference has them from real runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_windows import VirtualWindows

ADD = r"pnputil /add-driver C:\hil\current\hilnic.inf /install"


@pytest.fixture
def machine(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    """A provisioned PC with the packages in C:\\hil."""
    with VirtualWindows(tmp_path) as windows:
        for name in ("current", "previous", "broken"):
            windows.upload(getattr(samples, name), rf"C:\hil\{name}")
        windows.trust(samples)
        yield windows


def test_add_driver(machine):
    """A first install reads as it does on Windows, line by line.

    People paste this into bug reports; scripts outside the project may parse it.
    """
    code, text = machine.run(ADD)
    assert code == 0
    assert text.splitlines() == [
        "Microsoft PnP Utility", "", "Adding driver package:  hilnic.inf", "Driver package added successfully.",
        "Published Name:         oem0.inf", f"Driver package installed on device: {machine.nic.instance_id}", "",
        "Total driver packages:  1", "Added driver packages:  1",
    ]  # fmt: skip


def test_add_driver_again(machine):
    """A package that is there already says so, and the exit code is 259."""
    machine.run(ADD)
    code, text = machine.run(ADD)
    assert code == 259
    assert "Driver package added successfully. (Already exists in the system)" in text
    assert f"Driver package is up-to-date on device: {machine.nic.instance_id}" in text
    assert text.endswith("Total driver packages:  1\nAdded driver packages:  0\n")


def test_add_refused(machine):
    """The text of a refusal is the one of the code."""
    code, text = machine.run(r"pnputil /add-driver C:\hil\broken\hilnic.inf /install")
    assert code == 0xE000024B
    assert "Failed to add driver package: The hash for the file is not present in the specified catalog file." in text


def test_add_nothing(machine):
    """No INF there: pnputil's words for it, and a code that is no success."""
    code, text = machine.run(r"pnputil /add-driver C:\nowhere\x.inf")
    assert code == 2
    assert "Failed to add driver package: Missing or invalid driver package specified." in text
    assert "Total driver packages:  0" in text


def test_wildcard_and_subfolders(machine):
    """*.inf with /subdirs finds every package below the folder, and the broken one spoils the exit code only."""
    code, text = machine.run(r"pnputil /add-driver C:\hil\*.inf /subdirs")
    assert "Total driver packages:  3\nAdded driver packages:  2" in text
    assert code == 0xE000024B


def test_enum_drivers(machine):
    """The record has the labels, the date form and the padding of Windows."""
    machine.run(ADD)
    code, text = machine.run("pnputil /enum-drivers")
    assert code == 0
    assert text.splitlines()[2:9] == [
        "Published Name:     oem0.inf", "Original Name:      hilnic.inf", "Provider Name:      HIL Lab",
        "Class Name:         Network adapters", "Class GUID:         {4d36e972-e325-11ce-bfc1-08002be10318}",
        "Driver Version:     09/15/2025 2.1.0.0", "Signer Name:        HIL Lab Test Certificate",
    ]  # fmt: skip
    assert machine.run("pnputil -e")[1] == text, "the old form still works"
    assert "hilnic" not in machine.run("pnputil /enum-drivers /class Display")[1]


@pytest.mark.parametrize(
    "command",
    ["pnputil /bogus", "pnputil /add-driver", "pnputil /add-driver a.inf b.inf", "pnputil /enum-drivers /what",
     "pnputil /delete-driver", "pnputil /disable-device", "pnputil /restart-device /deviceid",
     "pnputil /enum-devices /connected /connected"],
)  # fmt: skip
def test_bad_command_line(machine, command):
    """A bad command line prints the usage and ends with 1."""
    code, text = machine.run(command)
    assert (code, "PNPUTIL [/add-driver" in text) == (1, True)


def test_not_elevated(tmp_path, samples):
    """Without elevation changes are refused with 5, and looking is allowed."""
    with VirtualWindows(tmp_path, elevated=False) as machine:
        assert machine.run(ADD)[0] == 5
        assert machine.run("pnputil /enum-drivers")[0] == 0
        assert machine.run("bcdedit /set testsigning on")[0] == 1
        assert machine.run(r"certutil -addstore Root C:\x.cer")[0] == 0x80070005
        assert machine.run("verifier /query")[0] == 1


def test_enum_devices(machine):
    """Filters pick devices by state, class, problem and id; the record is Windows'."""
    machine.run(ADD)
    code, text = machine.run(f'pnputil /enum-devices /instanceid "{machine.nic.instance_id}" /deviceids /drivers')
    assert code == 0
    assert f"Instance ID:                {machine.nic.instance_id}\n" in text
    assert "Status:                     Started\nDriver Name:                oem0.inf\n" in text
    assert "Hardware IDs:               PCI\\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01\n" in text
    assert "    Driver Rank:            00FF0000\n" in text
    assert machine.run(r'pnputil /enum-devices /deviceid "PCI\VEN_1D0F&DEV_7A10"')[0] == 0
    assert machine.run("pnputil /enum-devices /problem")[0] == 259
    machine.run(f'pnputil /disable-device "{machine.nic.instance_id}"')
    assert "Status:                     Disabled" in machine.run("pnputil /enum-devices /problem 22")[1]
    assert machine.run("pnputil /enum-devices /problem 10")[0] == 259


def test_device_verbs(machine):
    """Disable, enable, restart, remove and scan do what they say to the device."""
    machine.run(ADD)
    name = f'"{machine.nic.instance_id}"'
    assert machine.run(f"pnputil /disable-device {name}")[0] == 0 and machine.nic.problem == 22
    assert machine.run(f"pnputil /enable-device {name}")[0] == 0 and machine.nic.started
    text = machine.run(f"pnputil /restart-device {name}")[1]
    assert f"Restarting device:   {machine.nic.instance_id}\nDevice restarted successfully.\n" in text
    assert machine.run(f"pnputil /remove-device {name}")[0] == 0
    assert machine.run(f"pnputil /restart-device {name}")[0] == 0xE000020B
    assert machine.run("pnputil /scan-devices")[0] == 0 and machine.nic.started


def test_old_windows_knows_fewer_flags(tmp_path, samples):
    """On Windows 10 2004 /deviceid is a bad command line: it came with Windows 11."""
    with VirtualWindows(tmp_path, windows_build=19041) as machine:
        assert machine.run(r"pnputil /enum-devices /deviceid PCI\CC_0200")[0] == 1
        assert machine.run("pnputil /enum-devices /connected")[0] == 0


def test_export(machine):
    """An exported package is the package, byte for byte."""
    machine.run(ADD)
    machine.windows.files.locate(r"C:\out").mkdir()
    assert machine.run(r"pnputil /export-driver oem0.inf C:\out")[0] == 0
    for name in ("hilnic.inf", "hilnic.cat", "hilnic.sys"):
        assert machine.windows.files.read(rf"C:\out\{name}") == machine.windows.files.read(rf"C:\hil\current\{name}")


def test_certutil(machine, samples):
    """Stores: add, add again, list, delete; and the hash of a file."""
    path = rf"C:\hil\{samples.certificate.name}"
    assert machine.run(f"certutil -addstore TrustedPeople {path}")[1].splitlines() == [
        'TrustedPeople "Trusted People"', "Signature matches Public Key",
        'Certificate "HIL Lab Test Certificate" added to store.', "CertUtil: -addstore command completed successfully.",
    ]  # fmt: skip
    assert "already in store." in machine.run(f"certutil -addstore TrustedPeople {path}")[1]
    assert "Subject: CN=HIL Lab Test Certificate" in machine.run("certutil -store TrustedPeople")[1]
    assert machine.run('certutil -delstore TrustedPeople "HIL Lab"')[0] == 0
    assert machine.run('certutil -delstore TrustedPeople "HIL Lab"')[0] == 0x80090011
    assert machine.run(r"certutil -addstore Root C:\Windows\INF\setupapi.dev.log")[0] in (0x8009310B, 0x80070002)
    assert machine.run(f"certutil -hashfile {path} SHA256")[0] == 0


def test_bcdedit(machine):
    """A value is shown at once and takes effect at the next boot."""
    assert machine.run("bcdedit /enum {current}")[1].splitlines()[-1] == "testsigning             Yes"
    assert machine.run("bcdedit /set testsigning off") == (0, "The operation completed successfully.\n")
    assert machine.windows.boot_options.test_signing
    machine.reboot()
    assert not machine.windows.boot_options.test_signing
    assert machine.run("bcdedit /set testsigning maybe")[0] == 1
    assert machine.run("bcdedit /nonsense")[0] == 1


def test_verifier(machine):
    """Settings are for the next boot, /query shows this one, /reset clears with a reboot.

    A test that believes it runs under Driver Verifier must be able to see that it does.
    """
    code, text = machine.run("verifier /standard /driver hilnic.sys")
    assert code == 2 and "Verifier Flags: 0x001209bb" in text
    assert machine.run("verifier /query") == (0, "No drivers are currently verified.\n")
    machine.reboot()
    query = machine.run("verifier /query")[1]
    assert "Verifier Flags: 0x001209bb" in query and "MODULE: hilnic.sys (load: 0 / unload: 0)" in query
    assert machine.run("verifier /reset")[0] == 2
    machine.reboot()
    assert machine.run("verifier /query")[1] == "No drivers are currently verified.\n"
    assert machine.run("verifier /flags")[0] == machine.run("verifier /flags many")[0] == 1


def test_verifier_for_one_boot(machine):
    """/bootmode oneboot verifies the next boot and no other: a boot loop ends by itself."""
    machine.run("verifier /flags 0x9 /driver hilnic.sys /bootmode oneboot")
    machine.reboot()
    assert machine.windows.verifier.flags_of(r"C:\x\HILNIC.sys")
    machine.reboot()
    assert not machine.windows.verifier.flags_of("hilnic.sys")


def test_verifier_is_off_after_a_crash_or_power_cut(machine):
    """/bootmode resetonunusualshutdown verifies over clean restarts and not after the mains were lost.

    A driver that crashes at boot under Driver Verifier must not take the bench with it.
    """
    machine.run("verifier /standard /driver hilnic.sys /bootmode resetonunusualshutdown")
    machine.reboot()
    machine.reboot()
    assert machine.windows.verifier.flags_of("hilnic.sys")
    machine.cut_power()
    assert not machine.windows.verifier.flags_of("hilnic.sys")
