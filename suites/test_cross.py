"""The cross: everything that ends an adapter's work, before, during and after traffic; and many times in a row."""

from __future__ import annotations

import pytest

from hil.wait import wait_until

pytestmark = [pytest.mark.requires("partner")]

CYCLES = 5
SILENT_S, HOLD_UP_S = 0.5, 10.0
EVENTS = {
    "removal": ["slot"], "disable": [], "restart": [], "update": ["previous_package"], "sleep": ["meter", "button"],
    "mains loss": ["meter", "outlet"],
}  # fmt: skip
"""What ends the adapter's work, and what the bench needs for it."""


HLK = {
    "removal": ["DF - PNP Surprise Remove Device Test *"],
    "disable": [
        "DF - PNP (disable and enable) with IO Before and After (Bring Up)",
        "DF - PNP Disable And Enable Device Test *",
    ],
    "restart": ["DF - PNP Remove Device Test *"],
    "update": ["DF - Reinstall with IO Before and After *"],
    "sleep": [
        "DF - Sleep with IO Before and After (Bring Up)",
        "DF - Sleep with IO During *",
    ],
}
"""What the kit asks of the same event."""


def _params(*names):
    def marks(name):
        return [pytest.mark.requires(*EVENTS[name]), pytest.mark.hlk(*HLK.get(name, ()))]

    return [pytest.param(name, marks=marks(name)) for name in names]


@pytest.fixture
def happen(request, adapter, machine, light, undo, expect):
    """``happen("removal")()``: the event, from beginning to end; the adapter is up again when it returns."""

    def fixture(name):
        return request.getfixturevalue(name)

    def removal():
        fixture("slot").pull()
        undo(fixture("slot").plug)
        adapter.wait_absent()
        fixture("slot").plug()

    def disable():
        adapter.disable()
        undo(adapter.enable)
        adapter.enable()

    def update():
        fixture("store").add(fixture("package"))

    def sleep():
        fixture("asleep")(light).woken_by(fixture("button").press)

    def mains_loss():
        outlet, boot = fixture("outlet"), machine.boot()
        expect("power_loss")
        outlet.off(witness=lambda: fixture("meter").read_w() < 1.0)
        undo(machine.ensure_awake)
        undo(outlet.on)
        # the meter reads nothing while the supply's capacitors still hold the machine up
        wait_until(lambda: not machine.ssh.alive(SILENT_S), what="the machine to lose power", timeout_s=HOLD_UP_S)
        outlet.on()
        machine.wait_booted(after=boot)

    events = {
        "removal": removal, "disable": disable, "restart": adapter.restart, "update": update, "sleep": sleep,
        "mains loss": mains_loss,
    }  # fmt: skip

    def of(name):
        def run():
            events[name]()
            adapter.wait_up()

        return run

    return of


@pytest.fixture
def outdated(configured, off_default, adapter, store, package, previous_package, undo):
    """``outdated()``: the previous release is bound, with the same settings and address; the update is to come.

    What the update writes anew is expected in ``configured`` from then on.
    """
    keyword, value = off_default
    if not any(one.name == keyword and one.accepts(value) for one in previous_package.keywords):
        pytest.skip(f"the previous release does not offer {keyword} = {value}")
    undo(adapter.wait_up)
    undo(adapter.ensure_address)
    undo(adapter.wait_up)
    undo(store.restore, package)

    def arrange():
        store.remove_all(package)
        store.add(previous_package)
        adapter.wait_up()
        adapter.set(keyword, value)
        adapter.ensure_address()
        adapter.wait_up()
        anew = package.rewrites
        configured.update({name: anew[name.lower()] for name in configured if name.lower() in anew})

    return arrange


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("event", _params(*EVENTS))
def test_event_and_traffic(event, moment, request, configured, adapter, happen, traffic, full_rate):
    """Whatever ends the adapter's work, before, during or after traffic: it comes back as it was, at full rate.

    In the field these meet in every order: a dock is pulled in a call, an update comes in the middle of a backup.
    """
    if event == "update":
        request.getfixturevalue("outdated")()
    act = happen(event)
    if moment == "before":
        act()
    elif moment == "during":
        with traffic.tcp(streams=4, direction="both"):
            act()
    else:
        assert traffic.tcp(streams=4, seconds=1).mbps > 0
        act()
    assert adapter.problem() == 0
    assert adapter.settings() == configured
    full_rate(f"after {event}, which came {moment} traffic")


@pytest.mark.parametrize("event", _params("disable", "restart", "update", "sleep"))
def test_again_and_again(event, request, configured, adapter, machine, happen, limits, record):
    """Many times in a row leave no trace: neither kernel pool nor handles grow, and settings are as before.

    What leaks a little each time takes a machine down that is never restarted. Removals: test_pnp.py.
    """
    prepare = request.getfixturevalue("outdated") if event == "update" else lambda: None

    def act():
        prepare()
        happen(event)()

    act()  # what is loaded at the first time only is no leak
    before = machine.resource_usage()
    for _ in range(CYCLES):
        act()
    after = machine.resource_usage()
    grown_kb = (after.non_paged_pool_bytes - before.non_paged_pool_bytes) / 1024 / CYCLES
    handles = (after.handles - before.handles) / CYCLES
    record(f"pool growth per {event}", grown_kb, "KB", at_most=limits.pool_growth_kb_per_cycle)
    record(f"handle growth per {event}", handles, at_most=limits.handle_growth_per_cycle)
    assert grown_kb <= limits.pool_growth_kb_per_cycle
    assert handles <= limits.handle_growth_per_cycle
    assert adapter.problem() == 0
    assert adapter.settings() == configured
