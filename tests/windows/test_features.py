"""Settings of the adapter as a whole: read, written with read-back, compared, restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from desk import Desk

from hil.errors import DutError, UsageError
from hil.package import Package
from hil.windows import Adapter, Snapshot
from hil.windows.features import FEATURES, Features, Value


@pytest.fixture
def before(adapter: Adapter) -> Iterator[Snapshot]:
    """As it was, and will be again."""
    snapshot = adapter.features.snapshot()
    yield snapshot
    adapter.features.restore(snapshot)
    assert adapter.features.snapshot() == snapshot


@pytest.fixture(scope="module")
def rich(new_desk: Callable[..., Desk]) -> Adapter:
    """An adapter with every feature, a driver that ignores one setting, and does not start with another."""
    ignores, fails = "hil.virtual.faults.settings:SetIsIgnored", "hil.virtual.faults.settings:FailsWithLargestRing"
    return new_desk(faults=("full_featured:AllFeatures", ignores, fails)).adapter()


def other(key: str, value: Value) -> Value:
    """A value that is not this one, and that the property can have."""
    feature = next(one for one in FEATURES if one.owns(key))
    labels = feature.labels.get(key.partition(".")[2], ())
    if labels:
        return next(label for label in reversed(labels) if label and label != value)
    return not value if isinstance(value, bool) else 2 if value == 1 else 1


def test_everything_is_read(desk: Desk, before: Snapshot) -> None:
    """A snapshot has each property of the INF and each feature of the adapter: what is not seen is not compared."""
    assert desk.testbed.packages is not None
    offered = {keyword.name for keyword in Package.load(desk.testbed.packages.current).keywords}
    assert set(before.properties()) == offered
    assert {key.partition(".")[0] for key in before if "." in key} == {"rss", "checksum", "lso", "power", "binding"}
    assert (before["rss.Enabled"], before["checksum.TcpIPv4Enabled"]) == (True, "RxTxEnabled")
    assert before["rss.NumberOfReceiveQueues"] == int(before["*NumRssQueues"])


def test_what_the_adapter_does_not_have(before: Snapshot) -> None:
    """A feature that the adapter does not have is named as such, in Windows' words, and is no error."""
    assert set(before.absent) == {"uso", "rsc", "vmq", "sriov", "qos", "rdma", "encapsulation"}
    assert "No MSFT_NetAdapterRdmaSettingData objects found" in before.absent["rdma"]


def test_written_compared_and_restored(adapter: Adapter, before: Snapshot) -> None:
    """What was written is read back, in both places where Windows shows it; the difference is told by key."""
    wanted: dict[str, Value] = {
        "*ReceiveBuffers": "384", "rss.NumberOfReceiveQueues": 2, "checksum.UdpIPv6Enabled": "TxEnabled",
        "power.WakeOnPattern": "Disabled", "binding.ms_lltdio": False, "NetworkAddress": "020000000009",
    }  # fmt: skip
    changed = adapter.features.set(wanted)
    told = [str(change) for change in changed.changes(before)]
    assert told == [
        "*NumRssQueues: 4 -> 2", "*ReceiveBuffers: 256 -> 384", "*UDPChecksumOffloadIPv6: 3 -> 1",
        "*WakeOnPattern: 1 -> 0", "NetworkAddress: not set -> 020000000009", "binding.ms_lltdio: True -> False",
        "checksum.UdpIPv6Enabled: RxTxEnabled -> TxEnabled", "power.WakeOnPattern: Enabled -> Disabled",
        "rss.NumberOfReceiveQueues: 4 -> 2",
    ]  # fmt: skip
    assert adapter.info().mac == "02-00-00-00-00-09"
    adapter.features.restore(before)
    assert adapter.features.snapshot() == before
    assert adapter.info().mac == adapter.info().permanent_mac


def test_optional_property_is_taken_away(adapter: Adapter, before: Snapshot) -> None:
    """An empty text, and nothing else, is written: what a test set on an optional property goes without a trace."""
    adapter.features.set({"NetworkAddress": "020000000009"}, restart=False)
    assert adapter.features.set({"NetworkAddress": ""}, restart=False) == before


def test_every_feature(rich: Adapter) -> None:
    """Each property of each feature is written, read back, and restored: twelve families of cmdlets, one mechanism."""
    before = rich.features.snapshot()
    assert before.absent == {}
    written = {
        key: other(key, value)
        for key, value in before.items()
        if rich.features.keyword(key) and value != "Unsupported"
    }
    assert {key.partition(".")[0] for key in written} == {one.name for one in FEATURES} - {"", "binding"}
    seen = rich.features.set(written)
    assert all(seen[key] == value for key, value in written.items())
    rich.features.restore(before)
    assert rich.features.snapshot() == before


def test_keyword_and_property_agree(rich: Adapter) -> None:
    """The keyword behind each property holds what the property says, in the registry's own spelling."""
    snapshot = rich.features.snapshot()
    named = {name.lower(): text for name, text in snapshot.properties().items()}
    pairs = {
        key: named[keyword]
        for key, value in snapshot.items()
        if (keyword := rich.features.keyword(key).lower()) in named and value != "Unsupported"
    }
    assert len(pairs) > 20
    assert {key: rich.features.registry_value(key, snapshot[key]) for key in pairs} == pairs


def test_ignored_setting(rich: Adapter) -> None:
    """A setting that reads back as something else is the device's failure, and is named."""
    with pytest.raises(DutError, match=r"\*FlowControl: wrote 1, reads 3"):
        rich.features.set({"*FlowControl": "1", "*InterruptModeration": "1"}, restart=False)


def test_device_that_does_not_start(rich: Adapter) -> None:
    """A setting with which the device does not start is taken back through the registry: the bench is not lost."""
    before = rich.features.snapshot()
    with pytest.raises(DutError):
        rich.features.set({"*ReceiveBuffers": "2048"})
    assert rich.problem() == 10
    rich.features.restore(before)
    assert rich.problem() == 0
    assert rich.features.snapshot() == before


def test_unknown_key(adapter: Adapter) -> None:
    """A key that no feature has is a mistake of the caller, told with the nearest."""
    with pytest.raises(UsageError, match=r"did you mean 'rss\.Enabled'"):
        adapter.features.set({"rss.Enable": True})


def test_refused_value(adapter: Adapter, before: Snapshot) -> None:
    """What Windows refuses is the device's answer, with the command and Windows' words; nothing else changed."""
    with pytest.raises(DutError, match=r"Set-NetAdapterAdvancedProperty .*Value is out of range"):
        adapter.features.set({"*JumboPacket": "1"}, restart=False)
    assert adapter.features.snapshot() == before


def test_renamed_adapter(adapter: Adapter, before: Snapshot) -> None:
    """An adapter that was renamed behind our back is found again."""
    from hil.remote import Command

    name = adapter.name
    adapter.machine.shell.run(Command("Rename-NetAdapter", Name=name, NewName="Dock"))
    try:
        assert Features(adapter).snapshot() == before
    finally:
        adapter.machine.shell.run(Command("Rename-NetAdapter", Name="Dock", NewName=name))
        adapter.info()
