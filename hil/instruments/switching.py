"""How anything is switched: read, set, settle, read back, wait for the effect; each step timed on the journal.

A family gives a :class:`Contact`; the roles that the bench knows are thin names over :class:`Switching`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from hil.clock import Deadline
from hil.errors import BenchError
from hil.instruments.off_time import OffTime
from hil.instruments.roles import Effect, Identity, Observe, Switch, Witness, unobserved
from hil.instruments.session import InstrumentLost
from hil.journal import Journal
from hil.wait import pause, wait_until

_TRIES = 3


Permit = Callable[[], None]
"""Asked right before anything is moved; raises when whoever asks may not do so any more."""


def granted() -> None:
    """To whoever has nobody beside him."""


class EffectMissing(BenchError):
    """The instrument answered that it did, and the effect did not come."""


class Contact(Protocol):
    """One switchable thing as its family reaches it. ``read`` may answer UNKNOWN; ``set`` returns when accepted."""

    @property
    def identity(self) -> Identity: ...

    def read(self) -> Switch: ...

    def set(self, on: bool) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Timing:
    """What the switched thing needs, in seconds.

    After the relay moved, until it must read back, without power, and until a witness must have seen the effect.
    """

    settle_s: float = 0.0
    confirm_s: float = 5.0
    min_off_s: float = 0.0
    witness_s: float = 10.0


class Switching:
    """One contact, switched with proof. Safe to call again: a set to where the contact stands moves nothing."""

    _contact: Contact

    def __init__(
        self, name: str, contact: Contact, journal: Journal, timing: Timing,
        *, key: str, state_dir: Path | None = None, permit: Permit = granted, observe: Observe = unobserved,
    ) -> None:  # fmt: skip
        self._contact, self._permit, self._observe = contact, permit, observe
        self.name, self._journal, self._timing = name, journal, timing
        self._off_time = OffTime(key, timing.min_off_s, state_dir) if timing.min_off_s > 0 else None
        self._in_doubt = False
        """A set was lost with its connection: an instrument that was frozen may still act upon it when it thaws."""
        self._caught: BenchError | None = None
        """It said that it did, and a witness saw that it did not."""

    @property
    def identity(self) -> Identity:
        return self._contact.identity

    def state(self) -> Switch:
        return self._read()

    def close(self) -> None:
        self._contact.close()

    def _switch(self, on: bool, verb: str, witness: Witness | None, *, again: bool) -> None:
        """``again``: repeat the set on a fresh connection when one was lost in the middle (idempotent sets only)."""
        wanted = Switch.ON if on else Switch.OFF
        with self._journal.span("instrument", f"{self.name}: {verb}") as outcome:
            observed = witness or self._observe(on)
            if self._caught is not None and observed is None and not on:
                raise BenchError(
                    f"a witness of {self.name} {verb}", seen=f"nobody, and it is not to be trusted: {self._caught}",
                    where=str(self.identity), next_step="mend it before going on",
                ) from self._caught  # fmt: skip
            outcome["before"] = before = self._read()
            moves = before is not wanted or self._in_doubt
            if moves:
                self._wait_off_time(on)
                self._move(on, wanted, verb, tries=_TRIES if again else 1)
            # what stood on before may hang on a machine that is off, or on a meter that is not asked to judge it
            if observed is not None and (moves or not on or witness is not None):
                self._wait_for_effect(observed, verb)

    def _move(self, on: bool, wanted: Switch, verb: str, *, tries: int) -> None:
        lost: InstrumentLost | None = None
        for _ in range(tries):
            try:
                if lost is not None and self._contact.read() is wanted:
                    break
                if not on:
                    self._note_off_time()  # before, too: this process may die in between
                with self._journal.span("instrument", f"{self.name}: set {wanted.value}"):
                    self._permit()
                    self._contact.set(on)
                break
            except InstrumentLost as error:
                lost, self._in_doubt = error, True
        else:
            assert lost is not None
            raise BenchError(
                f"{self.name} to {verb}", seen=f"connection lost ({tries} tries); its position is not known",
                next_step="look at the instrument before going on", where=str(lost.where),
            ) from lost  # fmt: skip
        if not on:
            self._note_off_time()
        if self._timing.settle_s:
            pause(self._timing.settle_s, why=f"{self.name} settles", journal=self._journal)
        self._read_back(wanted, verb)
        if self._in_doubt:
            pause(max(self._timing.settle_s, 0.1), why=f"{self.name} lost its connection: reading twice")
            self._read_back(wanted, verb)
            self._in_doubt = False

    def _read(self) -> Switch:
        """A read may always be repeated: the connection that fails is often one that idled too long."""
        try:
            return self._contact.read()
        except InstrumentLost:
            return self._contact.read()

    def _read_back(self, wanted: Switch, verb: str) -> None:
        deadline = Deadline(self._timing.confirm_s)
        with self._journal.span("instrument", f"{self.name}: read back") as outcome:
            while (seen := self._read()) is not wanted:
                if deadline.expired:
                    raise BenchError(
                        f"{self.name} to {verb}", seen=f"it reads back {seen.value}", where=str(self.identity),
                        tried=f"for {self._timing.confirm_s:g} s", next_step="look at the instrument before going on",
                    )  # fmt: skip
                pause(0.01, why="position reads back late")
            outcome["position"] = seen

    def _wait_for_effect(self, witness: Witness, verb: str) -> None:
        effect = witness.what if isinstance(witness, Effect) else "the effect"
        try:
            wait_until(
                witness, what=f"{effect} after {self.name} {verb}", timeout_s=self._timing.witness_s,
                interval_s=0.02, journal=self._journal, where=str(self.identity), error=EffectMissing,
                next_step=f"{self.name} says it did: check the wiring and the contact, which may be welded or dead",
            )  # fmt: skip
        except EffectMissing as error:
            self._caught = error
            raise

    def _note_off_time(self) -> None:
        """Power is cut whether or not it can be noted."""
        if self._off_time is None:
            return
        try:
            self._off_time.note()
        except OSError as error:
            self._journal.event("error", f"{self.name}: when it was switched off is not noted: {error}")

    def _wait_off_time(self, on: bool) -> None:
        if on and self._off_time is not None and (remaining_s := self._off_time.remaining_s()) > 0:
            pause(remaining_s, why=f"{self.name}: minimum off time", journal=self._journal)


class SwitchedOutlet(Switching):
    """Also a supply's output, a port of a hub or a management controller: whatever is on or off."""

    def on(self, witness: Witness | None = None) -> None:
        self._switch(True, "on", witness, again=True)

    def off(self, witness: Witness | None = None) -> None:
        self._switch(False, "off", witness, again=True)

    def cycle(self, off_s: float = 5.0) -> None:
        self.off()
        pause(off_s, why=f"{self.name}: time without power", journal=self._journal)
        self.on()


