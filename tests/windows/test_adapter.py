"""The adapter under test, against the virtual machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from desk import Desk

from hil.clock import now_s
from hil.errors import BenchError, DeviceMissing, DutError, LinkLost, UsageError
from hil.package import Package
from hil.remote import Command
from hil.windows import Adapter, Machine

MANAGEMENT_NAME = "Ethernet"


@pytest.fixture(autouse=True)
def up_again(desk: Desk, adapter: Adapter) -> Iterator[None]:
    """Each test leaves the adapter plugged, connected and up."""
    yield
    desk.instrument("slot").plug()
    desk.instrument("cable").connect()
    if adapter.problem() == 22:
        adapter.enable()
    adapter.wait_up()


def test_what_it_is(desk: Desk, adapter: Adapter) -> None:
    """Name, MAC, rate and state are those of the NIC: every report names the device by them."""
    info = adapter.wait_up()
    assert info.mac == info.permanent_mac == adapter.mac == "02-1D-0F-00-00-01"
    assert (info.status, info.link_mbps, info.full_duplex) == ("Up", 1000, True)
    assert info.instance_id == adapter.instance_id
    assert info.name == adapter.name != MANAGEMENT_NAME
    assert adapter.addresses() == [adapter.wanted.address]


def test_driver(desk: Desk, adapter: Adapter) -> None:
    """The bound driver is the package's, by version, date, provider, and by the hash of the image in memory."""
    assert desk.testbed.packages is not None
    package = Package.load(desk.testbed.packages.current)
    driver = adapter.driver()
    assert (driver.version, driver.provider, driver.service) == (package.version, package.provider, package.service)
    assert driver.date == package.date
    assert driver.inf.startswith("oem")
    assert driver.image_sha256 == package.driver_sha256
    assert driver.signer


def test_driver_date_is_that_of_the_inf_in_every_zone(desk: Desk, adapter: Adapter) -> None:
    """Windows shows the date as a local time, here of the evening before; read as it stands, every good driver of a lab
    in America would have the wrong date."""
    query = Command("Get-CimInstance", ClassName="Win32_PnPSignedDriver", Filter="DeviceClass='NET'")
    shown = {str(row["DeviceID"]): row["DriverDate"] for row in desk.machine.shell.run(query)}[adapter.instance_id]
    assert shown.utcoffset() < timedelta(0)
    assert adapter.driver().date == shown.date() + timedelta(days=1)


def test_settings(adapter: Adapter) -> None:
    """A setting that was written is read back, outlives the restart it needs, and goes back to its default."""
    default = adapter.settings()["*ReceiveBuffers"]
    adapter.set("*ReceiveBuffers", 384)
    adapter.wait_up()
    assert adapter.settings()["*ReceiveBuffers"] == "384" != default
    adapter.reset("*ReceiveBuffers")
    adapter.wait_up()
    assert adapter.settings()["*ReceiveBuffers"] == default


def test_link_local_address(desk: Desk, adapter: Adapter) -> None:
    """It is found beside others, and without the scope that Windows writes behind it, which is no part of an address.

    What asks a sleeping machine for its address asks for that one, and compares the answers.
    """
    adapter.add_address("2001:db8::5/64")
    query = Command("Get-NetIPAddress", InterfaceIndex=adapter.info().interface_index, AddressFamily="IPv6")
    shown = [str(row["IPAddress"]) for row in desk.machine.shell.run(query)]
    assert shown == ["2001:db8::5", f"fe80::1d:fff:fe00:1%{adapter.info().interface_index}"]
    assert adapter.addresses("IPv6") == ["2001:db8::5/64", "fe80::1d:fff:fe00:1/64"]
    assert adapter.link_local() == "fe80::1d:fff:fe00:1"
    adapter.remove_address("2001:db8::5/64")


