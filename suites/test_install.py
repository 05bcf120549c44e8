"""The life of packages on a PC: each operation with each package, and after every step of it the same questions."""

from __future__ import annotations

import pytest

from hil.windows import setup_log
from hil.windows.device import NO_DRIVER
from hil.windows.driver_store import DONE, NO_BETTER_DRIVER, REBOOT_BEGUN, REBOOT_NEEDED, PackageRefused
from hil.windows.installed import differences, service_binary, surroundings

IN_USE = 0xE000023D
"""pnputil: one or more devices are presently installed using the specified INF."""
LIVES = {
    # + is put into the store and on devices, - is uninstalled and taken out of it
    "install": "+current",
    "reinstall": "+current +current",
    "upgrade": "+previous +current",
    "downgrade": "+current +previous -current",
    "rollback": "+previous +current -current",
    "remove-older-from-store": "+previous +current -previous",
    "uninstall": "+current -current",
    "side-by-side": "+other +current",
    "side-by-side-later": "+current +other",
    "hand-over": "+current +other -current",
    "with-restart": "+current +restarting -restarting",
}


def _life(name):
    """Marked with the packages that it needs; what is put on, used and taken off is the kit's reinstall test."""
    steps = LIVES[name].split()
    others = {f"{step[1:]}_package" for step in steps} - {"current_package"}
    kit = [pytest.mark.hlk("DF - Reinstall with IO Before and After *")] if not others else []
    return pytest.param(steps, id=name, marks=[pytest.mark.requires(*others), *kit])


class Life:
    """What is in the store, what must be bound then, and what is."""

    def __init__(self, adapter, store, packages):
        self.adapter, self.store, self.packages = adapter, store, packages
        self.published = {}
        self.surroundings = surroundings(adapter, store.list(), packages.values())

    def best(self):
        """Which of the packages in the store fits the device best: by its most specific id, then date and version.

        "How Windows ranks drivers"; none of them is better signed than another here.
        """
        ids = [text.upper() for text in self.adapter.device.state().hardware_ids]

        def rank(name):
            package = self.packages[name]
            fits = min(ids.index(text.upper()) for text in package.model.ids if text.upper() in ids)
            return -fits, package.date, [int(part) for part in package.version.split(".")]

        return max(self.published, key=rank, default=None)

    def take(self, step):
        """One step, with the restarts that Windows asks for."""
        sign, name, before = step[0], step[1:], self.best()
        if sign == "-":
            self.store.uninstall(self.published.pop(name))
        else:
            result = self.store.install(self.packages[name])
            self.published[name] = result.published
            changed = self.best() == name != before
            wanted = {DONE, REBOOT_NEEDED} if changed else {NO_BETTER_DRIVER} | ({DONE} if name == before else set())
            assert result.exit_code in wanted, f"{step} ended with {result.exit_code}, bound was {before}"
        self.must_stand()

    def must_stand(self):
        """Bound, named by the service and in memory is the best package, and nothing else on this PC changed."""
        best, listing = self.best(), self.store.list()
        if best is None:
            # Windows may have a driver of its own for this NIC
            assert self.adapter.problem() == NO_DRIVER or not self.adapter.driver().inf.lower().startswith("oem")
            for package in self.packages.values():
                assert self.adapter.machine.loaded_image(package.service).sha256 != package.driver_sha256
        else:
            self.adapter.wait_up()
            wrong = differences(self.adapter, self.store, self.packages[best], listing)
            noted = setup_log.errors(self.store.log())[:1] if wrong else []
            assert not wrong, "\n".join([f"{best} must be bound, but:", *wrong, *noted])
        stored = {entry.published for entry in listing if any(map(entry.is_of, self.packages.values()))}
        assert stored == set(self.published.values())
        assert surroundings(self.adapter, listing, self.packages.values()) == self.surroundings


@pytest.fixture
def life(driver, adapter, store, package, packages, undo):
    """``life("current", "previous")``: a PC that never saw one of these packages, and is afterwards as it was."""

    def begin(*names):
        chosen = {name: packages(name) for name in ("current", *names)}
        undo(store.restore, package)
        undo(store.remove_all, *(chosen[name] for name in names if name == "other"))
        store.remove_all(*chosen.values())
        return Life(adapter, store, chosen)

    return begin


@pytest.mark.parametrize("steps", [_life(name) for name in LIVES])
def test_life(steps, life):
    """After each step the package that fits best is bound, named by its service and in memory; other devices keep
    theirs.

    A fix that is installed and not in memory, or that took the neighbour's driver along, is found by no version number.
    """
    pc = life(*{step[1:] for step in steps})
    for step in steps:
        pc.take(step)


def test_uninstall_leaves_no_service(life, package, machine):
    """With its last package the driver's service goes too, or is that of Windows' own driver.

    A service that stays is found by the next release, and by whoever looks for an image to load.
    """
    pc = life()
    pc.take("+current")
    pc.take("-current")
    path, digest = service_binary(machine, package.service)
    assert (path, digest) == ("", "") or digest not in ("", package.driver_sha256), f"the service still names {path}"


def test_package_in_use_stays(life, store):
    """A package that a device uses is not taken out of the store without uninstalling it; the device works on.

    A driver without its package is lost at the next boot.
    """
    pc = life()
    pc.take("+current")
    with pytest.raises(PackageRefused) as refusal:
        store.delete(pc.published["current"], uninstall=False)
    assert refusal.value.exit_code_seen == IN_USE
    pc.must_stand()


