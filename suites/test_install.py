"""The package's life on Windows: installed, upgraded, rolled back, refused, removed."""

from __future__ import annotations

import pytest

from hil.errors import DriverInstallFailed


@pytest.fixture
def bound(adapter):
    """``bound(package)``: asserts that the adapter runs this package and no other, the image in memory included."""

    def check(package) -> None:
        adapter.wait_up()
        driver = adapter.driver()
        assert (driver.version, driver.date, driver.provider) == (package.version, package.date, package.provider)
        assert driver.signer == package.signer
        assert driver.image_sha256 == package.driver_sha256, f"another image is loaded: {driver.image_path}"
        assert adapter.problem() == 0

    return check


@pytest.fixture
def no_package(driver, store, package, undo):
    """No package of this driver is in the store, as on a new PC; the one under test is bound again afterwards."""
    undo(store.restore, package)
    store.remove_all(package)
    assert store.versions(package) == ()


@pytest.mark.hlk("DF - Reinstall with IO Before and After *")
def test_fresh_install(no_package, store, package, adapter, bound):
    """On a PC that never saw this driver, pnputil installs it and the adapter comes up on it.

    The first minute of every customer.
    """
    result = store.add(package)
    assert result.exit_code == 0
    bound(package)
    assert adapter.driver().inf == result.published


@pytest.mark.hlk("DF - Reinstall with IO Before and After *")
def test_reinstall(driver, store, package, bound):
    """Installing the same package again changes nothing and says so (exit code 0 or 259).

    Deployment tools run the same command every night.
    """
    before = store.versions(package)
    assert store.add(package).exit_code in (0, 259)
    assert store.versions(package) == before
    bound(package)


@pytest.mark.requires("previous_package")
def test_upgrade(no_package, store, package, previous_package, bound):
    """From the previous release to this one: bound, and the new image is the one in memory.

    An old image that stays loaded makes a security fix a fix on paper.
    """
    store.add(previous_package)
    bound(previous_package)
    store.add(package)
    bound(package)


@pytest.mark.requires("previous_package")
def test_upgrade_keeps_settings(no_package, store, package, previous_package, adapter):
    """An advanced property that the user changed survives the upgrade.

    Administrators tune once and roll out updates for years.
    """
    store.add(previous_package)
    adapter.wait_up()
    adapter.set("*ReceiveBuffers", "384")
    store.add(package)
    adapter.wait_up()
    assert adapter.settings()["*ReceiveBuffers"] == "384"


@pytest.mark.requires("previous_package")
def test_older_package_does_not_win(driver, store, package, previous_package, undo, bound):
    """Adding an older package stages it and leaves the newer one at work.

    Windows ranks by date and version; a package that wins against its successor undoes fixes.
    """
    undo(store.restore, package)
    store.add(previous_package)
    assert previous_package.version in store.versions(package)
    bound(package)


@pytest.mark.requires("previous_package")
def test_rollback(no_package, store, package, previous_package, bound):
    """With the new package taken back, the previous release is bound and works.

    What users do when an update went wrong.
    """
    store.add(previous_package)
    new = store.add(package)
    store.delete(new.published)
    bound(previous_package)


@pytest.mark.hlk("DF - Reinstall with IO Before and After *")
def test_uninstall_leaves_nothing(no_package, store, package, adapter):
    """Uninstalled, the package is gone from the store, and the device stands there without a driver (code 28).

    A leftover package is what Windows binds again behind the administrator's back.
    """
    store.add(package)
    adapter.wait_up()
    store.remove_all(package)
    assert store.versions(package) == ()
    assert adapter.problem() == 28  # CM_PROB_FAILED_INSTALL


@pytest.mark.requires("broken_package")
def test_broken_signature_is_refused(driver, store, package, broken_package, undo, bound):
    """A package changed after it was signed is refused, nothing of it stays, and the old driver goes on working.

    This is what keeps a tampered kernel driver off the machine.
    """
    undo(store.restore, package)
    before = store.versions(package)
    with pytest.raises(DriverInstallFailed) as refusal:
        store.add(broken_package)
    # ERROR_FILE_HASH_NOT_IN_CATALOG, the code of pnputil for a file that is not what the catalog says
    assert refusal.value.exit_code_seen == 0xE000024B
    assert store.versions(package) == before
    bound(package)


def test_driver_survives_reboot(driver, machine, package, expect, bound):
    """After a restart of Windows the same package is bound and the adapter comes up.

    A driver that only starts when it was just installed is found by the first reboot.
    """
    expect("reboot")
    machine.reboot()
    bound(package)
