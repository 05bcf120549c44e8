"""Families that speak SCPI, as tables: a new one needs an entry in :mod:`hil.instruments.families`, no code."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from hil.clock import Deadline, now_s
from hil.errors import BenchError, UsageError, WakeFailed
from hil.instruments.manners import Manners
from hil.instruments.roles import Identity, Power, Switch
from hil.instruments.session import InstrumentRefused, Session, Sessions
from hil.journal import Journal
from hil.testbed.model import Instrument
from hil.wait import pause

_INFINITY, _NOT_A_NUMBER = 9.9e37, 9.91e37
"""SCPI-99 volume 1, 7.2.1.4 and 7.2.1.5."""


@dataclass(frozen=True)
class ScpiSwitch:
    """Messages that switch ``{channel}``. ``settled`` is a query that is answered when the relay has moved.

    The answer to ``read`` is one boolean, or several joined by ``;``: all on is on, any off is off, else unknown.
    With ``status_bit`` it is a hexadecimal word in which that bit, counted up by the channel number, means on.
    ``channels`` are those that can be switched and read; none for whatever the instrument takes.
    """

    on: str
    off: str
    read: str
    settled: str = ""
    status_bit: int | None = None
    on_words: tuple[str, ...] = ("1", "ON")
    off_words: tuple[str, ...] = ("0", "OFF")
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScpiMeter:
    """``read`` gives watts; ``refresh_s`` is how often the instrument has a new value; ``setup`` is sent once."""

    read: str
    refresh_s: float
    setup: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScpiSupply:
    """Messages for the set points (``{value}`` in volts and amperes) and readings of ``{channel}``."""

    volts: str
    amps: str
    read_volts: str
    read_amps: str


@dataclass(frozen=True)
class Scpi:
    """How a family that speaks SCPI is spoken to; what it has no table for, it cannot do."""

    manners: Manners = field(default_factory=Manners)
    switch: ScpiSwitch | None = None
    meter: ScpiMeter | None = None
    supply: ScpiSupply | None = None

    def contact(self, name: str, spec: Instrument, journal: Journal, sessions: Sessions | None = None) -> ScpiContact:
        assert self.switch is not None
        if self.switch.channels and spec.channel not in self.switch.channels:
            raise UsageError(
                f"{name} on channel {spec.channel} of family {spec.family}",
                seen=f"it can be switched and read on {', '.join(self.switch.channels)}", where=spec.resource,
                next_step="wire it to one of these",
            )  # fmt: skip
        return ScpiContact(self._session(name, spec, journal, sessions), self.switch, spec.channel, self.supply)

    def power_meter(
        self, name: str, spec: Instrument, journal: Journal, sessions: Sessions | None = None
    ) -> ScpiPowerMeter:
        assert self.meter is not None
        setup = tuple(message.format(channel=spec.channel) for message in self.meter.setup)
        session = self._session(name, spec, journal, sessions, setup)
        return ScpiPowerMeter(name, session, self.meter, spec.channel, journal)

    def _session(
        self, name: str, spec: Instrument, journal: Journal, sessions: Sessions | None, setup: tuple[str, ...] = ()
    ) -> Session:
        """``sessions`` are those of the same bench; without them nobody else uses this one."""
        manners = replace(self.manners, prepare=self.manners.prepare + setup)
        return (sessions or Sessions()).get(
            name, spec.resource, journal, timeout_s=spec.timeout_s, serial=spec.serial, manners=manners
        )


class ScpiContact:
    """A channel of an instrument as a contact; with a supply's table, its set points too."""

    def __init__(self, session: Session, table: ScpiSwitch, channel: str, supply: ScpiSupply | None = None) -> None:
        self._session, self._table, self._channel, self._supply = session, table, channel, supply

    @property
    def identity(self) -> Identity:
        return self._session.identity

    def read(self) -> Switch:
        reply = self._session.query(self._table.read.format(channel=self._channel))
        if self._table.status_bit is not None:
            return self._from_status(reply)
        words = [word.strip().upper() for word in reply.split(";")]
        if any(word in self._table.off_words for word in words):
            return Switch.OFF
        return Switch.ON if all(word in self._table.on_words for word in words) else Switch.UNKNOWN

    def set(self, on: bool) -> None:
        message = (self._table.on if on else self._table.off).format(channel=self._channel)
        with self._session.transaction():
            self._session.command(message)
            if self._table.settled:
                self._session.query(self._table.settled)

    def close(self) -> None:
        self._session.close()

    def tell(self, point: Literal["volts", "amps"], value: float) -> None:
        message = getattr(self._supply, point).format(channel=self._channel, value=f"{value:g}")
        self._session.command(message)

    def measure(self, what: Literal["read_volts", "read_amps"]) -> float:
        reply = self._session.query(getattr(self._supply, what).format(channel=self._channel))
        try:
            return float(reply)
        except ValueError as error:
            raise InstrumentRefused(f"a number for {what}", seen=repr(reply), where=self._session.where) from error

    def _from_status(self, reply: str) -> Switch:
        if not re.fullmatch(r"0[xX][0-9A-Fa-f]+", reply.strip()):
            return Switch.UNKNOWN
        assert self._table.status_bit is not None
        bit = self._table.status_bit + int(re.sub(r"\D", "", self._channel) or 1) - 1
        return Switch.ON if int(reply, 16) >> bit & 1 else Switch.OFF


