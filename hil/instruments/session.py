"""The guarded session: one instrument, one conversation at a time, nothing left to chance.

What pyvisa-py gets wrong on TCP is mended below (:mod:`hil.instruments.visa`); here stand the rules of use: the right
instrument is proven at every open, each exchange ends at its deadline, an error ends the connection (so that a late
answer dies with it) and the next use opens a fresh one, the error queue is read after each set, and every message is on
the journal.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hil.clock import now_s
from hil.errors import BenchError, HilError
from hil.instruments.manners import Line, Manners
from hil.instruments.roles import Identity
from hil.instruments.wire import Health
from hil.journal import Journal
from hil.wait import pause

_MOST_ERRORS = 32
_MOST_SHOWN = 500
_LOOK = "see that it is on, reachable, and not held by another client"
_POWER_ON = 0x80  # bit 7 of the standard event status register, IEEE 488.2 section 11.5.1


class InstrumentLost(BenchError):
    """The connection failed or stayed silent: whether the last message took effect is not known."""


class InstrumentRefused(BenchError):
    """The instrument answered that it did not do what it was told."""


class WrongInstrument(BenchError):
    """Another instrument than the testbed names answers at this address."""


def _number(reply: str) -> int | None:
    """The leading integer, which is all that error entries of different makers have in common."""
    found = re.match(r"\s*([+-]?\d+)", reply)
    return int(found[1]) if found else None


def _short(text: str) -> str:
    """As much of a message or answer as a person reads."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}... ({len(text)} characters)"


