"""Feature and binding cmdlets of the virtual Windows over real SSH: objects and errors as the reference has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hil.journal import Journal
from hil.package import Package
from hil.remote import Command, PowerShellError
from hil.testbed.model import Testbed
from hil.virtual.lab import Lab
from hil.windows import DriverStore, Machine, trust

NIC = "Ethernet 2"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the sample driver bound and started."""
    journal = Journal()
    virtual = {"timescale": 0.005, "instruments": [], "faults": ["full_featured:AllFeatures"]}
    described = Testbed.model_validate({"name": "features", "virtual": virtual})
    with Lab(described, tmp_path_factory.mktemp("state"), journal) as bed, Machine(bed.machine, journal) as machine:
        trust.import_certificate(machine, bed.packages.certificate.read_bytes())
        trust.set_test_signing(machine, True)
        machine.reboot()
        DriverStore(machine).add(Package.load(bed.packages.current))
        yield machine


def test_rss_object(machine):
    """Members, types and base classes of MSFT_NetAdapterRssSettingData."""
    (found,) = machine.shell.run(Command("Get-NetAdapterRss", Name=NIC))
    assert found.type_names[0].endswith("CimInstance#ROOT/StandardCimv2/MSFT_NetAdapterRssSettingData")
    assert (found["Enabled"], found["NumberOfReceiveQueues"], found["Profile"]) == (True, 4, 4)
    assert found["RssProcessorArraySize"] == len(found["RssProcessorArray"]) == 4


def test_checksum_object(machine):
    """Directions travel as the numbers of the class, and are set by their names, whatever their case."""
    command = Command("Set-NetAdapterChecksumOffload", Name=NIC, TcpIPv4Enabled="txenabled", PassThru=True)
    (changed,) = machine.shell.run(command)
    assert (changed["TcpIPv4Enabled"], changed["TcpIPv6Enabled"]) == (1, 3)
    (keyword,) = machine.shell.run(
        Command("Get-NetAdapterAdvancedProperty", Name=NIC, RegistryKeyword="*TCPChecksumOffloadIPv4")
    )
    assert keyword["RegistryValue"] == ["1"]
    machine.shell.run(Command("Enable-NetAdapterChecksumOffload", Name=NIC, TcpIPv4=True))


@pytest.mark.parametrize(
    ("noun", "switch", "turned"),
    [
        ("NetAdapterLso", {"IPv4": True}, {"IPv4Enabled": False, "IPv6Enabled": True}),
        ("NetAdapterLso", {}, {"IPv4Enabled": False, "IPv6Enabled": False}),
        ("NetAdapterChecksumOffload", {"UdpIPv6": True}, {"UdpIPv6Enabled": 0, "UdpIPv4Enabled": 3}),
        ("NetAdapterRss", {}, {"Enabled": False}),
    ],
)
def test_switches(machine, noun, switch, turned):
    """Disable- turns what is named, or all; Enable- brings it back."""
    (off,) = machine.shell.run(Command(f"Disable-{noun}", Name=NIC, **switch, PassThru=True))
    assert {name: off[name] for name in turned} == turned
    (on,) = machine.shell.run(Command(f"Enable-{noun}", Name=NIC, **switch, PassThru=True))
    assert all(on[name] for name in turned)


def test_encapsulation_by_type(machine):
    """-EncapsulationType picks one kind; without it all kinds are meant."""
    noun, name = "NetAdapterEncapsulatedPacketTaskOffload", "EncapsulatedPacketTaskOffloadEnabled"
    (one,) = machine.shell.run(Command(f"Enable-{noun}", Name=NIC, EncapsulationType="VXLAN", PassThru=True))
    assert one[name] is False
    (all_kinds,) = machine.shell.run(Command(f"Enable-{noun}", Name=NIC, PassThru=True))
    assert all_kinds[name] is True


def test_operational_state(machine):
    """RSC that is off says why it does not work: the property of the NIC."""
    only_six = Command("Set-NetAdapterRsc", Name=NIC, IPv4Enabled=False, IPv6Enabled=True, PassThru=True)
    (off,) = machine.shell.run(only_six)
    assert (off["IPv4OperationalState"], off["IPv4FailureReason"]) == (False, 1)
    assert (off["IPv6OperationalState"], off["IPv6FailureReason"]) == (True, 0)


