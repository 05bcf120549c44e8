"""Roles switched with proof, on the virtual instruments over real sockets."""

from __future__ import annotations

import time

import pytest
from instrument_lab import InstrumentLab

from hil.errors import BenchError, UsageError
from hil.instruments import HAND, Feeds, Profile, Switch, family_named, open_instrument
from hil.instruments.slot import SwitchedSlot
from hil.instruments.switching import SwitchedOutlet, Timing
from hil.instruments.witnesses import loss_of_link, power, running
from hil.virtual.faults.instrument import SlotRelayLies
from hil.virtual.instruments.mains import HOLD_UP_S
from hil.virtual.instruments.server import Mishap
from hil.wait import pause, wait_until


@pytest.fixture
def role(lab, journal, tmp_path):
    """``role("slot")``: the instrument of the lab in this role; keyword arguments change its testbed entry."""
    opened = []

    def open_role(name, **changes):
        spec = lab.specs[name].model_copy(update=changes)
        opened.append(open_instrument(name, spec, journal, state_dir=tmp_path))
        return opened[-1]

    yield open_role
    for one in opened:
        one.close()


def dark(lab):
    """The machine has lost its mains: the power supply held up for a moment."""
    wait_until(lambda: not lab.ends.mains, what="the power supply to run out", timeout_s=2)


def told(lab, name, channel):
    return lab.instruments.servers[name].device.relays[channel]


def test_each_role_moves_its_own_wire(lab, role):
    """Outlet, slot and cable reach the machine in the order they were switched, and read back."""
    outlet, slot, cable = role("outlet"), role("slot"), role("cable")
    slot.pull()
    assert slot.state() is Switch.OFF
    slot.plug()
    cable.disconnect()
    cable.connect()
    outlet.off()
    assert outlet.state() is Switch.OFF
    dark(lab)
    outlet.on()
    assert lab.ends.done == [
        ("slot", False), ("slot", True), ("cable", False), ("cable", True), ("mains", False), ("mains", True),
    ]  # fmt: skip


def test_set_returns_when_the_relay_has_moved(lab, role):
    """When ``pull`` returns, the contact has moved: the next line of a test may count on it."""
    role("slot").pull()
    assert lab.ends.done == [("slot", False)]


def test_power_supply_holds_up(lab, role):
    """Capacitors bridge an interruption of some milliseconds; after it the machine is dark."""
    outlet = role("outlet")
    lab.call(lambda: (told(lab, "outlet", 1001).touch(False), told(lab, "outlet", 1001).touch(True)))
    pause(2 * HOLD_UP_S, why="longer than the supply holds up")
    assert lab.ends.done == []
    outlet.off()
    dark(lab)


def test_a_set_to_where_it_stands_moves_nothing(lab, role):
    """A second ``pull`` does not operate the relay, which would wear it and bounce the slot."""
    slot = role("slot")
    slot.pull()
    slot.pull()
    assert lab.ends.done == [("slot", False)]
    assert told(lab, "slot", 1).cycles == 1


def test_pull_is_fast(role):
    """Confirmed pull of a semiconductor breaker, best of nine under 10 ms: the time of the pull is known to that."""
    slot, taken = role("slot"), []
    for _ in range(9):
        started = time.perf_counter()
        slot.pull()
        taken.append(time.perf_counter() - started)
        slot.plug()
    assert min(taken) < 0.010


def test_set_that_is_ignored_is_found(lab, role):
    """An instrument that answers "no error" and does nothing is caught by the read-back."""
    slot = role("slot")
    slot._timing = Timing(confirm_s=0.2)
    lab.call(lambda: setattr(lab.instruments.servers["slot"].device, "ignores_sets", True))
    with pytest.raises(BenchError, match="reads back on"):
        slot.pull()


def test_welded_contact_is_found_by_the_witness(journal, tmp_path):
    """A relay that reads back right and did not move is caught by whoever watches the effect."""
    lab = InstrumentLab([SlotRelayLies()])
    slot = open_instrument("slot", lab.specs["slot"], journal, state_dir=tmp_path)
    slot._timing = Timing(witness_s=0.2)
    try:
        with pytest.raises(BenchError, match="welded"):
            slot.pull(witness=lambda: ("slot", False) in lab.ends.done)
    finally:
        slot.close()
        lab.close()


def test_steps_are_on_the_journal_with_their_times(role, records):
    """Set, settling and read-back each have a start and an end, so that a removal can be told to the millisecond."""
    role("slot", settle_s=0.02).pull(witness=lambda: True)
    ended = {record["what"]: record["duration_s"] for record in records if record["phase"] == "end"}
    steps = ["slot: pull", "slot: set off", "slot settles", "slot: read back", "the effect after slot pull"]
    assert set(steps) <= set(ended)
    assert ended["slot settles"] >= 0.02
    assert ended["slot: pull"] >= sum(ended[step] for step in steps[1:])


