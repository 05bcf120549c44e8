"""Quarch Torridon modules and controllers on TCP port 9760: frames of text, acknowledged one by one.

A frame is its length in two bytes, low byte first, then text; commands end in CR LF, answers in CR LF ``>``. There is
no error queue: a command is answered ``OK``, or with a text that begins with FAIL. Framing and commands follow the
vendor's samples and library; they were run against the virtual module, not against hardware.
"""

from __future__ import annotations

import re
import struct

from hil.instruments.manners import Ask, Manners
from hil.instruments.roles import Identity
from hil.instruments.scpi import Scpi, ScpiSwitch
from hil.instruments.wire import Health, Wire
from hil.wait import pause

PORT = 9760
_LENGTH = struct.Struct("<H")
_REOPEN_S = 0.15
"""A module refuses a session that is opened within 50 ms of the last one's end; the vendor's client waits this long."""


class QuarchLine:
    """A line to ``host`` or ``host:port``."""

    def __init__(self, resource: str, timeout_s: float, _manners: Manners) -> None:
        host, _, port = resource.partition(":")
        self._timeout_s = timeout_s
        self._wire = Wire(host, int(port or PORT), timeout_s)

    def send(self, message: bytes) -> None:
        self._wire.begin(self._timeout_s)
        frame = message + b"\r\n"
        if len(frame) > 0xFFFF:
            raise ValueError(f"a command of {len(frame)} bytes is longer than a frame")
        self._wire.sendall(_LENGTH.pack(len(frame)) + frame)

    def receive(self) -> bytes:
        """An answer may take several frames; its last one ends with the prompt."""
        answer = b""
        while not answer.endswith(b">"):
            answer += self._wire.recv_exactly(*_LENGTH.unpack(self._wire.recv_exactly(_LENGTH.size)))
            if len(answer) > 0xFFFF:
                raise ConnectionError("an answer without its prompt")
        return answer[:-1].strip()

    def health(self) -> Health:
        return self._wire.health()

    def set_timeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def abandon(self) -> None:
        self._wire.close()

    def close(self) -> None:
        self._wire.close()
        pause(_REOPEN_S, why="a Quarch module frees its session")


def quarch_identity(ask: Ask) -> Identity:
    """From ``*idn?``, lines of ``Name: value``, and ``*serial?``. Raises ValueError when there is no part number."""
    reply = ask("*idn?")
    found = dict(re.findall(r"^\s*([^:\r\n]+?)\s*:\s*(.*?)\s*$", reply, re.MULTILINE))
    if "Part#" not in found:
        raise ValueError(reply)
    serial = "QTL" + ask("*serial?").strip().removeprefix("QTL")  # modules differ in whether they write it
    return Identity("Quarch", f"{found['Part#']} {found.get('Name', '')}".strip(), serial, found.get("FPGA", ""))


def torridon(*prepare: str, suffix: str = "") -> Scpi:
    """The dialect of a breaker module; ``suffix`` addresses a module behind an array controller."""
    return Scpi(
        Manners(
            models="Quarch", open=QuarchLine, identify=quarch_identity, acknowledged="OK", error_query=None,
            status_register=False, prepare=prepare,
        ),
        switch=ScpiSwitch(
            f"run:power up{suffix}", f"run:power down{suffix}", f"run:power?{suffix}",
            on_words=("PLUGGED", "ON"), off_words=("PULLED", "OFF"),
        ),
    )  # fmt: skip