class SettableContact(Contact, Protocol):
    """A contact with set points."""

    def tell(self, point: Literal["volts", "amps"], value: float) -> None: ...

    def measure(self, what: Literal["read_volts", "read_amps"]) -> float: ...


class SwitchedSupply(SwitchedOutlet):
    """A DC output. Set points are accepted by the error queue; what really comes out is for the readings to say."""

    _contact: SettableContact

    def set_volts(self, volts: float) -> None:
        self._permit()
        self._contact.tell("volts", volts)

    def set_limit_amps(self, amps: float) -> None:
        self._permit()
        self._contact.tell("amps", amps)

    def read_volts(self) -> float:
        return self._contact.measure("read_volts")

    def read_amps(self) -> float:
        return self._contact.measure("read_amps")


class SwitchedCable(Switching):
    def disconnect(self, witness: Witness | None = None) -> None:
        self._switch(False, "disconnect", witness, again=True)

    def connect(self, witness: Witness | None = None) -> None:
        self._switch(True, "connect", witness, again=True)


class RelayButton(Switching):
    """The front panel's power button, bridged by a relay."""

    def press(self, seconds: float = 0.3) -> None:
        """A press is never repeated, its release always is: a button that stays down is a forced power-off."""
        if self.state() is Switch.ON:
            raise BenchError(f"{self.name} released before it is pressed", seen="held down", where=str(self.identity))
        with self._journal.span("instrument", f"{self.name}: press", seconds=seconds):
            try:
                self._switch(True, "press", None, again=False)
                pause(seconds, why=f"{self.name} held")
            finally:
                self.release()

    def release(self) -> None:
        self._switch(False, "release", None, again=True)

    off = release
    """The rest position of a button."""


class Feeds:
    """All feeds of one machine as one outlet: off when all are off, on when all are on, unknown in between.

    The effect of a set is there when the last feed has moved.
    """

    def __init__(self, name: str, feeds: Sequence[SwitchedOutlet], observe: Observe = unobserved) -> None:
        self.name, self._feeds, self._observe = name, tuple(feeds), observe

    @property
    def identity(self) -> Identity:
        return self._feeds[0].identity

    def state(self) -> Switch:
        found = {feed.state() for feed in self._feeds}
        return found.pop() if len(found) == 1 else Switch.UNKNOWN

    def on(self, witness: Witness | None = None) -> None:
        if self.state() is not Switch.ON:
            witness = witness or self._observe(True)
        for feed in self._feeds[:-1]:
            feed.on()
        self._feeds[-1].on(witness)

    def off(self, witness: Witness | None = None) -> None:
        witness = witness or self._observe(False)
        for feed in self._feeds[:-1]:
            feed.off()
        self._feeds[-1].off(witness)

    def cycle(self, off_s: float = 5.0) -> None:
        self.off()
        pause(off_s, why=f"{self.name}: time without power")
        self.on()

    def close(self) -> None:
        for feed in self._feeds:
            feed.close()
