"""What every SCPI instrument has: registers, error queue, common commands, one message at a time (IEEE 488.2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil.virtual.instruments.grammar import Header, ScpiError, Unit, number, units

_POWER_ON, _OPERATION_COMPLETE = 0x80, 0x01
_MESSAGE_AVAILABLE, _EVENT_SUMMARY, _MASTER_SUMMARY, _ERROR_AVAILABLE = 0x10, 0x20, 0x40, 0x04
_ERROR_CLASS = {1: 0x20, 2: 0x10, 3: 0x08, 4: 0x04}
"""Hundreds of the error number (-1xx command, -2xx execution, -3xx device, -4xx query) to bit of the event register."""


@dataclass(frozen=True)
class Call:
    """One command on its way to its handler."""

    arguments: tuple[str, ...]
    suffixes: tuple[int, ...] = ()

    def take(self, count: int) -> tuple[str, ...]:
        """Exactly ``count`` arguments."""
        if len(self.arguments) < count:
            raise ScpiError(-109)
        if len(self.arguments) > count:
            raise ScpiError(-108)
        return self.arguments

    def only(self) -> str:
        """The one argument."""
        return self.take(1)[0]


Handler = Callable[[Call], str | None]


def answer(value: Callable[[], str | None]) -> Handler:
    """A handler for a command that takes no arguments."""

    def handler(call: Call) -> str | None:
        call.take(0)
        return value()

    return handler


class ScpiDevice:
    """The core. A model adds ``commands`` (as manuals write them, queries with ``?``) and what ``*RST`` does.

    ``identity`` is vendor, model, serial, firmware. ``busy`` counts operations that ``*OPC?`` waits for.
    """

    error_query = "SYSTem:ERRor[:NEXT]?"
    queue_depth = 20

    def __init__(self, vendor: str, model: str, serial: str, firmware: str = "1.0") -> None:
        self.vendor, self.model, self.serial, self.firmware = vendor, model, serial, firmware
        self._errors: deque[ScpiError] = deque()
        self._event_register, self._event_enable, self._service_enable = _POWER_ON, 0, 0
        self._busy, self._idle = 0, asyncio.Event()
        self._idle.set()
        self._turn = asyncio.Lock()
        self._complete_wanted = False
        common: dict[str, Handler] = {
            "*IDN?": answer(lambda: ",".join((self.vendor, self.model, self.serial, self.firmware))),
            "*RST": answer(self.reset), "*CLS": answer(self._clear), "*TST?": answer(lambda: "0"),
            "*ESR?": answer(self._events), "*STB?": answer(lambda: str(self.status_byte())),
            "*ESE": self._set_event_enable, "*ESE?": answer(lambda: str(self._event_enable)),
            "*SRE": self._set_service_enable, "*SRE?": answer(lambda: str(self._service_enable)),
            "*OPC": answer(self._want_complete), "*OPC?": answer(lambda: "1"), "*WAI": answer(lambda: None),
            self.error_query: answer(self.next_error),
        }  # fmt: skip
        self._commands = [
            (Header(written.removesuffix("?")), written.endswith("?"), handler)
            for written, handler in {**common, **self.commands()}.items()
        ]

    def commands(self) -> Mapping[str, Handler]:
        """What this model adds to the common commands."""
        return {}

    def reset(self) -> None:
        """``*RST``: the device-dependent part."""

    async def execute(self, message: str) -> str | None:
        """Run one program message; the response message, or None when there was no query."""
        async with self._turn:
            replies: list[str] = []
            try:
                for unit in units(message):
                    reply = await self._run(unit)
                    replies += [reply] if reply is not None else []
            except ScpiError as error:  # the parser has lost its place: the rest of the message is gone
                self.report(error)
            return ";".join(replies) if replies else None

    async def _run(self, unit: Unit) -> str | None:
        for header, query, handler in self._commands:
            suffixes = header.match(unit.words) if query is unit.query else None
            if suffixes is None:
                continue
            if unit.words[0] in ("*OPC", "*WAI") and (query or unit.words[0] == "*WAI"):
                await self._idle.wait()
            try:
                return handler(Call(unit.arguments, suffixes))
            except ScpiError as error:
                if error.number > -200:
                    raise
                self.report(error)
                return None
        raise ScpiError(-113)

    # for the models

    def start_operation(self) -> None:
        self._busy += 1
        self._idle.clear()

    def end_operation(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()
            if self._complete_wanted:
                self._event_register |= _OPERATION_COMPLETE
                self._complete_wanted = False

    def report(self, error: ScpiError) -> None:
        """Into the queue; when it is full its last entry becomes -350 and newer ones are lost (SCPI-99 21.8.1)."""
        self._event_register |= _ERROR_CLASS.get(-error.number // 100, 0x08)
        if len(self._errors) < self.queue_depth:
            self._errors.append(error)
        else:
            self._errors[-1] = ScpiError(-350)

    def next_error(self) -> str:
        return str(self._errors.popleft()) if self._errors else '0,"No error"'

    def status_byte(self, *, message_available: bool = False) -> int:
        byte = _ERROR_AVAILABLE if self._errors else 0
        byte |= _MESSAGE_AVAILABLE if message_available else 0
        byte |= _EVENT_SUMMARY if self._event_register & self._event_enable else 0
        return byte | (_MASTER_SUMMARY if byte & self._service_enable else 0)

    def restart(self) -> None:
        """The instrument itself lost power: everything as at the factory, and the power-on bit to tell it."""
        self._errors.clear()
        self._event_register, self._event_enable, self._service_enable = _POWER_ON, 0, 0
        self.reset()

    # common commands

    def _clear(self) -> None:
        self._errors.clear()
        self._event_register = 0

    def _events(self) -> str:
        register, self._event_register = self._event_register, 0
        return str(register)

    def _want_complete(self) -> None:
        self._complete_wanted = bool(self._busy)
        self._event_register |= 0 if self._busy else _OPERATION_COMPLETE

    def _set_event_enable(self, call: Call) -> None:
        self._event_enable = _register(call.only())

    def _set_service_enable(self, call: Call) -> None:
        self._service_enable = _register(call.only()) & ~_MASTER_SUMMARY


def _register(text: str) -> int:
    value = round(number(text))
    if not 0 <= value <= 255:
        raise ScpiError(-222)
    return value