def test_no_link_local_address(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6 on the adapter the bench is unfit to ask for it, and says what to do; the device did nothing."""
    monkeypatch.setattr(adapter, "addresses", lambda _: ["2001:db8::5/64"])
    with pytest.raises(BenchError, match=r"2001:db8::5.*ms_tcpip6") as refused:
        adapter.link_local()
    assert not isinstance(refused.value, DutError)


def test_optional_setting_that_nobody_has_set(desk: Desk, adapter: Adapter) -> None:
    """Windows shows it as two dashes; here it is empty, as in a snapshot of all settings, and empty takes it away.

    Two dashes that are written back are a password or an address which nobody chose.
    """
    query = Command("Get-NetAdapterAdvancedProperty", Name=adapter.name, RegistryKeyword="SecureOnPassword")
    shown = {name: desk.machine.shell.run(query)[0][name] for name in ("RegistryValue", "DisplayValue")}
    assert shown == {"RegistryValue": ["--"], "DisplayValue": "--"}
    before = adapter.settings()
    assert before["SecureOnPassword"] == ""
    assert before == adapter.features.snapshot().properties()
    adapter.set("SecureOnPassword", "02A1B2C3D4E5", restart=False)
    assert adapter.settings()["SecureOnPassword"] == "02A1B2C3D4E5"
    adapter.set("SecureOnPassword", before["SecureOnPassword"], restart=False)
    assert adapter.settings() == before
    assert list(desk.machine.shell.run(query)[0]["RegistryValue"]) == ["--"]


def test_reset_of_what_the_driver_does_not_have(adapter: Adapter) -> None:
    """A misspelt keyword resets nothing: not a single name would mean every property to Windows."""
    with pytest.raises(UsageError, match="no such property"):
        adapter.reset("*ReceiveBufers")


def test_setting_that_is_refused(adapter: Adapter) -> None:
    """A value outside the INF's range is the device's refusal and says so; the old value stays."""
    before = adapter.settings()
    with pytest.raises(DutError, match=r"Set-NetAdapterAdvancedProperty"):
        adapter.set("*ReceiveBuffers", 1)
    assert adapter.settings() == before


def test_counters(adapter: Adapter) -> None:
    """All twelve counters are read as numbers, and never run backwards."""
    first = adapter.statistics()
    second = adapter.wait_statistics(lambda now: now.sent_bytes > first.sent_bytes, timeout_s=0.1)
    assert second.sent_bytes >= first.sent_bytes >= 0


def test_disable_and_enable(adapter: Adapter) -> None:
    """Disabled is problem 22 and no link; enabled is up again on its address."""
    adapter.disable()
    assert adapter.problem() == 22
    adapter.wait_down()
    adapter.enable()
    adapter.wait_up()
    assert adapter.problem() == 0


def test_power_management(adapter: Adapter) -> None:
    """Wake on magic packet can be switched off and on, and is read back: power suites depend on it."""
    assert adapter.power_management()["WakeOnMagicPacket"] == "Enabled"
    adapter.set_power_management({"WakeOnMagicPacket": False})
    adapter.wait_up()
    assert adapter.power_management()["WakeOnMagicPacket"] == "Disabled"
    adapter.set_power_management({"WakeOnMagicPacket": True})
    adapter.wait_up()


def test_pulled_and_plugged(desk: Desk, adapter: Adapter) -> None:
    """From pull to the devnode's absence, seen by polling, takes less than 100 ms in the median; it comes back up."""
    slot, took_s = desk.instrument("slot"), []
    for _ in range(5):
        slot.pull()
        pulled_s = now_s()
        adapter.wait_absent(timeout_s=5)
        took_s.append(now_s() - pulled_s)
        assert not adapter.present()
        slot.plug()
        adapter.wait_up()
    assert statistics.median(took_s) < 0.1


def test_cable_out(desk: Desk, adapter: Adapter) -> None:
    """Without a cable there is no link, which is told apart from a device that is gone or broken."""
    desk.instrument("cable").disconnect()
    adapter.wait_down()
    with pytest.raises(LinkLost, match="Disconnected"):
        adapter.wait_up(timeout_s=0.2)


def test_gone(desk: Desk, adapter: Adapter) -> None:
    """A pulled NIC is missing, in every question that needs it."""
    desk.instrument("slot").pull()
    adapter.wait_absent()
    with pytest.raises(DeviceMissing):
        adapter.wait_up(timeout_s=0.2)
    with pytest.raises(DeviceMissing):
        adapter.info()
    with pytest.raises(DeviceMissing, match="to come"):
        adapter.wait_present(timeout_s=0.2)
    with pytest.raises(DeviceMissing, match=r"plug it in"):
        Adapter.find(desk.machine, adapter.wanted)


def test_device_that_stays(adapter: Adapter) -> None:
    """A device that does not go when it should is the device's failure, after its deadline and with its state."""
    with pytest.raises(DutError, match="the device to go"):
        adapter.wait_absent(timeout_s=0.2)


def test_none_of_that_kind(machine: Machine, adapter: Adapter) -> None:
    """A hardware id that nothing has is answered with what there is."""
    with pytest.raises(DeviceMissing, match="these adapters: ") as caught:
        Adapter.find(machine, adapter.wanted.model_copy(update={"hardware_id": r"PCI\VEN_FFFF&DEV_0001"}))
    assert adapter.instance_id in str(caught.value)


def test_the_one_that_carries_ssh(machine: Machine, adapter: Adapter) -> None:
    """The management adapter is refused as the one under test: the first pull would cut the session."""
    from hil.remote import Command

    rows = machine.shell.run(Command("Get-NetAdapter", Name=MANAGEMENT_NAME))
    hardware_id = str(rows[0]["PnPDeviceID"]).rpartition("\\")[0]
    with pytest.raises(UsageError, match="does not carry this SSH session"):
        Adapter.find(machine, adapter.wanted.model_copy(update={"hardware_id": hardware_id}))


def test_two_of_a_kind(new_desk: Callable[..., Desk]) -> None:
    """Two that match are listed with their MACs; naming the MAC decides: a wrong guess would test the wrong NIC."""
    desk = new_desk(second_adapter=True)
    wanted = desk.testbed.adapter
    assert wanted is not None
    with pytest.raises(UsageError, match="2: ") as caught:
        Adapter.find(desk.machine, wanted.model_copy(update={"mac": None}))
    assert "adapter.mac" in str(caught.value)


def test_driver_that_fails_to_start(new_desk: Callable[..., Desk]) -> None:
    """A device that does not start is a failure with its problem code by name, not a link that is slow to come."""
    desk = new_desk(faults=("hil.virtual.faults.driver:DeadAfterRestart",))
    adapter = desk.adapter()
    try:
        adapter.restart()
    except DutError:
        assert adapter.problem() == 10
    with pytest.raises(DutError, match="10 FAILED_START"):
        adapter.wait_up(timeout_s=0.3)
