"""Settings: every property and every feature of the adapter is kept as it was set, and changed by nothing else."""

from __future__ import annotations

import itertools

import pytest

from hil.errors import DutError
from hil.traffic.frames import ETHERTYPE_EXPERIMENTAL, ethernet

NOT_FOR_EVERY_LINK = ("*speedduplex",)
"""A partner need not run at each speed that the adapter can: those values are written, but the link is left alone."""
HARMLESS_BINDINGS = ("binding.ms_lltdio", "binding.ms_rspndr")
"""Link-layer topology discovery: a bench does without it."""


@pytest.fixture
def before(driver, adapter, undo):
    """All settings as they are now, and will be again after the test."""
    snapshot = adapter.features.snapshot()
    undo(adapter.features.restore, snapshot)
    return snapshot


@pytest.fixture
def keywords(package):
    """The properties that the INF offers with more than one value to try."""
    offered = [keyword for keyword in package.keywords if len(keyword.boundary_values()) > 1]
    assert offered, "the INF offers no property with known values"
    return offered


@pytest.fixture
def tune(adapter, keywords):
    """``tune()``: each property off its default, one binding turned; returns all settings as they then are."""

    def turn():
        now = adapter.features.snapshot()
        wanted = {
            keyword.name: next(value for value in keyword.boundary_values() if value != keyword.default)
            for keyword in keywords
            if keyword.name.lower() not in NOT_FOR_EVERY_LINK
        }
        wanted |= {key: not now[key] for key in HARMLESS_BINDINGS if key in now}
        return adapter.features.set(wanted)

    return turn


@pytest.mark.hlk("NDISTest 6.5 - [1 Machine] - StandardizedKeywords")
def test_every_value_is_kept(before, adapter, keywords):
    """Each property takes each value that its INF offers, reads back as written, and changes no other property.

    What an administrator sets and finds unset, or finds somewhere else, is a day of searching.
    """
    settings, wrong = before.properties(), []
    for keyword in keywords:
        for value in keyword.boundary_values():
            try:
                adapter.set(keyword.name, value, restart=False)
            except DutError as refusal:
                wrong.append(f"{keyword.name} = {value}: {refusal.seen}")
                continue
            seen = adapter.settings()
            differs = {name: text for name, text in seen.items() if text != {**settings, keyword.name: value}[name]}
            wrong += [f"{keyword.name} = {value}: {name} reads {text}" for name, text in differs.items()]
        adapter.set(keyword.name, settings[keyword.name], restart=False)
    assert not wrong, "\n".join(wrong)


def test_values_outside_are_refused(before, adapter, keywords):
    """A value beyond the INF's range, between its steps or not among its choices is refused; the old one stays.

    A ring of a million buffers that is taken here is a machine that does not boot there.
    """
    settings = before.properties()
    outside = [(keyword.name, value) for keyword in keywords for value in keyword.values_outside()]
    assert outside
    taken = []
    for name, value in outside:
        try:
            adapter.set(name, value, restart=False)
        except DutError:
            continue
        taken.append(f"{name} = {value} (reads {adapter.settings()[name]})")
        adapter.set(name, settings[name], restart=False)
    assert not taken, "\n".join(taken)
    assert adapter.settings() == settings


@pytest.mark.hlk("NDISTest 6.5 - [1 Machine] - StandardizedKeywords")
def test_driver_starts_with_every_value(before, adapter, keywords):
    """The device starts and its link comes up with each value of each property, at the ends of every range too.

    A driver that was only ever started with its defaults fails at the first customer who tunes it.
    """
    columns = [
        [(keyword.name, value) for value in keyword.boundary_values()]
        for keyword in keywords
        if keyword.name.lower() not in NOT_FOR_EVERY_LINK
    ]
    # one restart for the first value of all properties, one for the second ...
    for row in itertools.zip_longest(*columns):
        adapter.features.set(dict(cell for cell in row if cell is not None))
        assert adapter.problem() == 0, row


