"""Packages and trust on the machine, over real SSH against the virtual Windows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.journal import Journal
from hil.package import Package
from hil.remote import Command, PowerShellError
from hil.testbed.model import Packages, Testbed
from hil.virtual.lab import Lab
from hil.windows import Adapter, DriverStore, Machine, PackageRefused, setup_log, trust
from hil.windows.driver_store import NO_BETTER_DRIVER, REBOOT_BEGUN, REBOOT_NEEDED
from hil.windows.installed import differences, service_binary, surroundings


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Testbed]]:
    journal = Journal()
    described = Testbed.model_validate({"name": "store-tests", "virtual": {"timescale": 0.005}})
    folder = tmp_path_factory.mktemp("state")
    with Lab(described, folder, journal) as testbed, Machine(testbed.machine, journal) as machine:
        yield machine, testbed


@pytest.fixture(scope="module")
def packages(bench) -> Packages:
    return bench[1].packages


@pytest.fixture(scope="module")
def unprepared(bench) -> Machine:
    """Trusts nobody; only for tests that run before ``machine`` is asked for."""
    return bench[0]


@pytest.fixture(scope="module")
def machine(unprepared: Machine, packages: Packages) -> Machine:
    """Trusts the lab's certificate and takes test signatures."""
    trust.import_certificate(unprepared, packages.certificate.read_bytes())
    if trust.set_test_signing(unprepared, True):
        unprepared.reboot()
    return unprepared


@pytest.fixture
def store(machine: Machine, current: Package, other: Package) -> DriverStore:
    store = DriverStore(machine)
    store.remove_all(current, other)
    return DriverStore(machine)


@pytest.fixture(scope="module")
def adapter(machine: Machine, bench) -> Adapter:
    return Adapter.find(machine, bench[1].adapter)


@pytest.fixture(scope="module")
def other(packages: Packages) -> Package:
    return Package.load(packages.other)


@pytest.fixture(scope="module")
def restarting(packages: Packages) -> Package:
    return Package.load(packages.restarting)


@pytest.fixture(scope="module")
def current(packages: Packages) -> Package:
    return Package.load(packages.current)


@pytest.fixture(scope="module")
def previous(packages: Packages) -> Package:
    return Package.load(packages.previous)


def bound_version(machine: Machine) -> str | None:
    found = machine.shell.run(Command("Get-CimInstance", ClassName="Win32_PnPSignedDriver"))
    return next((str(one["DriverVersion"]) for one in found if "DEV_7A10" in str(one["DeviceID"])), None)


def test_untrusted_package_is_explained(unprepared, current):
    """On an unprepared machine the refusal carries the code, its meaning, what to do, and Windows' own log.

    The first thing that happens to everybody on a new test PC.
    """
    with pytest.raises(PackageRefused) as refusal:
        DriverStore(unprepared).add(current)
    error = refusal.value
    assert (error.exit_code_seen, error.where) == (0x800B0109, unprepared.where)
    assert "root" in error.meaning and "hil provision" in error.next_step
    assert current.inf_name in error.setup_log and "FAILURE(0x800b0109)" in error.setup_log
    assert DriverStore(unprepared).list() == ()


def test_certificate_goes_into_both_stores_and_out_again(unprepared, packages):
    """Import names the stores that it changed, does nothing the second time, and can be taken back exactly.

    Provisioning must leave the PC as it was found.
    """
    der = packages.certificate.read_bytes()
    assert trust.import_certificate(unprepared, der) == trust.STORES
    assert trust.import_certificate(unprepared, der) == ()
    trust.remove_certificate(unprepared, der, ["Root"])
    assert trust.trusted_in(unprepared, der) == ("TrustedPublisher",)
    assert trust.import_certificate(unprepared, der) == ("Root",)
    trust.remove_certificate(unprepared, der)
    trust.remove_certificate(unprepared, der)
    assert trust.trusted_in(unprepared, der) == ()


def test_what_is_no_certificate(unprepared):
    """Bytes that are no certificate are refused by Windows, and the refusal is passed on."""
    with pytest.raises(PowerShellError) as error:
        trust.import_certificate(unprepared, b"no certificate")
    assert "ImportCertificateCommand" in error.value.error_id


def test_test_signing_needs_a_reboot(unprepared, machine):
    """Asked for on a machine that has it, no reboot is needed; turned off, one is, and until then it stays on."""
    assert trust.test_signing(machine)
    assert trust.set_test_signing(machine, True) is False
    assert trust.set_test_signing(machine, False) is True
    assert trust.test_signing(machine)
    assert trust.set_test_signing(machine, True) is False


