"""The hot-plug breaker: pulled and plugged in a profile, by a module that times its pins or by a plain relay."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hil.errors import BenchError, UsageError
from hil.instruments.profile import Profile
from hil.instruments.roles import Switch, Witness
from hil.instruments.switching import Contact, Switching
from hil.wait import pause


@runtime_checkable
class Breaker(Contact, Protocol):
    """A contact that times its pins itself."""

    def shape(self, profile: Profile | None) -> None:
        """How the pins part and meet from now on; None for how they do by default."""

    def glitch(self, seconds: float) -> None:
        """Returns when it has begun."""


class SwitchedSlot(Switching):
    """A pull is an event of its own: when the connection is lost in the middle it is not made a second time."""

    def pull(self, witness: Witness | None = None, *, profile: Profile | None = None) -> None:
        self._go(False, "pull", witness, profile)

    def plug(self, witness: Witness | None = None, *, profile: Profile | None = None) -> None:
        self._go(True, "plug", witness, profile)

    def glitch(self, seconds: float) -> None:
        if (seen := self.state()) is not Switch.ON:
            raise BenchError(f"{self.name} plugged before a glitch", seen=seen.value, where=str(self.identity))
        with self._journal.span("instrument", f"{self.name}: glitch", seconds=seconds):
            self._permit()
            if isinstance(self._contact, Breaker):
                self._contact.glitch(seconds)
                pause(seconds, why=f"{self.name}: glitch")
            else:
                self._touch(False, seconds)
                self._contact.set(True)
            self._read_back(Switch.ON, "close again after a glitch")

    def _go(self, on: bool, verb: str, witness: Witness | None, profile: Profile | None) -> None:
        witness = witness or self._observe(on)  # before a bounce: a link does not come back in between
        self._shape(on, profile)
        self._switch(on, verb, witness, again=False)

    def _shape(self, on: bool, profile: Profile | None) -> None:
        """Tell a breaker its profile, or make the bounce of a relay contact by contact, each timed on the journal."""
        if isinstance(self._contact, Breaker):
            self._contact.shape(profile)
        elif profile is not None and profile.stagger_s:
            raise UsageError(
                f"{self.name} moved {profile.name}", seen=f"{self.identity} moves all pins at once",
                next_step="a breaker that times its pins can: `hil instruments`",
            )  # fmt: skip
        elif profile is not None and self.state() is (Switch.OFF if on else Switch.ON):
            closed_s = profile.period_s * profile.duty
            spans_s = {True: closed_s, False: profile.period_s - closed_s}
            for _ in range(profile.contacts):
                self._permit()
                self._touch(on, spans_s[on])
                self._touch(not on, spans_s[not on])

    def _touch(self, on: bool, seconds: float) -> None:
        with self._journal.span("instrument", f"{self.name}: contact {'closed' if on else 'open'}", seconds=seconds):
            self._contact.set(on)
            pause(seconds, why=f"{self.name}: contact")
