"""DC supplies in four dialects: channel lists, channels as arguments, one output, and a selected channel."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from hil.virtual.faults import Fault
from hil.virtual.instruments.device import Call, Handler, ScpiDevice, answer
from hil.virtual.instruments.grammar import ScpiError, boolean, channels, number
from hil.virtual.instruments.relay import Effect, Relay, Wiring

_MOST_V, _MOST_A = 32.0, 3.2
_VOLTS = {"V": 1.0, "MV": 1e-3}
_AMPERES = {"A": 1.0, "MA": 1e-3}


@dataclass
class Output:
    """One output with a resistor on it; ``relay`` is its output switch."""

    relay: Relay
    volts: float = 0.0
    limit_a: float = 0.5
    load_ohm: float = 10.0

    @property
    def amps_out(self) -> float:
        """In constant current when the limit is reached."""
        return min(self.volts / self.load_ohm, self.limit_a) if self.relay.contact else 0.0

    @property
    def volts_out(self) -> float:
        return self.amps_out * self.load_ohm

    @property
    def watts_out(self) -> float:
        return self.volts_out * self.amps_out


class Supply(ScpiDevice):
    """What the dialects share. ``effect`` is told when the first output is switched."""

    makes: ClassVar[tuple[str, str]]
    outputs_count: ClassVar[int] = 3

    def __init__(self, serial: str, *, effect: Effect, faults: Fault) -> None:
        self.outputs = {}
        for channel in range(1, self.outputs_count + 1):
            wiring = Wiring("supply", channel, effect if channel == 1 else _nothing, on=False, move_s=0.002)
            self.outputs[channel] = Output(Relay(wiring, faults, self))
        super().__init__(*self.makes, serial)

    def reset(self) -> None:
        for output in self.outputs.values():
            output.relay.set(False)
            output.volts, output.limit_a = 0.0, 0.5

    def output(self, channel: int) -> Output:
        if channel not in self.outputs:
            raise ScpiError(-222)
        return self.outputs[channel]


def _nothing(_on: bool) -> None:
    """An output with nothing on it."""


def _volts(text: str) -> float:
    return _within(number(text, _VOLTS), _MOST_V)


def _amps(text: str) -> float:
    return _within(number(text, _AMPERES), _MOST_A)


def _within(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ScpiError(-222)
    return value


class ListedSupply(Supply):
    """Keysight E36300, N6700 and R&S NGx: ``OUTP ON,(@1)``."""

    makes = ("Keysight Technologies", "E36312A")

    def commands(self) -> Mapping[str, Handler]:
        return {
            "OUTPut[:STATe]": self._switch,
            "OUTPut[:STATe]?": lambda call: self._ask(call, lambda output: str(int(output.relay.told))),
            "[SOURce:]VOLTage[:LEVel]": self._set_volts,
            "[SOURce:]CURRent[:LEVel]": self._set_amps,
            "MEASure[:SCALar]:VOLTage[:DC]?": lambda call: self._ask(call, lambda output: f"{output.volts_out:.5E}"),
            "MEASure[:SCALar]:CURRent[:DC]?": lambda call: self._ask(call, lambda output: f"{output.amps_out:.5E}"),
            "MEASure[:SCALar]:POWer[:DC]?": lambda call: self._ask(call, lambda output: f"{output.watts_out:.5E}"),
        }

    def _listed(self, text: str) -> list[Output]:
        return [self.output(channel) for channel in channels(text)]

    def _ask(self, call: Call, question: Callable[[Output], str]) -> str:
        return ",".join(question(output) for output in self._listed(call.only()))

    def _switch(self, call: Call) -> None:
        on, listed = call.take(2)
        for output in self._listed(listed):
            output.relay.set(boolean(on))

    def _set_volts(self, call: Call) -> None:
        value, listed = call.take(2)
        for output in self._listed(listed):
            output.volts = _volts(value)

    def _set_amps(self, call: Call) -> None:
        value, listed = call.take(2)
        for output in self._listed(listed):
            output.limit_a = _amps(value)


class SingleSupply(Supply):
    """Keysight E36100 and TDK-Lambda Genesys: one output, no channel."""

    makes = ("Keysight Technologies", "E36103B")
    outputs_count = 1

    def commands(self) -> Mapping[str, Handler]:
        output = self.outputs[1]
        return {
            "OUTPut[:STATe]": lambda call: output.relay.set(boolean(call.only())),
            "OUTPut[:STATe]?": answer(lambda: str(int(output.relay.told))),
            "[SOURce:]VOLTage[:LEVel]": lambda call: setattr(output, "volts", _volts(call.only())),
            "[SOURce:]CURRent[:LEVel]": lambda call: setattr(output, "limit_a", _amps(call.only())),
            "MEASure[:SCALar]:VOLTage[:DC]?": answer(lambda: f"{output.volts_out:.5E}"),
            "MEASure[:SCALar]:CURRent[:DC]?": answer(lambda: f"{output.amps_out:.5E}"),
        }


class NamedSupply(Supply):
    """Rigol DP800: ``:OUTP CH1,ON``, and words for booleans."""

    makes = ("RIGOL TECHNOLOGIES", "DP832")

    def commands(self) -> Mapping[str, Handler]:
        return {
            "OUTPut[:STATe]": self._switch,
            "OUTPut[:STATe]?": lambda call: "ON" if self._named(call.only()).relay.told else "OFF",
            "[SOURce<n>:]VOLTage[:LEVel]": self._set_volts,
            "[SOURce<n>:]CURRent[:LEVel]": self._set_amps,
            "MEASure[:VOLTage][:DC]?": lambda call: f"{self._named(call.only()).volts_out:.3f}",
            "MEASure:CURRent[:DC]?": lambda call: f"{self._named(call.only()).amps_out:.4f}",
        }

    def _named(self, text: str) -> Output:
        found = re.fullmatch(r"CH(\d)", text.upper())
        if found is None:
            raise ScpiError(-224)
        return self.output(int(found[1]))

    def _switch(self, call: Call) -> None:
        name, on = call.take(2)
        self._named(name).relay.set(boolean(on))

    def _set_volts(self, call: Call) -> None:
        self.output(call.suffixes[0]).volts = _volts(call.only())

    def _set_amps(self, call: Call) -> None:
        self.output(call.suffixes[0]).limit_a = _amps(call.only())


class StatusWordSupply(NamedSupply):
    """Siglent SPD3303X: as above, but outputs are bits of a status word, and errors are not quoted.

    Its third output can be switched, and no bit tells.
    """

    makes = ("Siglent Technologies", "SPD3303X")

    def commands(self) -> Mapping[str, Handler]:
        return {
            "OUTPut": self._switch,
            "SYSTem:STATus?": answer(self._status),
            "CH<n>:VOLTage": self._set_volts,
            "CH<n>:CURRent": self._set_amps,
            "MEASure:VOLTage?": lambda call: f"{self._named(call.only()).volts_out:.3f}",
            "MEASure:CURRent?": lambda call: f"{self._named(call.only()).amps_out:.3f}",
            "*ESR?": self._unknown,
        }

    def next_error(self) -> str:
        return super().next_error().replace(',"', "  ").replace('"', "")

    def _status(self) -> str:
        return hex(sum(1 << (3 + channel) for channel in (1, 2) if self.outputs[channel].relay.told))

    def _unknown(self, _call: Call) -> str:
        raise ScpiError(-113)


class SelectedSupply(Supply):
    """Rohde & Schwarz HMP: a selected channel, and a general switch above the channels'."""

    makes = ("ROHDE&SCHWARZ", "HMP4040")
    outputs_count = 4

    def __init__(self, serial: str, *, effect: Effect, faults: Fault) -> None:
        self.selected, self.general = 1, False
        self.wanted = dict.fromkeys(range(1, self.outputs_count + 1), False)
        super().__init__(serial, effect=effect, faults=faults)

    def commands(self) -> Mapping[str, Handler]:
        return {
            "INSTrument:NSELect": self._select,
            "INSTrument:NSELect?": answer(lambda: str(self.selected)),
            "OUTPut:SELect": lambda call: self._switch(channel=boolean(call.only())),
            "OUTPut:SELect?": answer(lambda: str(int(self.wanted[self.selected]))),
            "OUTPut:GENeral": lambda call: self._switch(general=boolean(call.only())),
            "OUTPut:GENeral?": answer(lambda: str(int(self.general))),
            "[SOURce:]VOLTage[:LEVel]": lambda call: setattr(self._output, "volts", _volts(call.only())),
            "[SOURce:]CURRent[:LEVel]": lambda call: setattr(self._output, "limit_a", _amps(call.only())),
            "MEASure[:SCALar]:VOLTage[:DC]?": answer(lambda: f"{self._output.volts_out:.3f}"),
            "MEASure[:SCALar]:CURRent[:DC]?": answer(lambda: f"{self._output.amps_out:.3f}"),
        }

    @property
    def _output(self) -> Output:
        return self.outputs[self.selected]

    def _select(self, call: Call) -> None:
        channel = round(number(call.only()))
        self.output(channel)
        self.selected = channel

    def _switch(self, *, channel: bool | None = None, general: bool | None = None) -> None:
        self.wanted[self.selected] = self.wanted[self.selected] if channel is None else channel
        self.general = self.general if general is None else general
        for number_, output in self.outputs.items():
            output.relay.set(self.general and self.wanted[number_])
