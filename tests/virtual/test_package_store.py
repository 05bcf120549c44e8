"""The driver store of the virtual Windows: what it takes, refuses, prefers and leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_windows import VirtualWindows

HASH_NOT_IN_CATALOG, UNTRUSTED_ROOT, PUBLISHER_NOT_TRUSTED = 0xE000024B, 0x800B0109, 0xE0000242
NO_CATALOG, NOT_SIGNED, EXPIRED = 0xE000022F, 0xE0000247, 0x800B0101
IN_USE, NOT_INSTALLED, BETTER_DRIVER = 0xE000023D, 0xE000023C, 259
REBOOT_REQUIRED, REBOOT_INITIATED = 3010, 1641
UNSIGNED_DRIVER, NO_DRIVER = 52, 28
REPOSITORY = r"C:\Windows\System32\DriverStore\FileRepository"


def packages_in(machine: VirtualWindows) -> list[str]:
    folders = machine.windows.files.listing(REPOSITORY)
    return [folder.name for folder in folders if folder.name.startswith("hilnic")]


@pytest.fixture
def fresh(tmp_path: Path, samples) -> Iterator[VirtualWindows]:
    """A PC that trusts nobody, with the packages in C:\\hil."""
    with VirtualWindows(tmp_path) as machine:
        for name in ("current", "previous", "broken"):
            machine.upload(getattr(samples, name), rf"C:\hil\{name}")
        yield machine


@pytest.fixture
def machine(fresh: VirtualWindows, samples) -> VirtualWindows:
    """A PC that was provisioned for the lab's packages."""
    fresh.trust(samples)
    return fresh


def add(machine: VirtualWindows, name: str, *flags: str) -> int:
    command = ["pnputil", "/add-driver", rf"C:\hil\{name}\hilnic.inf", *(flags or ("/install",))]
    return machine.run(" ".join(command))[0]


def test_install(machine):
    """Install binds the device to the package, and the image in memory is the package's.

    All that the install suite asserts comes from here.
    """
    assert add(machine, "current") == 0
    driver = machine.nic.driver
    assert (machine.nic.problem, machine.nic.started) == (0, True)
    assert (driver.inf, driver.original_inf, driver.version) == ("oem0.inf", "hilnic.inf", "2.1.0.0")
    assert (driver.provider, driver.signer, driver.service) == ("HIL Lab", "HIL Lab Test Certificate", "hilnic")
    assert machine.windows.devices.loaded_image("hilnic").path == driver.image_path
    assert driver.image_path == rf"{driver.store_path}\hilnic.sys"
    assert driver.store_path.startswith(rf"{REPOSITORY}\hilnic.inf_amd64_")
    assert machine.windows.files.exists(r"C:\Windows\INF\oem0.inf")
    assert machine.windows.services.find("hilnic").running


def test_settings_come_from_the_inf(machine):
    r"""The driver key holds the INF's Ndi\params and each keyword at its default."""
    add(machine, "current")
    key = rf"HKLM\SYSTEM\CurrentControlSet\Control\Class\{machine.nic.driver_key}"
    registry = machine.windows.registry
    assert registry.get(key, "*JumboPacket") == "1514"
    assert registry.get(rf"{key}\Ndi\params\*JumboPacket", "max") == "9014"
    assert registry.get(rf"{key}\Ndi\params\*FlowControl\enum", "3") == "Rx & Tx Enabled"
    assert registry.get(key, "*IfType") == 6


def test_fresh_machine_refuses_the_root(fresh):
    """Without the certificate nothing is staged, and the code names the root."""
    assert add(fresh, "current") == UNTRUSTED_ROOT
    assert packages_in(fresh) == [] and fresh.nic.problem == NO_DRIVER


def test_root_alone_is_not_enough(fresh, samples):
    """Certificate in Root only: the publisher is not trusted yet. Both stores are needed, as on every test PC."""
    fresh.upload(samples.certificate, r"C:\hil")
    fresh.run(rf"certutil -addstore Root C:\hil\{samples.certificate.name}")
    assert add(fresh, "current") == PUBLISHER_NOT_TRUSTED


