"""DC supplies in their dialects: one table each, one set of promises."""

from __future__ import annotations

from contextlib import closing

import pytest
from instrument_lab import InstrumentLab

from hil.errors import BenchError, UsageError
from hil.instruments import Meter, Supply, Switch, open_instrument
from hil.instruments.session import InstrumentRefused
from hil.testbed.model import Instrument
from hil.virtual.faults import Fault
from hil.virtual.instruments import supply as virtual
from hil.virtual.instruments.server import SocketServer
from hil.wait import pause

DIALECTS = {
    "keysight-e36100": (virtual.SingleSupply, "E36103B"),
    "keysight-e36300": (virtual.ListedSupply, "E36312A"),
    "keysight-n6700": (virtual.ListedSupply, "N6705C"),
    "rigol-dp800": (virtual.NamedSupply, "DP832"),
    "siglent-spd": (virtual.StatusWordSupply, "SPD3303X"),
    "rs-hmp": (virtual.SelectedSupply, "HMP4040"),
    "rs-ngx": (virtual.ListedSupply, "NGM202"),
    "tdk-genesys": (virtual.SingleSupply, "TDK-LAMBDA GEN"),
}


MANY_OUTPUTS = pytest.mark.parametrize(
    "bench", [name for name, (model, _) in DIALECTS.items() if model.outputs_count > 1], indirect=True
)


@pytest.fixture(params=DIALECTS)
def bench(request, lab, journal, tmp_path):
    """The role object, its model, and the testbed entry."""
    model, name = DIALECTS[request.param]
    device = model("S-1", effect=lab.ends.set_slot, faults=Fault())
    device.model = name
    spec = Instrument(
        role="supply", family=request.param, resource=lab.serve(SocketServer(device)), serial="S-1", channel="1"
    )
    opened = open_instrument("rail", spec, journal, state_dir=tmp_path)
    yield opened, device, spec
    opened.close()


def test_on_and_off_with_read_back(bench, lab):
    """The output follows, reads back, and what hangs on it sees each change once."""
    rail, _, _ = bench
    assert isinstance(rail, Supply)
    assert rail.state() is Switch.OFF
    rail.on()
    assert rail.state() is Switch.ON
    rail.off()
    assert rail.state() is Switch.OFF
    pause(0.02, why="what is switched to follow")
    assert lab.ends.done == [("slot", True), ("slot", False)]


def test_set_points_and_readings(bench):
    """Volts come out as set, until the current limit takes over."""
    rail, device, _ = bench
    rail.set_volts(3.3)
    rail.set_limit_amps(1.0)
    rail.on(witness=lambda: rail.read_volts() > 3.0)
    assert rail.read_volts() == pytest.approx(3.3, abs=0.01)
    assert rail.read_amps() == pytest.approx(0.33, abs=0.01)
    device.outputs[1].load_ohm = 1.0
    assert rail.read_amps() == pytest.approx(1.0, abs=0.01)


def test_a_set_point_out_of_range_is_refused(bench):
    """The instrument's own error is the message, in whatever form the family writes it."""
    rail, _, _ = bench
    with pytest.raises(InstrumentRefused, match="-222"):
        rail.set_volts(99)


@MANY_OUTPUTS
def test_only_the_named_channel_moves(bench, journal, tmp_path):
    """A neighbour's channel stays as it is; the selected-channel dialect is the one that gets this wrong."""
    rail, device, spec = bench
    other = open_instrument("other", spec.model_copy(update={"channel": "2"}), journal, state_dir=tmp_path)
    try:
        rail.on()
        other.on()
        rail.off()
        assert (rail.state(), other.state()) == (Switch.OFF, Switch.ON)
        assert [output.relay.told for output in list(device.outputs.values())[:2]] == [False, True]
    finally:
        other.close()


@MANY_OUTPUTS
def test_channel_that_does_not_exist(bench, journal, tmp_path):
    """A channel number beyond the instrument's is refused, or reads as nothing, but never as off."""
    _, _, spec = bench
    spec = spec.model_copy(update={"channel": "9", "timeout_s": 0.1})
    with (
        pytest.raises((UsageError, BenchError)),
        closing(open_instrument("rail", spec, journal, state_dir=tmp_path)) as wrong,
    ):
        wrong.on()


@pytest.mark.parametrize("bench", ["siglent-spd"], indirect=True)
def test_channel_that_cannot_be_read(bench, journal, tmp_path):
    """An output that no bit of the status word tells of is refused, with those that are told of.

    Else it always reads as off: nothing is sent to switch it off, and the NIC keeps its power.
    """
    _, _, spec = bench
    with pytest.raises(UsageError, match=r"channel 3 .* on 1, 2"):
        open_instrument("rail", spec.model_copy(update={"channel": "3"}), journal, state_dir=tmp_path)


def test_supply_that_is_also_a_meter(journal):
    """An N6705 can be the witness of what the rail draws."""
    lab = InstrumentLab()
    device = virtual.ListedSupply("S-1", effect=lab.ends.set_slot, faults=Fault())
    device.model = "N6705C"
    spec = Instrument(role="meter", family="keysight-n6700", resource=lab.serve(SocketServer(device)), channel="1")
    meter = open_instrument("meter", spec, journal)
    assert isinstance(meter, Meter)
    assert meter.read_w() == 0.0
    meter.close()
    lab.close()