class ScpiPowerMeter:
    """Watts from a meter whose value changes only at its refresh rate."""

    def __init__(self, name: str, session: Session, table: ScpiMeter, channel: str, journal: Journal) -> None:
        self.name, self._session, self._table, self._channel = name, session, table, channel
        self._journal = journal

    @property
    def identity(self) -> Identity:
        return self._session.identity

    def close(self) -> None:
        self._session.close()

    def read_w(self) -> float:
        """The newest sample. NAN (a range being changed) is waited out; over-range raises BenchError."""
        deadline = Deadline(self._session.timeout_s + 4 * self._table.refresh_s)
        while math.isnan(watts := self._sample()):
            if deadline.expired:
                raise BenchError(
                    f"a reading of {self.name}", seen="NAN", where=self._session.where,
                    tried=f"{deadline.timeout_s:g} s", next_step="check the wiring and that the element measures",
                )  # fmt: skip
            pause(self._table.refresh_s, why=f"{self.name} has no value yet")
        if math.isinf(watts):
            raise BenchError(
                f"a reading of {self.name}", seen="over range", where=self._session.where,
                next_step="choose a higher range, or auto range",
            )  # fmt: skip
        return watts

    def measure(self, seconds: float, watch: Callable[[float], None] | None = None) -> Power:
        """``watch`` sees each reading as it comes, and may end the measurement by raising."""
        deadline, good, rejected = Deadline(seconds), list[float](), 0
        with self._journal.span("instrument", f"{self.name}: measure", seconds=seconds) as outcome:
            while not deadline.expired or not good:
                started_s = now_s()
                watts = self._sample()
                if math.isfinite(watts):
                    good.append(watts)
                    if watch is not None:
                        watch(watts)
                else:
                    rejected += 1
                    if not good and deadline.elapsed_s > seconds + 10 * self._table.refresh_s:
                        raise BenchError(f"readings of {self.name}", seen=f"{rejected} without a number",
                                         where=self._session.where)  # fmt: skip
                pause(max(0.0, self._table.refresh_s - (now_s() - started_s)), why="next refresh")
            power = Power(sum(good) / len(good), min(good), max(good), len(good), rejected)
            outcome["power"] = power
        return power

    def wait_below(self, limit_w: float, timeout_s: float) -> float:
        return self._wait(timeout_s, f"below {limit_w:g} W", least_w=-math.inf, most_w=limit_w)

    def wait_above(self, limit_w: float, timeout_s: float) -> float:
        return self._wait(timeout_s, f"above {limit_w:g} W", least_w=limit_w, most_w=math.inf)

    def stays_below(self, limit_w: float, seconds: float) -> Power:
        """Watch a sleeping machine for ``seconds``; raises WakeFailed at the first reading that reaches ``limit_w``."""
        deadline = Deadline(seconds)

        def watch(watts: float) -> None:
            if watts >= limit_w:
                raise WakeFailed(
                    f"a machine that stays below {limit_w:g} W for {seconds:g} s",
                    seen=f"{watts:.3g} W after {deadline.elapsed_s:.1f} s", where=self._session.where,
                )  # fmt: skip

        return self.measure(seconds, watch)

    def confirm_above(self, limit_w: float, seconds: float = 0.4) -> Power:
        """That it measures: a meter that is stuck, at nothing or at its last value, is a BenchError."""
        power = self.measure(max(seconds, 4 * self._table.refresh_s))
        stuck = power.samples > 2 and power.least_w == power.most_w
        if stuck or power.least_w <= limit_w:
            raise BenchError(
                f"{self.name} to follow a machine that runs, above {limit_w:g} W",
                seen=f"{power.samples} times {power.mean_w:.5g} W" if stuck else f"{power.least_w:.3g} W",
                where=self._session.where, next_step="check what it is wired to, its range and its update rate",
            )  # fmt: skip
        return power

    def _sample(self) -> float:
        reply = self._session.query(self._table.read.format(channel=self._channel)).strip()
        try:
            watts = float(reply)
        except ValueError as error:
            raise InstrumentRefused(
                f"watts from {self.name}", seen=repr(reply), where=self._session.where
            ) from error
        if math.isfinite(watts) and abs(watts) >= _INFINITY:
            return math.nan if abs(watts) >= _NOT_A_NUMBER else math.inf
        return watts

    def _wait(self, timeout_s: float, what: str, *, least_w: float, most_w: float) -> float:
        deadline = Deadline(timeout_s)
        with self._journal.span("wait", f"{self.name} {what}", timeout_s=timeout_s):
            while not least_w < (watts := self.read_w()) < most_w:
                if deadline.expired:
                    raise BenchError(
                        f"power {what} within {timeout_s:g} s", seen=f"{watts:.3g} W", where=self._session.where
                    )
                pause(min(self._table.refresh_s, 0.1), why="next refresh")
        return watts
