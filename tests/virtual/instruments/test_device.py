"""The IEEE 488.2 core and the models, driven by messages."""

from __future__ import annotations

import asyncio

import pytest

from hil.virtual.faults import Fault
from hil.virtual.instruments.device import ScpiDevice
from hil.virtual.instruments.meter import PowerMeter
from hil.virtual.instruments.relay import RelayUnit, Wiring

POWER_ON, COMMAND, EXECUTION, COMPLETE = 0x80, 0x20, 0x10, 0x01


@pytest.fixture
def device():
    return ScpiDevice("HIL Lab", "Core", "C-1")


@pytest.fixture
def moved():
    return []


@pytest.fixture
def unit(moved):
    wiring = Wiring("slot", 1, moved.append, on=True, move_s=0.01)
    return RelayUnit("HIL Lab", "Relays", "R-1", wirings=(wiring,), numbers=range(1, 5), faults=Fault())


def test_power_on_bit_is_told_once(ask, device):
    """``*ESR?`` tells that the instrument was switched on, and clears it."""
    assert [ask(device, "*ESR?"), ask(device, "*ESR?")] == [str(POWER_ON), "0"]
    device.restart()
    assert ask(device, "*ESR?") == str(POWER_ON)


@pytest.mark.parametrize(
    ("message", "number", "bit"),
    [
        ("BOGUS", -113, COMMAND), ("*IDN", -113, COMMAND), ("*ESE", -109, COMMAND), ("*CLS 1", -108, COMMAND),
        ("*ESE 999", -222, EXECUTION), ("*ESE five", -104, COMMAND), ("?", -102, COMMAND), ("*ESE=1", -103, COMMAND),
    ],
)  # fmt: skip
def test_errors_reach_queue_and_register(ask, device, message, number, bit):
    """A wrong message gives no answer, an entry in the queue and its class in the event register."""
    ask(device, "*CLS")
    assert ask(device, message) is None
    assert ask(device, "SYST:ERR?").startswith(f'{number},"')
    assert ask(device, "SYST:ERR?") == '0,"No error"'
    assert int(ask(device, "*ESR?")) & bit


def test_parser_gives_up_the_message_at_a_command_error(ask, device):
    """What follows an unknown header is not executed; an execution error lets the rest go on."""
    assert ask(device, "*ESE 1;BOGUS;*ESE 2") is None
    assert ask(device, "*ESE?") == "1"
    assert ask(device, "*ESE 999;*ESE 4;*ESE?") == "4"


def test_queue_overflow(ask, device):
    """The queue keeps its oldest entries; the last becomes -350."""
    for _ in range(25):
        ask(device, "BOGUS")
    entries = [ask(device, "SYST:ERR?") for _ in range(21)]
    assert entries[0].startswith("-113")
    assert entries[19].startswith("-350")
    assert entries[20] == '0,"No error"'


def test_status_byte_summarises(ask, device):
    """Error available, event summary, and master summary when both are enabled."""
    ask(device, "*CLS;*ESE 32;*SRE 36")
    assert ask(device, "*STB?") == "0"
    ask(device, "BOGUS")
    assert int(ask(device, "*STB?")) == 0x04 | 0x20 | 0x40


def test_several_queries_in_one_message(ask, device):
    """Answers are joined by semicolons, in order."""
    assert ask(device, "*ESE 3;*ESE?;*SRE?;SYST:ERR?") == '3;0;0,"No error"'


def test_operation_complete_waits_for_the_contact(ask, unit, moved):
    """``*OPC?`` is answered when the relay has moved; the position reads back at once, as on the real ones."""
    assert ask(unit, "ROUT:OPEN (@1);CLOS? (@1)") == "0"
    assert moved == []
    assert ask(unit, "*OPC?") == "1"
    assert moved == [False]