def test_secure_boot_is_named(tmp_path):
    """With Secure Boot on, test signing is a usage error that says where to turn it off."""
    described = Testbed.model_validate({"name": "secure", "virtual": {"timescale": 0.005, "secure_boot": True}})
    with Lab(described, tmp_path, Journal()) as testbed, Machine(testbed.machine, Journal()) as machine:
        with pytest.raises(UsageError, match="firmware"):
            trust.set_test_signing(machine, True)
        assert trust.set_test_signing(machine, False) is False


def test_install_tells_which_entry_it_made(machine, store, current):
    """The published name is that of the new entry, and the list shows what was added."""
    result = store.add(current)
    assert (result.exit_code, result.new, result.installed, result.reboot_needed) == (0, True, True, False)
    (stored,) = store.list()
    assert (stored.published, stored.original_inf, stored.version) == (result.published, "hilnic.inf", "2.1.0.0")
    assert (stored.provider, stored.date, stored.signature) == ("HIL Lab", current.date, "Signed")
    assert bound_version(machine) == "2.1.0.0"


def test_second_install_finds_the_entry(store, current):
    """The same package again: not new, nothing installed, the same entry."""
    first, second = store.add(current), store.add(current)
    assert (second.published, second.new, second.installed) == (first.published, False, False)


def test_older_package_is_staged(machine, store, current, previous):
    """An older package is in the store and not on the device; versions come oldest first."""
    store.add(current)
    assert not store.add(previous).installed
    assert store.versions(current) == ("2.0.0.0", "2.1.0.0")
    assert bound_version(machine) == "2.1.0.0"


def test_rollback(machine, store, current, previous):
    """Deleting the newer package gives the device the older one."""
    store.add(previous)
    store.delete(store.add(current).published)
    assert bound_version(machine) == "2.0.0.0"


def test_delete_in_use(store, current):
    """A package in use that is not to be uninstalled is refused with Windows' code."""
    result = store.add(current)
    with pytest.raises(PackageRefused) as refusal:
        store.delete(result.published, uninstall=False)
    assert refusal.value.exit_code_seen == 0xE000023D


def test_delete_of_nothing(store):
    """A published name that is not there is refused, not ignored."""
    with pytest.raises(PackageRefused):
        store.delete("oem99.inf")


def test_restore(machine, store, current, previous):
    """Whatever was there, afterwards the package is the only one of its driver, and bound."""
    store.add(current)
    store.add(previous)
    store.restore(current)
    assert store.versions(current) == ("2.1.0.0",)
    store.restore(previous)
    assert (store.versions(current), bound_version(machine)) == (("2.0.0.0",), "2.0.0.0")


def test_broken_package(machine, store, current, packages):
    """A changed file is refused, named in the error, and leaves the installed driver alone."""
    store.add(current)
    with pytest.raises(PackageRefused, match=r"hilnic\.sys") as refusal:
        store.add(Package.load(packages.broken))
    assert refusal.value.exit_code_seen == 0xE000024B
    assert (store.versions(current), bound_version(machine)) == (("2.1.0.0",), "2.1.0.0")


def test_staged_only(store, current):
    """Without install the package is staged and no device gets it."""
    assert store.add(current, install=False).exit_code == 0
    assert store.versions(current) == ("2.1.0.0",)


def test_package_with_other_content_is_another_upload(store, current, packages, tmp_path):
    """Two packages of one version go into two folders on the machine: content names the folder, not the version."""
    copy = Package.load(Path(shutil.copytree(packages.broken, tmp_path / "copy")))
    assert store.send(current) != store.send(copy)
    assert store.send(copy) == store.send(Package.load(packages.broken))


def test_sections_of_the_setup_log():
    """Sections are cut at their marks; a torn one at the end is left out."""
    text = ">>>  [A - x.inf]\n>>>  Section start 1\n!!!  sto: bad\n<<<  Section end\n<<<  [Exit status: FAILURE(0x2)]"
    assert setup_log.sections(text + "\n\n>>>  [B]\n>>>  Section start 2\n") == [text]
    assert setup_log.errors(text) == ["sto: bad"]


def test_install_makes_the_restart(machine, current, restarting, adapter, store):
    """3010: `add` leaves the old image at work, `install` restarts Windows, says so, and the new one is in memory.

    Where the restart is forgotten, the lab tests the driver of yesterday.
    """
    told: list[str] = []
    store = DriverStore(machine, restarting=lambda: told.append("restarting"))
    store.install(current)
    assert store.add(restarting).exit_code == REBOOT_NEEDED
    assert adapter.driver().image_sha256 == current.driver_sha256
    assert any("another image is in memory" in sentence for sentence in differences(adapter, store, restarting))
    store.restore(current)
    assert told == []
    boot = machine.boot()
    assert store.install(restarting).exit_code == REBOOT_NEEDED
    assert machine.boot().differs_from(boot) and told == ["restarting"]
    assert differences(adapter, store, restarting) == []


