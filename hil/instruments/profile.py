"""How the contacts of a slot part and meet: all at once, pin after pin as in a hand, or bouncing."""

from __future__ import annotations

from dataclasses import dataclass

from hil.errors import UsageError

MOST_CONTACTS = 20
"""In one bounce: relays have a life of some hundred thousand movements, and a slot of some thousand."""


@dataclass(frozen=True)
class Profile:
    """``stagger_s`` lies between one length of pins and the next.

    For ``bounce_s`` the contacts open and close every ``period_s``, and are closed for the share ``duty`` of it; then
    they stay where they were told to go. Raises UsageError for a bounce that nobody could make.
    """

    name: str
    stagger_s: float = 0.0
    bounce_s: float = 0.0
    period_s: float = 0.0
    duty: float = 0.5

    def __post_init__(self) -> None:
        possible = 0 < self.period_s <= self.bounce_s <= MOST_CONTACTS * self.period_s and 0 < self.duty < 1
        if self.bounce_s and not possible:
            raise UsageError(
                f"a profile that bounces ({self.name})", seen=repr(self),
                next_step=f"at most {MOST_CONTACTS} periods in the bounce, a duty between 0 and 1",
            )  # fmt: skip

    @property
    def contacts(self) -> int:
        """How often they bounce."""
        return round(self.bounce_s / self.period_s) if self.bounce_s else 0


AT_ONCE = Profile("all pins at once")
HAND = Profile("by hand", stagger_s=0.025)
"""25 ms is what the vendor of the Quarch modules takes for the step from one pin length to the next."""
BOUNCE = Profile("bouncing", bounce_s=0.1, period_s=0.02)