def test_operation_complete_bit(ask, unit):
    """``*OPC`` sets bit 0 of the event register when the last movement has ended, not before."""
    ask(unit, "*CLS;:ROUT:OPEN (@1);*OPC")
    assert not int(ask(unit, "*ESR?")) & COMPLETE
    ask(unit, "*WAI")
    assert int(ask(unit, "*ESR?")) & COMPLETE


def test_channel_lists_and_cycles(ask, unit):
    """Several channels in one message; each operation counts towards the wear of its relay."""
    ask(unit, "ROUTE:CLOSE (@2:4)")
    ask(unit, "ROUT:OPEN (@3)")
    assert ask(unit, "ROUT:CLOS? (@1:4)") == "1,1,0,1"
    assert ask(unit, "DIAG:REL:CYCL? (@1,3)") == "0,2"
    ask(unit, "*WAI")


@pytest.mark.parametrize(
    ("message", "number"),
    [("ROUT:CLOS (@9)", -222), ("ROUT:CLOS 1", -171), ("ROUT:CLOS", -109), ("ROUT:CLOSED (@1)", -113),
     ("ROUT:CLOS (@1),(@2)", -108)],
)  # fmt: skip
def test_relay_unit_is_strict(ask, unit, message, number):
    """A command that the real unit refuses is refused here, with its number."""
    ask(unit, message)
    assert ask(unit, "SYST:ERR?").startswith(f"{number},")


def test_reset_opens_every_channel(ask, unit, moved):
    """``*RST`` is dangerous on a relay unit: the machine loses power."""
    ask(unit, "*RST;*WAI")
    assert moved == [False]


@pytest.fixture
def meter(loop):
    async def build():
        return PowerMeter("meter", "M-1", watts=lambda: 60.0, faults=Fault())

    meter = loop.run_until_complete(build())
    yield meter
    meter.close()


def test_meter_shows_its_headers_until_told_not_to(ask, meter):
    """Yokogawa's replies carry headers by default, which a client must switch off or parse."""
    assert ask(meter, ":RATE?") == ":RATE 250.00E-03"
    assert ask(meter, ":COMM:HEAD OFF;:RATE?") == "250.00E-03"
    assert ask(meter, ":SYST:ERR?") is None
    assert ask(meter, ":STAT:ERR?").startswith("-113")


def test_meter_items(ask, meter, loop):
    """The message of the manual: three items, read in one query, for one element."""
    ask(meter, ":RATE 100MS;:NUM:NORM:NUM 3;ITEM1 U,1;ITEM2 I,1;ITEM3 P,1")
    assert ask(meter, ":STAT:ERR?") == '0,"No error"'
    loop.run_until_complete(asyncio.sleep(0.25))
    volts, amps, watts = (float(value) for value in ask(meter, ":NUM:NORM:VAL?").split(","))
    assert (volts, watts) == (230.0, pytest.approx(60.0, rel=0.02))
    assert amps == pytest.approx(watts / volts, rel=0.001)


@pytest.mark.parametrize(
    ("message", "number"),
    [(":RATE 0.3", -222), (":NUM:NORM:ITEM1 WATTS,1", -224), (":NUM:NORM:ITEM1 P,2", -222), (":INP:CURR:RANG 3A", -222),
     (":INTEG:STOP", -221), (":NUM:FORM FLO", -224)],
)  # fmt: skip
def test_meter_is_strict(ask, meter, message, number):
    """Rates, ranges and items that the meter does not have are refused."""
    ask(meter, message)
    assert ask(meter, ":STAT:ERR?").startswith(f"{number},")


def test_meter_integrates(ask, meter, loop):
    """Energy is the sum over the refresh intervals, as a lab compares two sleep states."""
    ask(meter, ":RATE 100MS;:NUM:NORM:ITEM1 WH,1;:INTEG:STAR")
    loop.run_until_complete(asyncio.sleep(0.55))
    energy_wh = float(ask(meter, ":INTEG:STOP;:NUM:NORM:VAL? 1"))
    assert energy_wh == pytest.approx(60.0 * 0.5 / 3600, rel=0.35)