def test_without_test_signing_the_image_is_not_loaded(fresh, samples):
    """Staged and bound, but the kernel refuses the image: code 52, with Code Integrity 3004 in the log.

    The classic of every first day with a test-signed driver.
    """
    fresh.upload(samples.certificate, r"C:\hil")
    for store in ("Root", "TrustedPublisher"):
        fresh.run(rf"certutil -addstore {store} C:\hil\{samples.certificate.name}")
    assert add(fresh, "current") == 0
    assert (fresh.nic.problem, fresh.nic.started) == (UNSIGNED_DRIVER, False)
    assert len(list(fresh.windows.events.find("CodeIntegrity", 3004))) == 1
    fresh.run("bcdedit /set testsigning on")
    fresh.reboot()
    assert (fresh.nic.problem, fresh.nic.started) == (0, True)


def test_altered_package_is_refused_and_the_old_driver_works_on(machine):
    """A file changed after signing: hash not in catalog, nothing staged, the bound driver untouched."""
    add(machine, "current")
    before = machine.nic.driver
    assert add(machine, "broken") == HASH_NOT_IN_CATALOG
    assert (machine.nic.driver, machine.nic.started, len(packages_in(machine))) == (before, True, 1)


def test_expired_certificate_is_refused(machine):
    """Two years later the lab's certificate is no good any more: the machine's own clock counts."""
    from datetime import timedelta

    machine.windows.clock_offset = timedelta(days=700)
    assert add(machine, "current") == EXPIRED


def test_package_without_catalog_is_refused(machine):
    """An INF that names no catalog is unsigned."""
    path = r"C:\hil\current\hilnic.inf"
    machine.windows.files.write(path, machine.windows.files.read(path).replace(b"CatalogFile = hilnic.cat\r\n", b""))
    assert add(machine, "current") == NO_CATALOG


@pytest.mark.parametrize(("name", "code"), [("hilnic.sys", 2), ("hilnic.cat", 2), ("hilnic.inf", 2)])
def test_incomplete_package(machine, name, code):
    """A file that is not there gives ERROR_FILE_NOT_FOUND."""
    machine.windows.files.remove(rf"C:\hil\current\{name}")
    assert add(machine, "current") == code


def test_upgrade_and_older_package(machine):
    """Newer replaces older; older is staged and not bound (259)."""
    assert add(machine, "previous") == 0
    assert add(machine, "current") == 0
    assert machine.nic.driver.version == "2.1.0.0"
    assert machine.windows.devices.loaded_image("hilnic").path == machine.nic.driver.image_path
    machine.run("pnputil /delete-driver oem0.inf")
    assert add(machine, "previous") == BETTER_DRIVER
    assert (machine.nic.driver.version, len(packages_in(machine))) == ("2.1.0.0", 2)


def test_same_package_again(machine):
    """The same package a second time changes nothing: exit code 259, one entry."""
    add(machine, "current")
    assert add(machine, "current") == BETTER_DRIVER
    assert len(packages_in(machine)) == 1


def test_staged_only(machine):
    """Without /install the package is staged, and the next scan of a device without driver takes it."""
    assert add(machine, "current", "/subdirs") == 0
    assert machine.nic.driver is None
    machine.run(f'pnputil /remove-device "{machine.nic.instance_id}"')
    machine.run("pnputil /scan-devices")
    assert machine.nic.driver.version == "2.1.0.0"


def test_package_in_use_stays(machine):
    """Delete without /uninstall is refused while a device uses the package."""
    add(machine, "current")
    assert machine.run("pnputil /delete-driver oem0.inf")[0] == IN_USE
    assert machine.nic.started


def test_rollback(machine):
    """Uninstalling the newer package binds the older one that is still in the store."""
    add(machine, "previous")
    add(machine, "current")
    assert machine.run("pnputil /delete-driver oem1.inf /uninstall")[0] == 0
    assert (machine.nic.driver.version, machine.nic.started) == ("2.0.0.0", True)


