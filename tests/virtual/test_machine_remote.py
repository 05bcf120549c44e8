"""The machine as its clients meet it: SSH and PowerShell through sleep, restart, power loss, crash and hang."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from desk import Desk

from hil.clock import now_s
from hil.remote import Command, ConnectionLost, PowerShellError
from hil.testbed.model import Virtual
from hil.wait import pause, wait_until
from hil.windows import Adapter

MAC = bytes.fromhex("021d0f000001")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with closing(Desk(tmp_path_factory.mktemp("desk"), Virtual(timescale=0.01))) as opened:
        yield opened


@pytest.fixture(scope="module")
def adapter(desk: Desk) -> Adapter:
    return desk.adapter()


def connects(desk: Desk, timeout_s: float = 0.3) -> bool:
    """Whether sshd sends its banner to a new connection."""
    assert desk.testbed.machine is not None
    ssh = desk.testbed.machine.ssh
    try:
        with socket.create_connection((ssh.host, ssh.port), timeout_s) as fresh:
            fresh.settimeout(timeout_s)
            return fresh.recv(4) == b"SSH-"
    except (TimeoutError, OSError):
        return False


def test_sleep_stalls_connections(desk, adapter):
    """Asleep, the machine neither answers nor closes: a new connection hangs, the old one lives on after the wake.

    A client without deadlines waits for ever on such a machine.
    """
    machine = desk.machine
    machine.shell.run(Command("Suspend-HilMachine", State="S3", WakeAfterSeconds=30, DelayMs=0))
    meter = desk.instrument("meter")
    wait_until(lambda: meter.read_w() < 10, what="sleep", timeout_s=5)
    assert not connects(desk)
    desk.instrument("button").press(0.2)
    wait_until(lambda: connects(desk), what="sshd", timeout_s=5)
    assert machine.shell.run(Command("Get-HilClock"))


def test_power_loss_resets_connections(desk, adapter):
    """Mains lost: the open connection is reset and the port refuses until Windows is up; the boot is another one.

    A reset is seen at once; a harness must not sit out its keep-alive.
    """
    machine = desk.machine
    before = machine.boot()
    outlet, meter = desk.instrument("outlet"), desk.instrument("meter")
    outlet.off(witness=lambda: meter.read_w() < 1.0)
    started_s = now_s()

    def lost():
        """The meter reads nothing while the supply's capacitors still hold the machine up."""
        try:
            machine.shell.run(Command("Get-HilClock"), timeout_s=60)
        except ConnectionLost:
            return True
        return False

    wait_until(lost, what="the machine without power", timeout_s=30)
    assert now_s() - started_s < 30
    with pytest.raises(OSError):
        socket.create_connection((desk.testbed.machine.ssh.host, desk.testbed.machine.ssh.port), 1).close()
    outlet.on()
    machine.reconnect(20)
    assert machine.boot().started > before.started
    adapter.wait_up(10)
    records = machine.shell.run(
        Command("Get-WinEvent", FilterHashtable={"LogName": "System", "ProviderName": "*Kernel-Power", "ID": 41})
        | Command("Select-Object", ExpandProperty="Properties", First=1)
    )  # fmt: skip
    assert records[0]["Value"] == 0


def test_removal_is_seen_by_windows(desk, adapter):
    """From the relay to an absent devnode, and back to an adapter that is up, through cmdlets alone.

    It is the way in which the suite sees it.
    """
    slot = desk.instrument("slot")
    slot.pull()
    assert adapter.wait_absent(5) < 2.0
    with pytest.raises(PowerShellError) as refused:
        desk.machine.shell.run(Command("Get-NetAdapter", Name="Ethernet 2"))
    assert refused.value.error_id == "CmdletizationQuery_NotFound_Name,Get-NetAdapter"
    hidden = desk.machine.shell.run(Command("Get-NetAdapter", Name="Ethernet 2", IncludeHidden=True))
    assert hidden[0]["Status"] == "Not Present"
    slot.plug()
    adapter.wait_up(10)


def test_cable(desk, adapter):
    """A cable that is out shows as Disconnected with speed 0; back in, the link returns after its negotiation.

    Status texts and numbers come from different properties and must agree.
    """
    cable = desk.instrument("cable")
    cable.disconnect()
    adapter.wait_down(5)
    row = desk.machine.shell.run(Command("Get-NetAdapter", Name=adapter.name))[0]
    assert (row["Status"], int(row["Speed"]), int(row["MediaConnectState"])) == ("Disconnected", 0, 2)
    cable.connect()
    row = adapter.wait_up(10)
    assert row.link_mbps == 1000


