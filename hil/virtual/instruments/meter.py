"""A mains power meter in the manner of the Yokogawa WT300 series: what the machine draws, at its own pace."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping

from hil.virtual.faults import Fault
from hil.virtual.instruments.device import Call, Handler, ScpiDevice, answer
from hil.virtual.instruments.grammar import ScpiError, boolean, choice, number

_MAINS_V = 230.0
_RANGES_A = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_RATES_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_SECONDS = {"S": 1.0, "MS": 1e-3}
_AMPERES = {"A": 1.0, "MA": 1e-3}
_NOISE_OF_READING, _NOISE_OF_RANGE = 0.001, 0.0001
_ZERO_BELOW = 0.005  # share of the range; smaller currents count as zero
_OVER_RANGE, _UP, _DOWN = 1.4, 1.1, 0.3  # shares of the range: no value, go up, go down
_FUNCTIONS = ("U", "I", "P", "S", "LAMBda", "FU", "WH", "TIME")


class PowerMeter(ScpiDevice):
    """Values change at ``:RATE`` only; auto range leaves a gap (NAN); a fixed range too small gives INF."""

    error_query = "STATus:ERRor?"

    def __init__(self, name: str, serial: str, *, watts: Callable[[], float], faults: Fault, seed: int = 1) -> None:
        self.name, self._watts, self._faults = name, watts, faults
        self._noise = random.Random(seed)
        self._timer: asyncio.TimerHandle | None = None
        self._reading_w = self._energy_wh = self._integrated_s = 0.0
        self._defaults()
        super().__init__("YOKOGAWA", "WT310E", serial, "F1.03")
        self._refresh()

    def _defaults(self) -> None:
        self._rate_s, self._range_a, self._auto = 0.25, _RANGES_A[-1], True
        self._items: dict[int, tuple[str, int]] = {1: ("U", 1), 2: ("I", 1), 3: ("P", 1)}
        self._shown, self._headers, self._integrating = 3, True, False

    def commands(self) -> Mapping[str, Handler]:
        return {
            "COMMunicate:HEADer": self._set_headers,
            "NUMeric:FORMat": self._set_format,
            "NUMeric[:NORMal]:NUMber": self._set_shown,
            "NUMeric[:NORMal]:NUMber?": answer(lambda: self._head(":NUMERIC:NORMAL:NUMBER", str(self._shown))),
            "NUMeric[:NORMal]:ITEM<n>": self._set_item,
            "NUMeric[:NORMal]:ITEM<n>?": self._item,
            "NUMeric[:NORMal]:VALue?": self._values,
            "RATE": self._set_rate,
            "RATE?": answer(lambda: self._head(":RATE", _nr3(self._rate_s))),
            "INPut:CURRent:RANGe": self._set_range,
            "INPut:CURRent:RANGe?": answer(lambda: self._head(":INPUT:CURRENT:RANGE", _nr3(self._range_a))),
            "INPut:CURRent:AUTO": self._set_auto,
            "INPut:CURRent:AUTO?": answer(lambda: self._head(":INPUT:CURRENT:AUTO", str(int(self._auto)))),
            "INTEGrate:STARt": answer(lambda: self._integrate(True)),
            "INTEGrate:STOP": answer(lambda: self._integrate(False)),
            "INTEGrate:RESet": answer(self._clear_integral),
            "INTEGrate:STATe?": answer(lambda: "START" if self._integrating else "STOP"),
        }

    def reset(self) -> None:
        self._defaults()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # the measurement

    def _refresh(self) -> None:
        """One measurement; the next follows after the interval."""
        self._timer = asyncio.get_running_loop().call_later(self._rate_s, self._refresh)
        self._reading_w = self._measure()
        if self._integrating and math.isfinite(self._reading_w):
            self._energy_wh += self._reading_w * self._rate_s / 3600
            self._integrated_s += self._rate_s

    def _measure(self) -> float:
        return self._faults.reading_w(self._sample(), instrument=self.name)

    def _sample(self) -> float:
        true_w = self._watts()
        share = true_w / _MAINS_V / self._range_a
        if self._auto and (share > _UP or share < _DOWN):
            fitting = next((amps for amps in _RANGES_A if true_w / _MAINS_V <= amps), _RANGES_A[-1])
            if fitting != self._range_a:
                self._range_a = fitting
                return math.nan
        if share > _OVER_RANGE:
            return math.inf
        if share < _ZERO_BELOW:
            return 0.0
        spread = _NOISE_OF_READING * true_w + _NOISE_OF_RANGE * self._range_a * _MAINS_V
        return max(0.0, true_w + self._noise.gauss(0.0, spread / 2))

    def _value(self, function: str) -> str:
        if function in ("WH", "TIME"):
            return _nr3(self._energy_wh if function == "WH" else self._integrated_s)
        value = {
            "U": _MAINS_V, "I": self._reading_w / _MAINS_V, "P": self._reading_w, "S": self._reading_w,
            "LAMBda": 1.0, "FU": 50.0,
        }[function]  # fmt: skip
        return _nr3(value)

    # commands

    def _head(self, header: str, value: str) -> str:
        return f"{header} {value}" if self._headers else value

    def _set_headers(self, call: Call) -> None:
        self._headers = boolean(call.only())

    def _set_format(self, call: Call) -> None:
        choice(call.only(), "ASCii")  # the binary format is not modelled

    def _set_shown(self, call: Call) -> None:
        self._shown = _within(round(number(call.only())), 1, 255)

    def _set_item(self, call: Call) -> None:
        index = _within(call.suffixes[0], 1, 255)
        function, element = call.arguments if len(call.arguments) == 2 else (call.only(), "1")
        self._items[index] = (choice(function, *_FUNCTIONS), _within(round(number(element)), 1, 1))

    def _item(self, call: Call) -> str:
        function, element = self._items.get(call.suffixes[0], ("NONE", 1))
        return self._head(f":NUMERIC:NORMAL:ITEM{call.suffixes[0]}", f"{function.upper()},{element}")

    def _values(self, call: Call) -> str:
        wanted = [round(number(call.only()))] if call.arguments else list(range(1, self._shown + 1))
        _within(wanted[0], 1, 255)
        return ",".join(self._value(self._items[index][0]) if index in self._items else "NAN" for index in wanted)

    def _set_rate(self, call: Call) -> None:
        rate_s = number(call.only(), _SECONDS)
        if rate_s not in _RATES_S:
            raise ScpiError(-222)
        self._rate_s = rate_s
        self.close()  # a measurement under way is thrown away
        self._timer = asyncio.get_running_loop().call_later(rate_s, self._refresh)

    def _set_range(self, call: Call) -> None:
        amps = number(call.only(), _AMPERES)
        if amps not in _RANGES_A:
            raise ScpiError(-222)
        self._range_a, self._auto = amps, False

    def _set_auto(self, call: Call) -> None:
        self._auto = boolean(call.only())

    def _integrate(self, on: bool) -> None:
        if on is self._integrating:
            raise ScpiError(-221)
        self._integrating = on

    def _clear_integral(self) -> None:
        self._energy_wh = self._integrated_s = 0.0


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ScpiError(-222)
    return value


def _nr3(value: float) -> str:
    """Engineering notation with five digits, as the instrument writes it; NAN and INF as words."""
    if not math.isfinite(value):
        return "NAN" if math.isnan(value) else "INF"
    exponent = 0 if value == 0 else 3 * math.floor(math.log10(abs(value)) / 3)
    mantissa = value / 10**exponent
    digits = 4 if abs(mantissa) < 10 else 3 if abs(mantissa) < 100 else 2
    return f"{mantissa:.{digits}f}E{exponent:+03d}"