def test_defaults_are_those_of_the_inf(before, adapter, keywords, tune):
    """Restoring the defaults gives each property the value that the INF names as its default.

    It is the last thing a help desk tries before it replaces the card.
    """
    tune()
    adapter.reset()
    adapter.wait_up()
    settings = adapter.settings()
    wrong = [
        f"{keyword.name} is {settings[keyword.name]}, the INF says {keyword.default}"
        for keyword in keywords
        if settings[keyword.name] != keyword.default
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.hlk("NDISTest 6.5 - [1 Machine] - StandardizedKeywords")
def test_features_follow(before, adapter, keywords):
    """Each feature (RSS, checksums, LSO, power management ...) can be turned, and its keyword says the same as Windows.

    Two places that disagree about one setting: scripts read the one, the driver obeys the other.
    """
    offered = {keyword.name.lower(): keyword for keyword in keywords}
    turned = {}
    for key, value in before.items():
        keyword = offered.get(adapter.features.keyword(key).lower())
        if isinstance(value, bool) and keyword:
            turned[key] = not value
        elif key.startswith(("checksum.", "power.")) and keyword:
            turned[key] = "Disabled" if value != "Disabled" else "RxTxEnabled" if key[0] == "c" else "Enabled"
    assert turned, "the adapter has none of the features"
    seen = adapter.features.set(turned)
    named = {name.lower(): text for name, text in seen.properties().items()}
    behind = {key: named[adapter.features.keyword(key).lower()] for key in turned}
    assert behind == {key: adapter.features.registry_value(key, value) for key, value in turned.items()}


@pytest.mark.hlk("NDISTest 6.5 - [1 Machine] - OffloadParity")
def test_offloads_of_both_families(before, adapter):
    """With its defaults, the adapter offloads for IPv6 what it offloads for IPv4, and offers both or none.

    A network that moves to IPv6 must not lose a processor to it.
    """
    adapter.reset()
    adapter.wait_up()
    now = adapter.features.snapshot()
    offered = {name.lower() for name in now.properties()}
    pairs = [
        (key, twin)
        for key in now
        if "IPv4" in key and adapter.features.keyword(twin := key.replace("IPv4", "IPv6"))
    ]
    assert pairs, "the adapter has no offload"
    uneven = [
        f"{key} is {now[key]}, {twin} is {now.get(twin)}"
        for key, twin in pairs
        if now[key] != now.get(twin)
        or (adapter.features.keyword(key).lower() in offered) != (adapter.features.keyword(twin).lower() in offered)
    ]
    assert not uneven, "\n".join(uneven)


@pytest.mark.requires("wire")
@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - AddressChange")
def test_own_address(before, adapter, partner):
    """With a locally administered address the NIC takes frames for that one and none for its own, and gives it back.

    Virtual machines, failover clusters and licences live on addresses that are not the card's.
    """
    own, chosen, frames = adapter.wait_up(), "02-00-5E-10-20-30", 250

    def taken(address):
        first = adapter.statistics().received_unicast_packets
        partner.send([ethernet(address, partner.mac, ETHERTYPE_EXPERIMENTAL, bytes(46))] * frames)
        now = adapter.wait_statistics(lambda seen: seen.received_unicast_packets - first >= frames, timeout_s=1)
        return now.received_unicast_packets - first

    adapter.features.set({"NetworkAddress": chosen.replace("-", "")})
    info = adapter.wait_up()
    assert (info.mac, info.permanent_mac) == (chosen, own.permanent_mac)
    # what the stacks themselves send on a quiet link is a few frames
    assert frames <= taken(chosen) <= frames + 10
    assert taken(own.mac) <= 10
    # a group address is no station's: the driver falls back to its own
    adapter.features.set({"NetworkAddress": "01005E102030"})
    assert adapter.wait_up().mac == own.permanent_mac


@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - OffloadMisc")
def test_settings_survive_restart(before, tune, adapter):
    """A restart of the device keeps every setting, each moved off its default.

    Windows restarts the device at each change of a setting: one must not undo another.
    """
    tuned = tune()
    adapter.restart()
    adapter.wait_up()
    assert adapter.features.snapshot() == tuned


def test_settings_survive_reboot(before, tune, adapter, machine, expect):
    """A restart of Windows keeps every setting.

    What was tuned in the maintenance window must still be tuned on Monday.
    """
    tuned = tune()
    expect("reboot")
    machine.reboot()
    adapter.wait_up()
    assert adapter.features.snapshot() == tuned


@pytest.mark.requires("meter", "button")
def test_settings_survive_sleep(before, tune, adapter, asleep, light, button):
    """Sleep (S3, or Modern Standby where that is in its place) keeps every setting.

    A laptop sleeps ten times a day; a setting that lasts until the first lid is none.
    """
    tuned = tune()
    asleep(light).woken_by(button.press)
    adapter.wait_up()
    assert adapter.features.snapshot() == tuned


@pytest.mark.requires("previous_package")
def test_settings_survive_upgrade(before, tune, adapter, store, package, previous_package, undo):
    """An upgrade of the driver keeps every setting that the previous release had too, and every binding, but for what
    the new INF says to write anew.

    Administrators tune once and roll out updates for years.
    """
    undo(store.restore, package)
    store.remove_all(package)
    store.install(previous_package)
    adapter.wait_up()
    tuned = tune()
    wanted = {key: package.rewrites.get(key.lower(), value) for key, value in tuned.items()}
    store.install(package)
    adapter.wait_up()
    upgraded = adapter.features.snapshot()
    assert {key: upgraded.get(key) for key in tuned} == wanted
