"""Quarch Torridon modules and controllers on TCP port 9760: frames of text, acknowledged one by one.

A frame is its length in two bytes, low byte first, then text; commands end in CR LF, answers in CR LF ``>``. There is
no error queue: a command is answered ``OK``, or with a text that begins with FAIL. Framing and commands follow the
vendor's samples and library; they were run against the virtual module, not against hardware. Unconfirmed: that a module
bounces on a pull as it does on a plug, that ``signal:all`` takes ``glitch:enable``, and the longest bounce it takes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from hil.clock import now_s
from hil.errors import UsageError
from hil.instruments.manners import Ask, Manners
from hil.instruments.profile import AT_ONCE, HAND, Profile
from hil.instruments.roles import Identity
from hil.instruments.scpi import Scpi, ScpiContact, ScpiSwitch
from hil.instruments.session import Session, Sessions
from hil.instruments.wire import Health, Wire, host_and_port
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.wait import pause

PORT = 9760
SOURCES = 6
"""Timed ones; 0 is never, 7 at once, 8 always."""
_GLITCH_UNITS = ("50ns", "500ns", "5us", "50us", "500us", "5ms", "50ms", "500ms")
_MOST_GLITCH_UNITS = 200
_LENGTH = struct.Struct("<H")
_REOPEN_S = 0.15
"""A module refuses a session that is opened within 50 ms of the last one's end; the vendor's client waits this long."""
RESET_S = 6.5
"""Until a module is at its defaults again; the vendor's example waits 6 s."""
_ended_s: dict[str, float] = {}
"""When the last session with each module ended, however it did. Another process takes longer than that to start."""


class QuarchLine:
    """A line to ``host`` or ``host:port``; a module that was just left is given its time first."""

    def __init__(self, resource: str, timeout_s: float, _manners: Manners) -> None:
        """Raises UsageError for another resource."""
        self._resource, self._timeout_s = resource, timeout_s
        host, port = host_and_port(resource, PORT)
        free_s = _ended_s.get(resource, 0.0) + _REOPEN_S
        if (remaining_s := free_s - now_s()) > 0:
            pause(remaining_s, why="a Quarch module frees its session")
        self._wire = Wire(host, port, timeout_s)

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
        _ended_s[self._resource] = now_s()

    close = abandon
    """There is no word of parting."""


def quarch_identity(ask: Ask) -> Identity:
    """From ``*idn?``, lines of ``Name: value``, and ``*serial?``. Raises ValueError when there is no part number."""
    reply = ask("*idn?")
    found = dict(re.findall(r"^\s*([^:\r\n]+?)\s*:\s*(.*?)\s*$", reply, re.MULTILINE))
    if "Part#" not in found:
        raise ValueError(reply)
    serial = "QTL" + ask("*serial?").strip().removeprefix("QTL")  # modules differ in whether they write it
    return Identity("Quarch", f"{found['Part#']} {found.get('Name', '')}".strip(), serial, found.get("FPGA", ""))


class QuarchContact(ScpiContact):
    """A breaker module. Its pins hang on timed sources by their length; a profile is how those six are set.

    What it is set to is not known until it was told: a run that died, or a person, may have left it bouncing, and with
    its connection it may have lost its power. A module whose pins were moved to the immediate source (``timed`` False)
    cannot be told a profile.
    """

    def __init__(self, session: Session, table: ScpiSwitch, channel: str, suffix: str, *, timed: bool) -> None:
        super().__init__(session, table, channel)
        self._suffix, self._timed = suffix.format(channel=channel), timed
        self._shaped: tuple[Profile, int] | None = None
        """What it was told in full, and on which of the session's connections."""

    def shape(self, profile: Profile | None) -> None:
        if not self._timed:
            if profile in (None, AT_ONCE):
                return
            raise UsageError(
                f"a pull {profile.name}", seen="all pins of this module are on its immediate source",
                where=self._session.where, next_step="name it as family quarch in the testbed",
            )  # fmt: skip
        wanted = profile or HAND
        with self._session.transaction() as session:
            if self._shaped == (wanted, opens := session.opens):
                return
            self._shaped = None  # unknown, should it break off in the middle
            for command in source_settings(wanted):
                session.command(command + self._suffix)
            self._shaped = wanted, opens

    def glitch(self, seconds: float) -> None:
        for command in glitch_settings(seconds):
            self._session.command(command + self._suffix)
        self._session.command("run:glitch once" + self._suffix)


def source_settings(profile: Profile) -> list[str]:
    """As the vendor's library sets up a hot-plug (setupSimpleHotplug, setupSourceBounce)."""
    settings = []
    for source in range(1, SOURCES + 1):
        settings.append(f"source:{source}:delay {round((source - 1) * profile.stagger_s * 1000)}")
        if profile.bounce_s:
            settings.append(f"source:{source}:bounce:length {_time(profile.bounce_s)}")
            settings.append(f"source:{source}:bounce:period {_time(profile.period_s)}")
            settings.append(f"source:{source}:bounce:duty {round(profile.duty * 100)}")
        else:
            settings.append(f"source:{source}:bounce:clear")
    return settings


def glitch_settings(seconds: float) -> list[str]:
    """A glitch lasts a number of units of 50 ns to 500 ms. Raises UsageError outside of what they give."""
    for exponent, unit in enumerate(_GLITCH_UNITS):
        count = round(seconds / (50e-9 * 10**exponent))
        if 1 <= count <= _MOST_GLITCH_UNITS:
            return ["signal:all:glitch:enable on", f"glitch:setup {unit} {count}"]
    raise UsageError(f"a glitch of {seconds:g} s", seen="modules make 50 ns to 100 s")


def _time(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{round(milliseconds)}mS" if milliseconds >= 1 and milliseconds % 1 == 0 else f"{round(seconds * 1e6)}uS"


@dataclass(frozen=True)
class Torridon(Scpi):
    """The dialect of a breaker module; ``suffix`` addresses a module behind an array controller."""

    suffix: str = ""
    timed: bool = True

    def contact(
        self, name: str, spec: Instrument, journal: Journal, sessions: Sessions | None = None
    ) -> QuarchContact:
        assert self.switch is not None
        session = self._session(name, spec, journal, sessions)
        return QuarchContact(session, self.switch, spec.channel, self.suffix, timed=self.timed)


def torridon(*prepare: str, prepared_s: float = 0.0, suffix: str = "", timed: bool = True) -> Torridon:
    return Torridon(
        Manners(
            models="Quarch", open=QuarchLine, identify=quarch_identity, acknowledged="OK", error_query=None,
            status_register=False, prepare=prepare, prepared_s=prepared_s,
        ),
        switch=ScpiSwitch(
            f"run:power up{suffix}", f"run:power down{suffix}", f"run:power?{suffix}",
            on_words=("PLUGGED", "ON"), off_words=("PULLED", "OFF"),
        ),
        suffix=suffix, timed=timed,
    )  # fmt: skip