def test_outlet_is_switched_although_the_connection_breaks(lab, role):
    """An idempotent set survives a connection that is cut under it: position read on a fresh one, then repeated."""
    outlet = role("outlet")
    assert outlet.state() is Switch.ON
    lab.call(lambda: lab.instruments.servers["outlet"].habits.mishaps.extend([Mishap.PASS, Mishap.FIN]))
    outlet.off()
    dark(lab)
    assert lab.ends.done == [("mains", False)]
    assert outlet.state() is Switch.OFF


def test_pull_is_not_repeated(lab, role):
    """When the connection breaks in the middle of a pull, its outcome is not known: said so, and not pulled again."""
    slot = role("slot")
    assert slot.state() is Switch.ON

    def break_after_the_read():
        lab.instruments.servers["slot"].habits.mishaps.extend([Mishap.PASS, Mishap.RST])

    lab.call(break_after_the_read)
    with pytest.raises(BenchError, match="not known"):
        slot.pull()
    assert told(lab, "slot", 1).cycles == 1


def test_relay_bounces_contact_by_contact(lab, role, records):
    """On a plain relay a bounce is a bounded series of contacts, each with its time on the journal."""
    slot = role("slot")
    slot.pull(profile=Profile("bounce", bounce_s=0.03, period_s=0.01))
    assert lab.ends.done == [("slot", position) for position in (False, True, False, True, False, True, False)]
    contacts = [record for record in records if "contact" in record["what"] and record["kind"] == "instrument"]
    assert len(contacts) >= 6


def test_relay_glitch(lab, role):
    """Open for a moment and closed again; one that is pulled has nothing to glitch."""
    slot = role("slot")
    slot.glitch(0.02)
    assert lab.ends.done == [("slot", False), ("slot", True)]
    slot.pull()
    with pytest.raises(BenchError, match="before a glitch"):
        slot.glitch(0.02)


def test_relay_cannot_stagger(role):
    """One relay opens all pins at once: who asks for a hand pull is told so, and nothing moves."""
    with pytest.raises(UsageError, match="at once"):
        role("slot").pull(profile=HAND)


def test_frozen_then_thawed_instrument(lab, role):
    """A command that a frozen instrument kept acts at the thaw: after such a loss nothing is taken as already done."""
    outlet = role("outlet", timeout_s=0.4)
    assert outlet.state() is Switch.ON
    habits = lab.instruments.servers["outlet"].habits
    lab.call(lambda: habits.mishaps.append(Mishap.FREEZE))
    with pytest.raises(BenchError, match="not known"):
        outlet.off()
    lab.call(habits.thawed.set)
    outlet.on()
    pause(0.1, why="the kept command to act")
    assert outlet.state() is Switch.ON
    assert told(lab, "outlet", 1001).contact, "the kept command acted last"


def test_unknown_is_not_off(lab, role):
    """An instrument that answers nonsense is neither on nor off."""
    slot = role("slot")
    device = lab.instruments.servers["slot"].device
    lab.call(lambda: setattr(device.relays[1], "told", 7))
    assert slot.state() is Switch.UNKNOWN


def test_minimum_off_time_survives_the_process(lab, journal, tmp_path):
    """A second process that switches on too soon waits for the capacitors, too."""
    spec = lab.specs["outlet"].model_copy(update={"min_off_s": 0.4})
    first = open_instrument("outlet", spec, journal, state_dir=tmp_path)
    first.off()
    first.close()
    started = time.monotonic()
    second = open_instrument("outlet", spec, journal, state_dir=tmp_path)
    second.on()
    assert time.monotonic() - started >= 0.35
    second.close()


def test_power_is_cut_although_that_cannot_be_noted(lab, journal, records, tmp_path):
    """A state folder that is full or gone keeps no outlet on; the minimum off time still holds in this process.

    Whoever cuts the power wants it cut, and a bench that is put to rest must not stop half-way for a note.
    """
    spec = lab.specs["outlet"].model_copy(update={"min_off_s": 0.4})
    (tmp_path / "file").write_text("")
    outlet = open_instrument("outlet", spec, journal, state_dir=tmp_path / "file")
    outlet.off()
    started = time.monotonic()
    dark(lab)
    assert any("switched off is not noted" in record["what"] for record in records)
    outlet.on()
    assert time.monotonic() - started >= 0.35
    outlet.close()


def test_button_is_released_and_its_length_true(lab, role):
    """A short press is a short press: held too long, the firmware would cut the power."""
    role("button").press(0.2)
    assert [what for what, _ in lab.ends.done] == ["button"]
    assert 0.19 < lab.ends.done[0][1] < 0.35


def test_button_that_is_held_already_is_not_pressed(lab, role):
    """Somebody died while pressing: pressing on would become a forced power-off."""
    button = role("button")
    lab.call(lambda: told(lab, "button", 101).set(True))
    with pytest.raises(BenchError, match="held down"):
        button.press()


