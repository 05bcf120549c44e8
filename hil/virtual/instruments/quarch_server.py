"""A hot-plug breaker in the manner of Quarch Torridon modules, on its framed TCP port."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable

from hil.virtual.faults import Fault
from hil.virtual.instruments.relay import Relay, Wiring
from hil.virtual.instruments.server import InstrumentServer

_LENGTH = struct.Struct("<H")
_DEFAULT_DELAY_MS = 25
_IMMEDIATE = 7
_AT_ONCE_S = 0.0005
_MOST_DELAY_MS = 1270


class Torridon:
    """One module: its power switch, its sources (1..6 timed, 7 immediate) and which of them drives the pins.

    By default the pins follow source 1, late as in a hand pull.
    """

    def __init__(self, serial: str, *, wiring: Wiring, faults: Fault) -> None:
        self.serial = serial
        self.restart()
        self.relay = Relay(wiring, faults, self)

    def restart(self) -> None:
        self._delays_ms, self._source = dict.fromkeys(range(1, 7), _DEFAULT_DELAY_MS), 1

    async def execute(self, message: str) -> str:
        """The text of the answer, as the module's shell gives it."""
        for pattern, handler in self._commands():
            found = re.fullmatch(pattern, message.strip(), re.IGNORECASE)
            if found is not None:
                return handler(found)
        return "FAIL: 0x02 -Command not recognised"

    def start_operation(self) -> None:
        """Commands are acknowledged at once; nothing waits for the pins."""

    def end_operation(self) -> None: ...

    def _commands(self) -> list[tuple[str, Callable[[re.Match[str]], str]]]:
        return [
            (r"hello\?", lambda _: "Quarch virtual module"),
            (r"\*idn\?", lambda _: "Family: Torridon\r\nName: PCIe Card Module\r\nPart#: QTL1688-02\r\nFPGA: 1.0"),
            (r"\*serial\?", lambda _: self.serial),
            (r"\*tst\?", lambda _: "OK"),
            (r"run:power\?", lambda _: "PLUGGED" if self.relay.told else "PULLED"),
            (r"run:power (up|down)", lambda found: self._run(found[1].lower() == "up")),
            (r"conf:def state", lambda _: self._defaults()),
            (r"source:([1-6]):delay (\d+)", lambda found: self._delay(int(found[1]), int(found[2]))),
            (r"source:([1-6]):delay\?", lambda found: f"{self._delays_ms[int(found[1])]}mS"),
            (r"signal:all:source ([1-7])", lambda found: self._drive(int(found[1]))),
        ]

    def _run(self, on: bool) -> str:
        self.relay.set(on, _AT_ONCE_S if self._source == _IMMEDIATE else self._delays_ms[self._source] / 1000)
        return "OK"

    def _defaults(self) -> str:
        self.restart()
        return "OK"

    def _delay(self, source: int, milliseconds: int) -> str:
        if milliseconds > _MOST_DELAY_MS:
            return "FAIL: 0x10 -Parameter out of range"
        self._delays_ms[source] = milliseconds
        return "OK"

    def _drive(self, source: int) -> str:
        self._source = source
        return "OK"


class QuarchServer(InstrumentServer[Torridon]):
    """Frames of two length bytes, low byte first, and text that ends in CR LF; answers end in CR LF and a prompt."""

    @property
    def resource(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            command = await reader.readexactly(size)
            await self.habits.thawed.wait()
            text = f"{await self.device.execute(command.decode('ascii', errors='replace'))}\r\n>".encode()
            await self._answer(writer, _LENGTH.pack(len(text)) + text)