@pytest.mark.requires("restarting_package")
def test_windows_restarts_when_it_may(life, store, packages):
    """Allowed to restart Windows (``/reboot``), the install does so, says so (1641), and is complete after the boot.

    Deployment tools hand the restart to Windows and look again when it is back.
    """
    pc = life("restarting")
    pc.take("+current")
    result = store.add(packages("restarting"), reboot=True)
    pc.published["restarting"] = result.published
    assert result.exit_code == REBOOT_BEGUN
    pc.must_stand()


@pytest.mark.requires("restarting_package")
def test_old_driver_works_until_the_restart(life, store, adapter, packages, package):
    """An install that asks for a restart (3010) leaves the old image at work until then.

    A network that is gone between the install and the restart at night is a service desk's morning.
    """
    pc = life("restarting")
    pc.take("+current")
    assert store.add(packages("restarting")).reboot_needed
    adapter.wait_up()
    assert adapter.driver().image_sha256 == package.driver_sha256


@pytest.mark.requires("previous_package", "partner")
@pytest.mark.parametrize("use", ["program", "send", "receive"])
def test_upgrade_in_use(use, life, adapter, traffic, full_rate, undo):
    """With the network in use, by a program that listens or by traffic, the upgrade goes through and full rate returns.

    Nobody closes all programs for an update that comes by night.
    """
    pc = life("previous")
    pc.take("+previous")
    adapter.ensure_address()
    adapter.wait_up()
    if use == "program":
        program = traffic.start_server(traffic.next_port())
        undo(program.stop)
        assert program.running
        pc.take("+current")
    else:
        with traffic.tcp(streams=4, direction=use):
            pc.take("+current")
    full_rate(f"after the upgrade, {use}")


@pytest.mark.requires("slot")
def test_absent_device_gets_its_driver_when_plugged(life, adapter, slot, store, package, undo):
    """A package that is added while the NIC is absent is staged (259), and bound and started once the NIC is plugged.

    The image of a company's PCs has the drivers in it before the docks are unpacked.
    """
    pc = life()
    slot.pull()
    undo(slot.plug)
    adapter.wait_absent()
    result = store.install(package)
    assert result.exit_code == NO_BETTER_DRIVER
    assert not result.installed
    slot.plug()
    adapter.wait_present()
    pc.published["current"] = result.published
    pc.must_stand()


@pytest.mark.requires("slot", "previous_package")
def test_update_while_absent(life, adapter, slot, store, package, undo):
    """An update that comes while a known NIC is unplugged leaves it whole: plugged, it has the one driver or the other,
    in all its parts, and the next install brings the new one.

    Updates come at night, and the dock is on the desk at the office. Whether Windows ranks drivers anew for a device
    that it knows is unconfirmed (the documents speak of devices that are present: DiInstallDriver), so both may be.
    """
    pc = life("previous")
    pc.take("+previous")
    slot.pull()
    undo(slot.plug)
    adapter.wait_absent()
    result = store.install(package)
    assert result.exit_code == NO_BETTER_DRIVER
    slot.plug()
    adapter.wait_present()
    adapter.wait_up()
    names = {pc.published["previous"]: "previous", result.published: "current"}
    inf = adapter.driver().inf
    assert inf in names
    assert not differences(adapter, store, pc.packages[names[inf]])
    pc.published[names[inf]] = inf
    pc.take("+current")


@pytest.mark.hlk("DF - PNP DIF Remove Device Test *")
def test_removed_device_is_new_again(life, off_default, adapter, machine, package):
    """Removed as Device Manager does it, the device is gone; the next scan finds it, with the package and its defaults.

    What help desks do after "have you turned it off and on again", and the first minute of every customer.
    """
    pc = life()
    pc.take("+current")
    adapter.set(*off_default)
    machine.tool("pnputil", "/remove-device", adapter.instance_id)
    adapter.wait_absent()
    machine.tool("pnputil", "/scan-devices")
    adapter.wait_present()
    pc.must_stand()
    settings = adapter.settings()
    wanted = {keyword.name: keyword.default for keyword in package.keywords if not keyword.optional}
    assert wanted
    assert {name: settings.get(name) for name in wanted} == wanted


def test_driver_survives_reboot(driver, machine, adapter, store, package, expect):
    """After a restart of Windows the same package is bound and the adapter comes up.

    A driver that only starts when it was just installed is found by the first reboot.
    """
    expect("reboot")
    machine.reboot()
    adapter.wait_up()
    assert not differences(adapter, store, package)


@pytest.mark.requires("partner")
@pytest.mark.parametrize(
    "traffic_when",
    [
        pytest.param("before", marks=pytest.mark.hlk("DF - Reboot restart with IO before and after (Reliability)")),
        pytest.param("during", marks=pytest.mark.hlk("DF - Reboot Restart with IO During *")),
    ],
)
def test_restart_of_windows_and_traffic(traffic_when, configured, adapter, machine, traffic, full_rate, expect):
    """Traffic before a restart of Windows, or until it ends it, costs neither rate nor settings afterwards.

    Updates restart machines in the middle of their backups.
    """
    expect("reboot")
    if traffic_when == "before":
        traffic.tcp(streams=4, seconds=1)
        machine.reboot()
    else:
        with traffic.tcp(streams=4, direction="both"):
            machine.reboot()
    adapter.wait_up()
    assert adapter.settings() == configured
    full_rate(f"after a restart, traffic {traffic_when}")