class Session:
    """A conversation with the instrument at ``resource``, a VISA name or whatever its manners open.

    It is opened by the first use, and safe with threads and fork.
    Raises UsageError for a resource name that VISA cannot read, WrongInstrument, InstrumentLost and InstrumentRefused.
    """

    def __init__(
        self, name: str, resource: str, journal: Journal,
        *, timeout_s: float = 2.0, serial: str | None = None, manners: Manners | None = None,
    ) -> None:  # fmt: skip
        self.name, self.resource = name, resource
        self.timeout_s = timeout_s
        self.opens = 0
        """How often the connection was opened; it grows when one was lost in between."""
        self._journal, self._serial, self._manners = journal, serial, manners or Manners()
        self._lock, self._pid = threading.RLock(), os.getpid()
        self._line: Line | None = None
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Who answers; opens the connection if it is not open."""
        with self.transaction():
            assert self._identity is not None
            return self._identity

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Keep other threads out over several messages that belong together; open if needed."""
        with self._own_lock():
            self._ensure_open()
            yield self

    def query(self, message: str, *, timeout_s: float | None = None) -> str:
        """The answer without its terminator. A message must hold at least one query."""
        with self._own_lock():
            self._ensure_open()
            return self._exchange(message, timeout_s)

    def command(self, message: str, *, timeout_s: float | None = None) -> None:
        """Send a set and read what the instrument says of it: its acknowledgement, or the entries of its error queue.

        Raises InstrumentRefused with the instrument's own words.
        """
        with self.transaction():
            expected = self._manners.acknowledged
            reply = self._exchange(message, timeout_s, answered=bool(expected))
            errors = [] if reply.startswith(expected) else [reply]
            errors += self.errors()
            if errors:
                raise InstrumentRefused(
                    f"{self.name} to obey {_short(message)!r}", seen="; ".join(errors), where=self.where,
                    next_step="compare the command and the channel with the instrument's manual",
                )  # fmt: skip

    def errors(self) -> list[str]:
        """Empty the error queue and return its entries, oldest first."""
        found: list[str] = []
        with self.transaction():
            while self._manners.error_query and len(found) < _MOST_ERRORS:
                entry = self._exchange(self._manners.error_query, None)
                if _number(entry) == 0:
                    break
                found.append(entry)
        return found

    @property
    def where(self) -> str:
        return f"{self._identity} at {self.resource}" if self._identity else self.resource

    def close(self) -> None:
        """End the conversation politely; a later use opens it again."""
        with self._own_lock():
            line, self._line = self._line, None
            if line is not None:
                line.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # opening

    def _own_lock(self) -> threading.RLock:
        """In a forked child the connection and the lock are the parent's."""
        if self._pid != os.getpid():
            self._lock, self._pid = threading.RLock(), os.getpid()
            self._discard()
        return self._lock

    def _ensure_open(self) -> None:
        if self._line is None or self._stale(self._line):
            self._open()

    def _open(self) -> None:
        self._connect()
        self.opens += 1
        try:
            self._prove()
            self._settle_in()
        except BaseException:
            self._discard()
            raise

    def _settle_in(self) -> None:
        if self._manners.status_register:
            register = self._exchange("*ESR?", None)
            bits = _number(register)
            if bits is None:
                raise InstrumentRefused(f"{self.name} to answer *ESR? with a number", seen=register, where=self.where)
            if bits & _POWER_ON:
                self._note("was switched on since it was last asked: its settings are the defaults")
        for entry in self.errors():
            self._note("left in the error queue by an earlier user", entry=entry)
        for message in self._manners.prepare:
            self.command(message)
        if self._manners.prepared_s:
            pause(self._manners.prepared_s, why=f"{self.name} takes up its settings", journal=self._journal)

    def _connect(self) -> None:
        started_s = now_s()
        try:
            self._line = self._manners.open(self.resource, self.timeout_s, self._manners)
        except HilError:
            raise
        except Exception as error:  # pyvisa-py raises bare Exception, ValueError, RuntimeError, ... here
            raise InstrumentLost(
                f"to open {self.name}", seen=f"{type(error).__name__}: {error}", where=self.resource,
                tried=f"for {now_s() - started_s:.1f} s", next_step=_LOOK,
            ) from error  # fmt: skip
        self._note("open", duration_s=round(now_s() - started_s, 6))

    def _prove(self) -> None:
        """Prove that this is the instrument of the testbed, and the same as before."""
        try:
            found = self._manners.identify(lambda question: self._exchange(question, None))
        except ValueError as error:
            raise WrongInstrument(f"{self.name} to identify itself", seen=str(error), where=self.resource) from error
        wanted = [f"model matching {self._manners.models}"] if self._manners.models else []
        wanted += [f"serial {self._serial}"] if self._serial else []
        right = re.search(self._manners.models, f"{found.vendor},{found.model}", re.IGNORECASE) is not None
        right &= self._serial in (None, found.serial)
        if self._identity is not None and (found.model, found.serial) != (self._identity.model, self._identity.serial):
            wanted, right = [f"{self._identity} as before"], False
        if not right:
            raise WrongInstrument(
                f"{self.name} to be the instrument with {' and '.join(wanted)}", seen=str(found), where=self.resource,
                next_step="compare cables and addresses with the testbed file; nothing was switched",
            )  # fmt: skip
        self._identity = found

    # exchanging

    def _exchange(self, message: str, timeout_s: float | None, *, answered: bool = True) -> str:
        line, started_s, reply = self._line, now_s(), ""
        assert line is not None
        try:
            if timeout_s is not None:
                line.set_timeout(timeout_s)
            line.send(message.encode("ascii"))
            if answered:
                reply = line.receive().decode("ascii").rstrip("\r\n")
            if timeout_s is not None:
                line.set_timeout(self.timeout_s)
        except BaseException as error:
            self._discard()
            seen = f"{type(error).__name__}: {error}"
            self._note(_short(message), error=seen, duration_s=round(now_s() - started_s, 6))
            if not isinstance(error, Exception):
                raise  # an interrupt is not the instrument's, but the answer it left behind is dropped all the same
            raise InstrumentLost(
                f"{self.name} to {'answer' if answered else 'take'} {_short(message)!r}",
                seen=seen, where=self.where, tried=f"for {now_s() - started_s:.1f} s", next_step=_LOOK,
            ) from error  # fmt: skip
        self._note(_short(message), reply=_short(reply), duration_s=round(now_s() - started_s, 6))
        return reply

    def _note(self, what: str, **fields: object) -> None:
        self._journal.event("instrument", f"{self.name}: {what}", resource=self.resource, **fields)

    def _stale(self, line: Line) -> bool:
        """Whether to start afresh before anything is sent: the peer has gone, or left bytes that nobody asked for."""
        health = line.health()
        if health is Health.QUIET:
            return False
        self._note(f"connection {health.value}: opening another")
        self._discard()
        return True

    def _discard(self) -> None:
        """Drop the connection without a word, so that nothing late on it can be taken for an answer."""
        line, self._line = self._line, None
        if line is not None:
            line.abandon()


class Sessions:
    """One session for each unit, shared by its channels: many a unit takes one client only.

    Who closes a shared session closes it for all; it opens again at its next use.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[object, ...], Session] = {}
        self._lock = threading.Lock()

    def get(
        self, name: str, resource: str, journal: Journal, *, timeout_s: float, serial: str | None, manners: Manners
    ) -> Session:
        key = (resource, timeout_s, serial, manners)
        with self._lock:
            if key not in self._open:
                self._open[key] = Session(
                    name, resource, journal, timeout_s=timeout_s, serial=serial, manners=manners
                )
            return self._open[key]
