"""Skips are decided from what the bench has, and carry the cause."""

from __future__ import annotations

import pytest

from hil.run.requirements import BENCH_FIXTURES, SKIP, decide, needs_bench
from hil.testbed.model import Adapter, Instrument, LocalPartner, Packages, Testbed, Virtual, Wake


@pytest.fixture
def item(request: pytest.FixtureRequest) -> pytest.Item:
    """This very test, as pytest holds it; marks are added in the tests below."""
    node = request.node
    assert isinstance(node, pytest.Item)
    return node


def test_a_cause_is_told(item: pytest.Item) -> None:
    """Where the lab's computer refuses namespaces, the skip says which right is missing, not only what."""
    item.add_marker(pytest.mark.requires("wire", "slot"))
    decide(item, frozenset({"slot"}), {"wire": "CAP_NET_ADMIN is missing"}, "desk")
    skip = item.stash[SKIP]
    assert (skip.text, skip.missing) == ("bench desk has no wire: CAP_NET_ADMIN is missing", ("wire",))


def test_what_is_there_is_asked(item: pytest.Item) -> None:
    """A bench that has everything skips nothing."""
    item.add_marker(pytest.mark.requires("wire"))
    decide(item, frozenset({"wire", "slot"}), {}, "desk")
    assert SKIP not in item.stash


def test_only_tests_that_touch_the_bench_need_it(item: pytest.Item) -> None:
    """A run of tests that need no bench starts none."""
    assert not needs_bench(item)
    item.fixturenames.append("meter")  # type: ignore[attr-defined]
    assert needs_bench(item)
    item.add_marker(pytest.mark.requires("slot"))
    decide(item, frozenset(), {}, "desk")
    assert not needs_bench(item)
    item.fixturenames.remove("meter")  # type: ignore[attr-defined]


def test_capabilities_follow_from_the_testbed() -> None:
    """What a testbed describes is what tests may require, for a real bench and for a virtual one."""
    slot = Instrument(role="slot", family="scpi-relay", resource="x")
    real = Testbed.model_validate({
        "name": "desk", "instruments": {"a": slot}, "packages": Packages(current="p", previous="q"),
        "partner": LocalPartner(netns="n", interface="i", address="a"),
        "adapter": Adapter(hardware_id="x", link_mbps=1, address="a", wake=Wake(link_keyword="WakeOnLink", patterns=8)),
    })  # fmt: skip
    wakes = {"wake_on_link", "wake_patterns"}
    assert real.capabilities() == {"slot", "partner", "wire", "previous_package", *wakes}
    assert {"meter", "wire", "broken_package", "S3"} <= Testbed(name="box", virtual=Virtual()).capabilities()
    assert "S3" not in Testbed(name="box", virtual=Virtual(sleep="s0ix")).capabilities()


def test_every_fixture_of_the_bench_is_known() -> None:
    """A fixture that reaches the bench and is not listed would find none started."""
    from hil.run import fixtures

    without = {"journal", "undo", "record", "expect", "chance", "as_usual"}
    names = {name for name, value in vars(fixtures).items() if type(value).__name__ == "FixtureFunctionDefinition"}
    assert names - without == BENCH_FIXTURES