def test_uninstall_leaves_nothing(machine):
    """After the last package the device has code 28, and store, INF folder, catalogs and services are as before."""
    add(machine, "current")
    assert machine.run("pnputil /delete-driver oem0.inf /uninstall")[0] == 0
    files = machine.windows.files
    assert (machine.nic.problem, machine.nic.driver, packages_in(machine)) == (NO_DRIVER, None, [])
    assert not files.exists(r"C:\Windows\INF\oem0.inf")
    assert machine.windows.services.find("hilnic") is None
    assert machine.run("pnputil /delete-driver oem0.inf")[0] == NOT_INSTALLED


def test_store_survives_a_power_cut(machine):
    """Packages, bindings and test signing are on disk: mains off and on, and the adapter starts again."""
    add(machine, "current")
    machine.cut_power()
    assert (machine.nic.driver.version, machine.nic.problem) == ("2.1.0.0", 0)


def test_log_tells_why(machine):
    """setupapi.dev.log has one section a run, and the refused one names file and code."""
    add(machine, "current")
    add(machine, "broken")
    text = machine.windows.files.read(r"C:\Windows\INF\setupapi.dev.log").decode()
    good, bad = text.split(">>>  [Device Install (DiInstallDriver)")[1:]
    assert "[Exit status: SUCCESS]" in good
    assert "[Exit status: FAILURE(0xe000024b)]" in bad and "hilnic.sys" in bad


def test_secure_boot_forbids_test_signing(tmp_path, samples):
    """With Secure Boot on, bcdedit refuses, and the driver stays unloaded."""
    with VirtualWindows(tmp_path, secure_boot=True) as machine:
        assert machine.run("bcdedit /set testsigning on")[0] == 1
        machine.reboot()
        assert not machine.windows.boot_options.test_signing


def test_restart_is_asked_of_a_device_that_runs(machine, samples):
    """The INF's Reboot directive: 3010, and the old image stays until the boot, that ends the wait.

    "INF Reboot directive": since Windows 8 only for devices that are started.
    """
    machine.upload(samples.restarting, r"C:\hil\restarting")
    add(machine, "current")
    image = machine.windows.devices.loaded_image("hilnic").path
    assert add(machine, "restarting") == REBOOT_REQUIRED
    assert machine.nic.driver.version == "2.2.0.0"
    assert (machine.windows.devices.loaded_image("hilnic").path, machine.nic.started) == (image, True)
    machine.reboot()
    assert machine.windows.devices.loaded_image("hilnic").path == machine.nic.driver.image_path != image
    assert not machine.nic.restart_needed


def test_restart_is_not_asked_of_a_device_that_stands(machine, samples):
    """Without a driver before, the same package starts at once."""
    machine.upload(samples.restarting, r"C:\hil\restarting")
    assert add(machine, "restarting") == 0
    assert machine.nic.started


def test_pnputil_restarts_windows(machine, samples):
    """With /reboot Windows restarts by itself, 1641, and says who asked."""
    machine.upload(samples.restarting, r"C:\hil\restarting")
    add(machine, "current")
    before = machine.windows.last_boot
    assert add(machine, "restarting", "/install", "/reboot") == REBOOT_INITIATED
    machine.wait(machine._until_up(before))
    assert any("pnputil.exe" in str(event.fields) for event in machine.windows.events.find("User32", 1074))


def test_better_match_beats_the_younger_package(machine, samples):
    """A package for the very board wins against a younger one for the family, in whichever order they come."""
    machine.upload(samples.other, r"C:\hil\other")
    install = r"pnputil /add-driver C:\hil\other\hiloem.inf /install"
    assert machine.run(install)[0] == 0
    assert machine.nic.driver.service == "hiloem"
    assert add(machine, "current") == 0
    assert machine.nic.driver.service == "hilnic"
    assert machine.run(install)[0] == BETTER_DRIVER
    assert machine.nic.driver.service == "hilnic"