def test_settings_restart_the_adapter(desk, adapter):
    """A wrong value is refused with the list of right ones; a right one is in force after the restart.

    The error is the one Windows gives: id, category and words.
    """
    run = desk.machine.shell.run
    with pytest.raises(PowerShellError) as refused:
        wanted = {"RegistryKeyword": "*FlowControl", "RegistryValue": "9"}
        run(Command("Set-NetAdapterAdvancedProperty", Name=adapter.name, **wanted))
    assert refused.value.error_id == "Windows System Error 87,Set-NetAdapterAdvancedProperty"
    assert "valid keyword values: 0, 1, 2, 3" in refused.value.message
    adapter.set("*JumboPacket", 9014)
    assert adapter.wait_up(10).mtu == 9000
    adapter.reset("*JumboPacket")
    assert adapter.wait_up(10).mtu == 1500


def test_address_is_kept(desk, adapter):
    """The static address survives restart and removal, and a second one of the same value is refused.

    Traffic tests start a second after a plug; nobody types the address again.
    """
    assert adapter.addresses() == ["198.18.0.1/24"]
    adapter.restart()
    adapter.wait_up(10)
    assert adapter.addresses() == ["198.18.0.1/24"]
    with pytest.raises(PowerShellError) as refused:
        address = {"IPAddress": "198.18.0.1", "PrefixLength": 24}
        desk.machine.shell.run(Command("New-NetIPAddress", InterfaceAlias=adapter.name, **address))
    assert refused.value.error_id == "Windows System Error 87,New-NetIPAddress"


def test_management_adapter_carries_ssh(desk):
    """The established connection on sshd's port belongs to an address of the management adapter.

    By this the bench refuses to start when the adapter under test carries SSH.
    """
    port = desk.testbed.machine.ssh.port
    rows = desk.machine.shell.run(Command("Get-NetTCPConnection", LocalPort=port, State="Established"))
    address = desk.machine.shell.run(Command("Get-NetIPAddress", IPAddress=rows[0]["LocalAddress"]))
    assert address[0]["InterfaceAlias"] == "Ethernet"


def test_files_and_registry_by_powershell(desk):
    """Items can be made, read and removed on the file and registry drives, with Windows' types and errors.

    Provisioning records what it found by these cmdlets, and puts it back.
    """
    run = desk.machine.shell.run
    key = r"HKLM:\SOFTWARE\HilTest"
    assert run(Command("Test-Path", Path=key))[0] is False
    run(Command("New-Item", Path=key))
    run(Command("New-ItemProperty", Path=key, Name="Count", Value=4294967295, PropertyType="DWord"))
    assert run(Command("Get-ItemProperty", Path=key, Name="Count"))[0]["Count"] == -1
    run(Command("Set-ItemProperty", Path=key, Name="Path", Value=r"%SystemRoot%\x", Type="ExpandString"))
    assert run(Command("Get-ItemProperty", Path=key))[0]["Path"] == r"C:\Windows\x"
    with pytest.raises(PowerShellError) as refused:
        run(Command("Get-ItemProperty", Path=key, Name="Nothing"))
    assert refused.value.error_id.startswith("System.Management.Automation.PSArgumentException")
    run(Command("Remove-Item", Path=key, Recurse=True))
    with pytest.raises(PowerShellError) as gone:
        run(Command("Get-ChildItem", Path=key))
    assert gone.value.error_id == "PathNotFound,Microsoft.PowerShell.Commands.GetChildItemCommand"
    run(Command("New-Item", Path=r"C:\hil\new", ItemType="Directory"))
    assert run(Command("Get-ChildItem", Path=r"C:\hil", Directory=True, Filter="n*"))[0]["FullName"] == r"C:\hil\new"
    run(Command("Remove-Item", Path=r"C:\hil\new"))


def test_no_events_is_an_error(desk):
    """A query without a hit gives NoMatchingEventsFound; a log that is not there NoMatchingLogsFound.

    Product code must tell "nothing happened" from "cannot look".
    """
    run = desk.machine.shell.run
    with pytest.raises(PowerShellError) as nothing:
        run(Command("Get-WinEvent", FilterHashtable={"LogName": "System", "ID": 9999}))
    assert nothing.value.error_id == "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand"
    with pytest.raises(PowerShellError) as missing:
        run(Command("Get-WinEvent", LogName="Nonsense"))
    assert missing.value.error_id.startswith("NoMatchingLogsFound,")


