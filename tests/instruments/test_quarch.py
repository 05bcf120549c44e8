"""The client of Quarch modules against the virtual module and against peers that break the framing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from misbehaving_peer import spent

from hil.errors import BenchError, UsageError
from hil.instruments import AT_ONCE, BOUNCE, HAND, Profile, Slot, Switch, family_named, open_instrument
from hil.instruments.quarch import glitch_settings, torridon
from hil.instruments.session import InstrumentLost, InstrumentRefused, WrongInstrument
from hil.testbed.model import Instrument
from hil.virtual.faults import Fault
from hil.virtual.instruments.quarch_server import QuarchServer, Torridon
from hil.virtual.instruments.relay import Wiring
from hil.virtual.instruments.server import Mishap
from hil.wait import pause, wait_until


def framed(text):
    return len(text).to_bytes(2, "little") + text


@pytest.fixture
def server(lab):
    wiring = Wiring("slot", 1, lambda on: lab.ends.done.append((on, time.monotonic())), on=True, move_s=0.0)
    server = QuarchServer(Torridon("QTL1688-02-017", wiring=wiring, faults=Fault()))
    server.device.reset_s = QUICK_RESET_S
    lab.serve(server)
    return server


TRIES = 4
"""A busy computer is late now and then, and never early."""
QUICK_RESET_S = 0.05
QUICK_HAND = replace(family_named("quarch-hand"), dialect=torridon("conf:def state", prepared_s=2 * QUICK_RESET_S))
"""As the family, for a module whose reset takes no seconds."""
RESETS = f"{__name__}:QUICK_HAND"


@pytest.fixture
def slot(server, journal, tmp_path):
    opened = []

    def open_slot(family="quarch-at-once", **changes):
        spec = Instrument(role="slot", family=family, resource=server.resource, serial="QTL1688-02-017", timeout_s=0.4)
        opened.append(open_instrument("slot", spec.model_copy(update=changes), journal, state_dir=tmp_path))
        return opened[-1]

    yield open_slot
    for one in opened:
        one.close()


def test_pull_and_plug(lab, slot):
    """The module is known by part and serial number, and its pins follow."""
    slot = slot()
    assert isinstance(slot, Slot)
    assert str(slot.identity) == "Quarch, QTL1688-02 PCIe Card Module, serial QTL1688-02-017"
    slot.pull(witness=lambda: bool(lab.ends.done))
    assert slot.state() is Switch.OFF
    slot.plug(witness=lambda: len(lab.ends.done) == 2)
    assert [on for on, _ in lab.ends.done] == [False, True]


@pytest.mark.parametrize(("family", "least_s", "most_s"), [("quarch-at-once", 0, 0.015), (RESETS, 0.045, 0.1)])
def test_profile_of_the_plug(lab, slot, family, least_s, most_s):
    """All pins at once is a surprise; the default staggers them as a hand does."""
    slot = slot(family)
    taken_s = []
    for _ in range(TRIES):
        slot.pull()
        pause(0.08, why="the contacts to stop bouncing")
        lab.ends.done.clear()
        started = time.monotonic()
        slot.plug(witness=lambda: bool(lab.ends.done))
        taken_s.append(lab.ends.done[0][1] - started)
    assert least_s <= min(taken_s) <= most_s


@pytest.mark.parametrize(
    ("profile", "gone_s", "back_s"), [(AT_ONCE, (0, 0.015), (0, 0.015)), (HAND, (0, 0.015), (0.045, 0.1))]
)
def test_profile_of_one_call(lab, slot, profile, gone_s, back_s):
    """A hand breaks the shortest pins first and joins the longest first: the NIC is whole again two steps later."""
    slot = slot("quarch")
    taken_s = {slot.pull: [], slot.plug: []}
    for _ in range(TRIES):
        for move, taken in taken_s.items():
            lab.ends.done.clear()
            move(profile=profile)
            told = time.monotonic()
            wait_until(lambda: lab.ends.done, what="the pins", timeout_s=5, interval_s=0.002)
            taken.append(lab.ends.done[0][1] - told)
    for move, (least_s, most_s) in ((slot.pull, gone_s), (slot.plug, back_s)):
        assert least_s - 0.01 <= min(taken_s[move]) <= most_s


@pytest.mark.parametrize("on", [False, True])
def test_bounce(lab, slot, on):
    """Contacts open and close as often as the profile says, and end where they were told to go."""
    slot = slot("quarch")
    if on:
        slot.pull()
        wait_until(lambda: lab.ends.done, what="the pull", timeout_s=2)
        lab.ends.done.clear()
    (slot.plug if on else slot.pull)(profile=Profile("bounce", bounce_s=0.06, period_s=0.02))
    wait_until(lambda: len(lab.ends.done) == 7, what="three bounces", timeout_s=2)
    assert [position for position, _ in lab.ends.done] == [on, not on, on, not on, on, not on, on]
    assert 0.05 < lab.ends.done[-1][1] - lab.ends.done[0][1] < 1.0


def test_profile_holds_for_one_call(lab, slot):
    """The pull after a bouncing one does not bounce."""
    slot = slot("quarch")
    slot.pull(profile=BOUNCE)
    slot.plug()
    pause(0.15, why="the bouncing to end")
    lab.ends.done.clear()
    slot.pull()
    pause(0.05, why="a second edge, if there is one")
    assert [position for position, _ in lab.ends.done] == [False]


def test_profile_of_a_run_that_died(lab, server, slot):
    """A run that was killed after a bouncing plug leaves the module bouncing; the next one does not bounce.

    Else every surprise removal of a night is a bounce, and the driver is blamed for it.
    """
    slot("quarch").plug(profile=BOUNCE)
    assert lab.call(lambda: server.device.sources[1].length_s) == BOUNCE.bounce_s
    slot("quarch").pull()
    assert lab.call(lambda: server.device.sources[1].length_s) == 0


def test_profile_that_was_lost_halfway(lab, server, slot):
    """Settings that broke off in the middle are not left in the module: the next call sends all of its own."""
    slot = slot("quarch")
    lab.call(lambda: server.habits.mishaps.extend([*[Mishap.PASS] * 6, Mishap.RST]))
    with pytest.raises(InstrumentLost):
        slot.pull(profile=BOUNCE)
    assert lab.call(lambda: server.device.sources[1].length_s) == BOUNCE.bounce_s
    slot.pull()
    assert lab.call(lambda: server.device.sources[1].length_s) == 0


@pytest.mark.parametrize("family", ["quarch", RESETS])
def test_profile_of_a_module_that_restarted(lab, server, slot, family):
    """With its connection a module may have lost its settings, so that they are sent again.

    Else it moves as a hand does, and the report says that all pins moved at once.
    """
    slot = slot(family)
    slot.pull(profile=AT_ONCE)
    lab.run(server.restart())
    slot.plug(profile=AT_ONCE)
    assert lab.call(lambda: server.device.sources[3].delay_s) < 0.001


def test_reset_is_waited_for(lab, server, slot):
    """A module takes seconds to reset and forgets what it is told in between; it is told nothing until then."""
    assert family_named("quarch-hand").dialect.manners.prepared_s >= Torridon.RESET_S
    slot(RESETS).pull(profile=AT_ONCE)
    pause(3 * QUICK_RESET_S, why="a reset that comes late")
    assert lab.call(lambda: server.device.sources[3].delay_s) < 0.001


def test_glitch(lab, slot):
    """A glitch opens the contacts of a plugged NIC for its time, on a module by its own generator."""
    slot = slot("quarch-at-once")
    slot.glitch(0.02)
    assert [position for position, _ in lab.ends.done] == [False, True]
    assert 0.015 < lab.ends.done[1][1] - lab.ends.done[0][1] < 1.0
    slot.pull()
    with pytest.raises(BenchError, match="before a glitch"):
        slot.glitch(0.02)


@pytest.mark.parametrize(
    ("seconds", "setting"), [(1e-7, "50ns 2"), (0.001, "5us 200"), (0.1, "500us 200"), (100, "500ms 200")]
)
def test_glitch_in_units_of_the_module(seconds, setting):
    """The finest unit that reaches far enough."""
    assert glitch_settings(seconds)[1] == f"glitch:setup {setting}"


def test_impossible_wishes(slot):
    """What no module makes is told as a mistake of the caller, and nothing moves."""
    with pytest.raises(UsageError, match="100 s"):
        glitch_settings(200)
    with pytest.raises(UsageError, match="family quarch"):
        slot("quarch-at-once").pull(profile=HAND)
    with pytest.raises(UsageError, match="at most 20"):
        Profile("for ever", bounce_s=1, period_s=0.01)


def test_wrong_serial(slot):
    """Another module under the address is refused before anything is pulled."""
    with pytest.raises(WrongInstrument, match="1688-02-017"):
        slot(serial="QTL1688-02-099")


def test_refusal_is_in_the_answer(slot):
    """There is no error queue: the answer to the command itself says that it failed."""
    with pytest.raises(InstrumentRefused, match="FAIL"):
        slot()._contact._session.command("source:1:delay 5000")


def test_long_commands_keep_their_frame(slot):
    """Commands of 128 bytes and more are framed right; the vendor's client breaks there."""
    with pytest.raises(InstrumentRefused, match="not recognised"):
        slot()._contact._session.command("run:power up" + " " * 300 + "x")