def test_install_writes_anew_what_the_inf_says(machine):
    """A value that AddReg writes without FLG_ADDREG_NOCLOBBER is set anew; a default below Ndi\\params leaves what is
    there."""
    add(machine, "previous")
    key = rf"HKLM\SYSTEM\CurrentControlSet\Control\Class\{machine.nic.driver_key}"
    for name in ("WakeFromS5", "*ReceiveBuffers"):
        machine.windows.registry.set(key, name, "0" if name == "WakeFromS5" else "384")
    add(machine, "current")
    assert machine.windows.registry.get(key, "WakeFromS5") == "1"
    assert machine.windows.registry.get(key, "*ReceiveBuffers") == "384"


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("unsigned", NOT_SIGNED, "catalog file does not contain a signature"),
        ("expired", EXPIRED, "not within its validity period"),
        ("revoked", PUBLISHER_NOT_TRUSTED, "not yet been established as trusted"),
    ],
)
def test_refusals(kind, code, said, machine, samples):
    """Each package that must be refused is, by what is wrong with it, and the log says the same."""
    machine.upload(getattr(samples, kind), rf"C:\hil\{kind}")
    assert add(machine, kind) == code
    log = machine.windows.files.read(r"C:\Windows\INF\setupapi.dev.log").decode().rpartition(">>>  [")[2]
    assert said in log and f"FAILURE(0x{code:08x})" in log
    assert packages_in(machine) == []


FAULTS = "hil.virtual.faults.package"


def test_fault_broken_signature_accepted(tmp_path, samples):
    """The fault makes Windows take the altered package, and load it."""
    with VirtualWindows(tmp_path, faults=["hil.virtual.faults.signature:BrokenSignatureAccepted"]) as machine:
        machine.upload(samples.broken, r"C:\hil\broken")
        machine.trust(samples)
        assert add(machine, "broken") == 0
        assert machine.nic.started


def test_fault_package_stays(tmp_path, samples):
    """The fault leaves the package in the store although pnputil says it is gone."""
    with VirtualWindows(tmp_path, faults=[f"{FAULTS}:PackageStaysInStore"]) as machine:
        machine.upload(samples.current, r"C:\hil\current")
        machine.trust(samples)
        add(machine, "current")
        assert machine.run("pnputil /delete-driver oem0.inf /uninstall")[0] == 0
        assert len(packages_in(machine)) == 1


def test_fault_older_package_wins(tmp_path, samples):
    """The fault makes an older package replace the newer one."""
    with VirtualWindows(tmp_path, faults=[f"{FAULTS}:OlderPackageWins"]) as machine:
        for name in ("current", "previous"):
            machine.upload(getattr(samples, name), rf"C:\hil\{name}")
        machine.trust(samples)
        add(machine, "current")
        assert add(machine, "previous") == 0
        assert machine.nic.driver.version == "2.0.0.0"


def test_fault_stale_image(tmp_path, samples):
    """The fault leaves the old image in memory after an upgrade."""
    with VirtualWindows(tmp_path, faults=[f"{FAULTS}:StaleImageAfterUpgrade"]) as machine:
        for name in ("current", "previous"):
            machine.upload(getattr(samples, name), rf"C:\hil\{name}")
        machine.trust(samples)
        add(machine, "previous")
        old = machine.nic.driver.image_path
        add(machine, "current")
        assert machine.nic.driver.version == "2.1.0.0"
        assert machine.windows.devices.loaded_image("hilnic").path == old


def test_fault_starts_only_when_installed(tmp_path, samples):
    """The fault lets the driver start after installation and fail after a restart (code 10)."""
    with VirtualWindows(tmp_path, faults=[f"{FAULTS}:StartsOnlyWhenInstalled"]) as machine:
        machine.upload(samples.current, r"C:\hil\current")
        machine.trust(samples)
        add(machine, "current")
        assert machine.nic.started
        machine.reboot()
        assert machine.nic.problem == 10