def test_services(desk):
    """A service can be disabled and stopped, cannot be started then, and a wrong name is an error.

    Windows Update is paused this way.
    """
    run = desk.machine.shell.run
    run(Command("Set-Service", Name="WSearch", StartupType="Disabled"))
    run(Command("Stop-Service", Name="WSearch", Force=True))
    row = run(Command("Get-Service", Name="WSearch"))[0]
    assert (str(row["Status"]), str(row["StartType"])) == ("Stopped", "Disabled")
    with pytest.raises(PowerShellError) as refused:
        run(Command("Start-Service", Name="WSearch"))
    assert refused.value.error_id.startswith("CouldNotStartService,")
    with pytest.raises(PowerShellError) as missing:
        run(Command("Get-Service", Name="nope"))
    assert missing.value.error_id == "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand"
    run(Command("Set-Service", Name="WSearch", StartupType="Automatic"))


def test_crash_over_the_wire(tmp_path):
    """A driver that crashes at removal takes SSH down without a word; after the restart the dump is on the disk.

    The guard finds the crash by the dump and by the log, not by a timeout.
    """
    with closing(Desk(tmp_path, Virtual(timescale=0.01, faults=("broken_fault:CrashAtRemoval",)))) as desk:
        adapter = desk.adapter()
        mark = desk.machine.events.mark()
        desk.instrument("slot").pull()
        wait_until(lambda: not connects(desk, 0.1), what="the blue screen", timeout_s=5)
        desk.machine.reconnect(20)
        assert not adapter.present()
        found = desk.machine.events.since(mark, "Microsoft-Windows-WER-SystemErrorReporting", [1001])
        assert found[0].fields[0].startswith("0x000000d1 (0x00000000ffffffff")
        names = desk.machine.shell.run(Command("Get-ChildItem", Path=r"C:\Windows\Minidump", Filter="*.dmp"))
        assert len(names) == 1
        target = tmp_path / "crash.dmp"
        desk.machine.download(str(names[0]["FullName"]), target)
        assert target.read_bytes()[:8] == b"PAGEDU64"


def test_user_without_elevation(tmp_path):
    """Without elevation reading works and every change is refused with the error that Windows gives for it.

    The account's rights are the first thing that goes wrong on a new machine.
    """
    with closing(Desk(tmp_path, Virtual(timescale=0.01, elevated=False))) as desk:
        run = desk.machine.shell.run
        assert run(Command("Get-NetAdapter"))
        instance_id = r"PCI\VEN_1D0F&DEV_7A10&SUBSYS_00011D0F&REV_01\4&2A8F1C3&0&00E4"
        for command, error_id in (
            (Command("Disable-NetAdapter", Name="Ethernet"), "Windows System Error 5,Disable-NetAdapter"),
            (Command("Disable-PnpDevice", InstanceId=instance_id), "HRESULT 0x80041001,Disable-PnpDevice"),
            (
                Command("Set-ItemProperty", Path=r"HKLM:\SOFTWARE", Name="x", Value=1),
                "System.Security.SecurityException,Microsoft.PowerShell.Commands.SetItemPropertyCommand",
            ),
        ):
            with pytest.raises(PowerShellError) as refused:
                run(command)
            assert refused.value.error_id == error_id
        assert desk.machine.os().elevated is False


def test_two_adapters_and_another_windows(tmp_path):
    """A second NIC of the same hardware id, Windows 10 and Windows PowerShell 5.1 are what they are told to be.

    Benches differ in exactly these.
    """
    virtual = Virtual(timescale=0.01, second_adapter=True, windows_build=19045, far_end="powershell")
    with closing(Desk(tmp_path, virtual)) as desk:
        assert desk.machine.os().build == 19045
        rows = desk.machine.shell.run(Command("Get-PnpDevice", PresentOnly=True))
        assert len([row for row in rows if "DEV_7A10" in str(row["InstanceId"])]) == 2


def test_machine_answers_at_the_end(desk):
    """The module's machine still answers at the end: nothing above left it asleep or stalled.

    A bench is used by many tests in a row.
    """
    pause(0.05, why="late records")
    assert connects(desk, 2.0)