def test_rebooted_instrument_is_told_by_its_power_on_bit(lab, role, records):
    """A relay unit that restarted has lost its settings; the journal says so when it is next used."""
    slot = role("slot")
    server = lab.instruments.servers["slot"]
    lab.call(server.device.restart)
    lab.run(server.drop_clients())
    records.clear()
    pause(0.05, why="the end of the connection to arrive")
    assert slot.state() is Switch.OFF
    assert any("switched on since" in record["what"] for record in records)


def test_two_feeds_are_one_outlet(lab, role):
    """A machine with two supplies is off when both feeds are off; one of two is neither on nor off."""
    first, second = role("outlet"), role("outlet", channel="1002")
    both = Feeds("mains", [first, second])
    second.on()
    assert both.state() is Switch.ON
    first.off()
    assert both.state() is Switch.UNKNOWN
    both.off(witness=lambda: not lab.ends.mains)
    assert both.state() is Switch.OFF
    both.cycle(off_s=0.05)
    assert both.state() is Switch.ON


class Neighbours:
    """What stands beside an instrument: a partner with a link, and a meter on the lab's mains."""

    def __init__(self, ends):
        self.ends, self.carrier = ends, True

    def read_w(self):
        return self.ends.watts()


@pytest.fixture
def watched(lab, journal, tmp_path):
    """``watched(SwitchedSlot, observe)``: the lab's instrument in this role, with a witness that is soon given up."""
    opened = []

    def build(kind, observe):
        name = {SwitchedSlot: "slot", SwitchedOutlet: "outlet"}[kind]
        spec = lab.specs[name]
        contact = family_named(spec.family).dialect.contact(name, spec, journal)
        timing = Timing(witness_s=0.2)
        opened.append(kind(name, contact, journal, timing, key=name, state_dir=tmp_path, observe=observe))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


@pytest.mark.parametrize("profile", [None, Profile("bounce", bounce_s=0.02, period_s=0.01)])
def test_partner_is_the_witness_of_a_pull(lab, watched, profile):
    """A breaker that reads back "open" while the partner keeps its link is caught, and not believed a second time."""
    partner = Neighbours(lab.ends)
    slot = watched(SwitchedSlot, loss_of_link(lambda: partner))
    with pytest.raises(BenchError, match="partner to lose its link after slot pull"):
        slot.pull(profile=profile)
    slot.plug()
    partner.carrier = False
    with pytest.raises(BenchError, match="not to be trusted"):
        slot.pull()


def test_meter_is_the_witness_of_the_outlet(lab, watched):
    """An outlet that says "off" while current flows is caught; one that is off already needs no witness."""
    outlet = watched(SwitchedOutlet, power(lambda: Neighbours(lab.ends)))
    outlet.off()
    outlet.off()
    outlet.on()
    told(lab, "outlet", 1001).welded = True
    with pytest.raises(BenchError, match="meter to read no power after outlet off"):
        outlet.off()


def test_meter_is_the_witness_that_power_came_back(lab, watched):
    """An outlet that says "on" while nothing flows is caught; one that is on already is not asked about its load.

    Else the bench is dark in the morning, and the machine is blamed for not booting.
    """
    outlet = watched(SwitchedOutlet, power(lambda: Neighbours(lab.ends)))
    outlet.off()
    told(lab, "outlet", 1001).welded = True
    with pytest.raises(BenchError, match="meter to read any power after outlet on"):
        outlet.on()
    outlet.on()


@pytest.mark.parametrize("last", [True, False])
def test_feeds_are_witnessed_as_one(lab, role, last):
    """Two feeds that come on are judged by the last one's effect, and what is on already is not judged."""
    meter = Neighbours(lab.ends)
    both = Feeds("mains", [role("outlet"), role("outlet", channel="1002")], power(lambda: meter))
    both.on()
    both.off()
    lab.ends.mains_w = 60.0 if last else 0.0
    for feed in both._feeds:
        feed._timing = Timing(witness_s=0.2)
    if last:
        both.on()
        return
    with pytest.raises(BenchError, match="meter to read any power"):
        both.on()


def test_meter_is_the_witness_of_a_controller(lab):
    """A management controller that says "off" of a machine that draws what a running one draws is caught."""
    observe = running(lambda: Neighbours(lab.ends), 10.0)
    off, on = observe(False), observe(True)
    assert (off(), on()) == (False, True)
    lab.ends.mains_w = 2.0
    assert (off(), on()) == (True, False)


def test_partner_without_a_link_witnesses_nothing(lab, watched):
    """A disabled NIC has no link to lose: pulling it is no error."""
    partner = Neighbours(lab.ends)
    partner.carrier = False
    watched(SwitchedSlot, loss_of_link(lambda: partner)).pull()
    assert lab.ends.done == [("slot", False)]