@pytest.mark.parametrize("mishap", [Mishap.SILENT, Mishap.HALF])
def test_silent_module_does_not_block(lab, server, slot, mishap):
    """A module that stops answering costs the deadline, idle; the vendor's client blocks for ever, or spins."""
    slot = slot()
    session = slot._contact._session
    lab.call(lambda: server.habits.mishaps.append(mishap))
    with spent() as cost, pytest.raises(InstrumentLost):
        session.query("run:power?")
    assert cost.wall_s < 4.0
    assert cost.cpu_s < 0.1
    assert session.query("run:power?") == "PLUGGED"


def test_pull_is_not_repeated(lab, server, slot):
    """REST retries pull twice; here a pull whose answer was lost is an error, made once."""
    slot = slot()
    lab.call(lambda: server.habits.mishaps.extend([Mishap.PASS, Mishap.RST]))
    with pytest.raises(BenchError, match="not known"):
        slot.pull()
    pause(0.05, why="a second pull, if there is one")
    assert [on for on, _ in lab.ends.done] == [False]


@pytest.mark.parametrize("mishap", [Mishap.SILENT, Mishap.RST])
def test_plug_after_a_lost_pull(lab, server, slot, mishap):
    """The undo of a lost pull plugs at once, although a module refuses a session right after the last one's end.

    Else a single lost answer leaves the NIC of the bench pulled, for everybody who comes after.
    """
    slot = slot()
    lab.call(lambda: server.habits.mishaps.extend([Mishap.PASS, mishap]))
    with pytest.raises(BenchError, match="not known"):
        slot.pull()
    slot.plug()
    assert [on for on, _ in lab.ends.done] == [False, True]


def test_answer_in_several_frames(peer, journal, tmp_path):
    """Some answers come in more than one frame; the prompt ends them."""

    def serve(connection):
        read = connection.sock.makefile("rb")
        while head := read.read(2):
            command = read.read(int.from_bytes(head, "little")).strip()
            answer = {b"*idn?": b"Part#: QTL1", b"*serial?": b"QTL1-1", b"run:power?": b"PLUGGED"}[command]
            connection.send(framed(answer[:4]) + framed(answer[4:] + b"\r\n>"))

    spec = Instrument(role="slot", family="quarch", resource=f"127.0.0.1:{peer(serve).port}")
    slot = open_instrument("slot", spec, journal, state_dir=tmp_path)
    assert slot.state() is Switch.ON
    slot.close()


def test_not_a_quarch(peer, journal):
    """Something else on the port is not mistaken for a module."""

    def web(connection):
        connection.send(framed(b"HTTP/1.1 400\r\n>"))

    spec = Instrument(role="slot", family="quarch", resource=f"127.0.0.1:{peer(web).port}", timeout_s=0.3)
    with pytest.raises(WrongInstrument, match="HTTP"):
        open_instrument("slot", spec, journal)