def test_adapter_without_the_feature(machine):
    """The management adapter has no RDMA: the error of a CIM query that finds nothing; a wildcard is silent."""
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Get-NetAdapterRdma", Name="Ethernet"))
    assert error.value.error_id == "CmdletizationQuery_NotFound_Name,Get-NetAdapterRdma"
    assert error.value.category == "ObjectNotFound"
    wanted = "No MSFT_NetAdapterRdmaSettingData objects found with property 'Name' equal to 'Ethernet'.  Verify"
    assert error.value.message.startswith(wanted)
    assert machine.shell.run(Command("Get-NetAdapterRdma", Name="Eth*rnet")) == []


def test_value_that_the_driver_does_not_offer(machine):
    """99 queues are more than the INF offers: refused by the provider, and nothing changes."""
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Set-NetAdapterRss", Name=NIC, NumberOfReceiveQueues=99))
    assert error.value.error_id == "Windows System Error 87,Set-NetAdapterRss"
    (found,) = machine.shell.run(Command("Get-NetAdapterRss", Name=NIC))
    assert found["NumberOfReceiveQueues"] == 4


def test_word_that_is_no_direction(machine):
    """A value outside the enumeration never reaches the provider."""
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Set-NetAdapterChecksumOffload", Name=NIC, TcpIPv4Enabled="Sideways"))
    assert error.value.category == "InvalidData"


def test_bindings(machine):
    """A stock client's components, each bound or not; one that is unbound stays so over a restart of the adapter."""
    rows = machine.shell.run(Command("Get-NetAdapterBinding", Name=NIC))
    bound = {row["ComponentID"]: row["Enabled"] for row in rows}
    assert (bound["ms_tcpip"], bound["ms_implat"]) == (True, False)
    machine.shell.run(Command("Disable-NetAdapterBinding", Name=NIC, ComponentID="ms_lltdio"))
    machine.shell.run(Command("Restart-NetAdapter", Name=NIC, Confirm=False))
    (row,) = machine.shell.run(Command("Get-NetAdapterBinding", Name=NIC, ComponentID="ms_lltdio"))
    assert row["Enabled"] is False
    machine.shell.run(Command("Enable-NetAdapterBinding", Name=NIC, ComponentID="ms_lltdio"))


def test_component_that_is_not_there(machine):
    """Two filters that match nothing: the id has no property's name in it."""
    with pytest.raises(PowerShellError) as error:
        machine.shell.run(Command("Enable-NetAdapterBinding", Name=NIC, ComponentID="vendor_filter"))
    assert error.value.error_id == "CmdletizationQuery_NotFound,Enable-NetAdapterBinding"


def test_protocol_that_is_unbound(machine):
    """Without TCP/IPv4 the adapter does not answer at its IPv4 address: the binding is no mere check box."""
    machine.shell.run(Command("New-NetIPAddress", InterfaceAlias=NIC, IPAddress="198.18.0.1", PrefixLength=24))
    machine.shell.run(Command("Disable-NetAdapterBinding", Name=NIC, ComponentID="ms_tcpip"))
    (row,) = machine.shell.run(Command("Get-NetAdapterBinding", Name=NIC, ComponentID="ms_tcpip"))
    assert row["Enabled"] is False
    machine.shell.run(Command("Enable-NetAdapterBinding", Name=NIC, ComponentID="ms_tcpip"))


def test_without_rights(tmp_path_factory):
    """A token that is not elevated may look and not touch."""
    journal = Journal()
    virtual = {"timescale": 0.005, "instruments": [], "elevated": False}
    described = Testbed.model_validate({"name": "plain", "virtual": virtual})
    with Lab(described, tmp_path_factory.mktemp("state"), journal) as bed, Machine(bed.machine, journal) as machine:
        with pytest.raises(PowerShellError) as error:
            machine.shell.run(Command("Disable-NetAdapterBinding", Name="Ethernet", ComponentID="ms_server"))
        assert error.value.error_id == "Windows System Error 5,Disable-NetAdapterBinding"
        assert error.value.category == "PermissionDenied"