def test_windows_restarts_by_itself(machine, current, restarting, adapter, store):
    """1641: with reboot=True it comes back once Windows has restarted, proven by its boot, and the package is used."""
    store.install(current)
    boot = machine.boot()
    assert store.add(restarting, reboot=True).exit_code == REBOOT_BEGUN
    assert machine.boot().differs_from(boot)
    assert differences(adapter, store, restarting) == []


def test_no_restart_where_none_is_needed(machine, restarting, store):
    """The Reboot directive is for devices that run: on one without a driver the install ends with 0."""
    boot = machine.boot()
    assert store.install(restarting).exit_code == 0
    assert not machine.boot().differs_from(boot)


def test_differences_are_told_one_by_one(machine, current, previous, other, adapter, store):
    """A package that is not the bound one differs in each respect; the bound one in none.

    One sentence for each, since each points to another culprit.
    """
    store.install(current)
    assert differences(adapter, store, current) == []
    told = "\n".join(differences(adapter, store, previous))
    for words in ("bound to oem0.inf", "version 2.1.0.0", "date 2025-09-15", "the service names", "in memory"):
        assert words in told, told
    assert "provider" not in told and "service hilnic" not in told
    told = "\n".join(differences(adapter, store, other))
    assert "provider HIL Lab" in told and "service hilnic, the package says hiloem" in told


def test_service_binary(machine, current, store):
    """The file that the service names, and its hash; nothing for a service that is not there."""
    store.install(current)
    path, digest = service_binary(machine, current.service)
    assert path.endswith(r"\hilnic.sys") and digest == current.driver_sha256
    assert service_binary(machine, "no-such-service") == ("", "")


def test_surroundings(machine, current, other, adapter, store):
    """Other network devices and other drivers' packages; the adapter and the drivers at hand stay out."""
    before = surroundings(adapter, store.list(), [current])
    store.install(current)
    assert surroundings(adapter, store.list(), [current]) == before
    assert [text for text in before.values() if text.startswith("e2fn.inf")]
    staged = store.add(other, install=False)
    assert surroundings(adapter, store.list(), [current]) == before | {staged.published: "hiloem.inf 3.0.0.0"}
    assert surroundings(adapter, store.list(), [current, other]) == before


def test_log_of_what_was_changed(machine, current, previous, store):
    """The part of setupapi.dev.log since the first change, and nothing before it; nothing when nothing was changed."""
    store.install(previous)
    later = DriverStore(machine)
    assert later.log() == ""
    assert later.add(previous).exit_code == NO_BETTER_DRIVER
    later.add(current)
    sections = setup_log.sections(later.log())
    assert len(sections) == 2 and current.version in sections[1]


def test_log_that_began_anew(machine, current, store):
    """When Windows has begun a new file meanwhile, all of it is told."""
    store.install(current)
    assert setup_log.since(machine, 1 << 30).startswith(">>>")


@pytest.mark.parametrize(("kind", "code"), [("unsigned", 0xE0000247), ("expired", 0x800B0101)])
def test_refusals_are_explained(kind, code, store, packages):
    """Code, its meaning and the first error of the log stand in the message: nobody has to look codes up at night."""
    with pytest.raises(PackageRefused, match=f"0x{code:X}") as refusal:
        store.add(Package.load(getattr(packages, kind)))
    assert refusal.value.meaning in str(refusal.value)
    assert setup_log.errors(refusal.value.setup_log)[0] in str(refusal.value)


def test_distrusted_certificate(machine, store, packages):
    """In TrustedPublisher the package is taken; in Disallowed too it is refused; taken out of both, unknown again."""
    revoked = Package.load(packages.revoked)
    signer = revoked.catalog.signer_certificate
    trust.put(machine, signer, "TrustedPublisher")
    store.uninstall(store.add(revoked, install=False).published)
    trust.put(machine, signer, "Disallowed")
    with pytest.raises(PackageRefused, match="distrusts") as refusal:
        store.add(revoked)
    assert refusal.value.exit_code_seen == 0x800B0111
    trust.take(machine, signer, "TrustedPublisher", "Disallowed")
    with pytest.raises(PackageRefused, match="publisher is not trusted"):
        store.add(revoked)
