"""A hot-plug breaker in the manner of Quarch Torridon modules, on its framed TCP port."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from hil.virtual.faults import Fault
from hil.virtual.instruments.relay import Relay, Wiring
from hil.virtual.instruments.server import InstrumentServer

_LENGTH = struct.Struct("<H")
_DEFAULT_STEP_S = 0.025
_IMMEDIATE = 7
_AT_ONCE_S = 0.0005
_MOST_DELAY_MS = 1270
_UNITS_S = {"": 1e-3, "ms": 1e-3, "us": 1e-6}
_GLITCH_UNITS_S = {
    "50ns": 5e-8, "500ns": 5e-7, "5us": 5e-6, "50us": 5e-5, "500us": 5e-4, "5ms": 5e-3, "50ms": 5e-2, "500ms": 0.5,
}  # fmt: skip
_FREES_SESSION_S = 0.05
_OK = "OK"
_NOT_KNOWN, _OUT_OF_RANGE = "FAIL: 0x02 -Command not recognised", "FAIL: 0x10 -Parameter out of range"


@dataclass
class Source:
    """When the pins on it move after a command, and how they bounce then."""

    delay_s: float
    length_s: float = 0.0
    period_s: float = 0.0
    duty: float = 0.5


class Torridon:
    """One module: its power switch and its sources (1..6 timed, 7 immediate), which drive the pins.

    Pins come in three lengths, on sources 1 to 3 unless all are moved to one. The NIC is there while all pins touch.
    After ``conf:def state`` it is at its defaults only when ``reset_s`` are over, and what was set until then is lost.
    """

    RESET_S = 6.0

    def __init__(self, serial: str, *, wiring: Wiring, faults: Fault) -> None:
        self.serial = serial
        self._pending: list[asyncio.TimerHandle] = []
        self.reset_s = self.RESET_S
        self.restart()
        self.relay = Relay(wiring, faults, self)
        self.ignores_sets = False
        """Answers as if it obeyed, and does nothing."""

    @property
    def relays(self) -> dict[int, Relay]:
        return {1: self.relay}

    def restart(self) -> None:
        self.sources = {number: Source((number - 1) * _DEFAULT_STEP_S) for number in range(1, 7)}
        self.sources[_IMMEDIATE] = Source(_AT_ONCE_S)
        self._driving: tuple[int, ...] = (1, 2, 3)
        self._glitching, self._glitch_s = False, 0.0

    async def execute(self, message: str) -> str:
        """The text of the answer, as the module's shell gives it."""
        for pattern, handler in self._commands():
            found = re.fullmatch(pattern, message.strip(), re.IGNORECASE)
            if found is not None:
                return handler(found) or _OK
        return _NOT_KNOWN

    def start_operation(self) -> None:
        """Commands are acknowledged at once; nothing waits for the pins."""

    def end_operation(self) -> None: ...

    def _commands(self) -> list[tuple[str, Callable[[re.Match[str]], str | None]]]:
        return [
            (r"hello\?", lambda _: "Quarch virtual module"),
            (r"\*idn\?", lambda _: "Family: Torridon\r\nName: PCIe Card Module\r\nPart#: QTL1688-02\r\nFPGA: 1.0"),
            (r"\*serial\?", lambda _: self.serial),
            (r"\*tst\?", lambda _: _OK),
            (r"run:power\?", lambda _: "PLUGGED" if self.relay.told else "PULLED"),
            (r"run:power (up|down)", lambda found: self._run(found[1].lower() == "up")),
            (r"run:glitch once", lambda _: self._glitch()),
            (r"conf:def state", self._reset),
            (r"source:([1-6]):delay (\d+)", self._delay),
            (r"source:([1-6]):delay\?", lambda found: f"{self.sources[int(found[1])].delay_s * 1000:.0f}mS"),
            (r"source:([1-6]):bounce:(length|period) (\d+) ?(ms|us|)", self._bounce),
            (r"source:([1-6]):bounce:duty (\d+)", self._duty),
            (r"source:([1-6]):bounce:clear", lambda found: setattr(self.sources[int(found[1])], "length_s", 0.0)),
            (r"signal:all:source ([1-7])", lambda found: setattr(self, "_driving", (int(found[1]),))),
            (r"signal:all:glitch:enable (on|off)", lambda f: setattr(self, "_glitching", f[1].lower() == "on")),
            (r"glitch:setup (\w+) (\d+)", self._set_glitch),
        ]

    def _reset(self, _found: re.Match[str]) -> None:
        asyncio.get_running_loop().call_later(self.reset_s, self.restart)

    def _run(self, on: bool) -> None:
        if on is self.relay.told or self.ignores_sets:
            return
        self._cancel()
        driving = [self.sources[number] for number in self._driving]
        deciding = (max if on else min)(driving, key=lambda source: source.delay_s)
        self.relay.set(on, deciding.delay_s)
        if deciding.length_s:
            at_s, end_s = deciding.delay_s, deciding.delay_s + deciding.length_s
            share = deciding.duty if on else 1 - deciding.duty
            while at_s + deciding.period_s <= end_s + 1e-9:
                self._later(at_s + share * deciding.period_s, not on)
                at_s += deciding.period_s
                self._later(at_s, on)

    def _glitch(self) -> None:
        if self._glitching and self.relay.told:
            self._later(0.0, False)
            self._later(self._glitch_s, True)

    def _later(self, delay_s: float, on: bool) -> None:
        self._pending.append(asyncio.get_running_loop().call_later(delay_s, self.relay.touch, on))

    def _cancel(self) -> None:
        for one in self._pending:
            one.cancel()
        self._pending.clear()

    def _delay(self, found: re.Match[str]) -> str | None:
        if int(found[2]) > _MOST_DELAY_MS:
            return _OUT_OF_RANGE
        self.sources[int(found[1])].delay_s = max(_AT_ONCE_S, int(found[2]) / 1000)
        return None

    def _bounce(self, found: re.Match[str]) -> None:
        setattr(self.sources[int(found[1])], f"{found[2].lower()}_s", int(found[3]) * _UNITS_S[found[4].lower()])

    def _duty(self, found: re.Match[str]) -> str | None:
        if not 0 < int(found[2]) < 100:
            return _OUT_OF_RANGE
        self.sources[int(found[1])].duty = int(found[2]) / 100
        return None

    def _set_glitch(self, found: re.Match[str]) -> str | None:
        if found[1].lower() not in _GLITCH_UNITS_S:
            return _OUT_OF_RANGE
        self._glitch_s = _GLITCH_UNITS_S[found[1].lower()] * int(found[2])
        return None


class QuarchServer(InstrumentServer[Torridon]):
    """Frames of two length bytes, low byte first, and text that ends in CR LF; answers end in CR LF and a prompt.

    A session that is opened right after the last one's end is refused.
    """

    def __init__(self, device: Torridon) -> None:
        super().__init__(device)
        self._free_s = 0.0

    @property
    def resource(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _full(self) -> bool:
        return super()._full() or asyncio.get_running_loop().time() < self._free_s

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._session(reader, writer)
        finally:
            self._free_s = asyncio.get_running_loop().time() + _FREES_SESSION_S

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            command = await reader.readexactly(size)
            await self.habits.thawed.wait()
            text = f"{await self.device.execute(command.decode('ascii', errors='replace'))}\r\n>".encode()
            await self._answer(writer, _LENGTH.pack(len(text)) + text)
