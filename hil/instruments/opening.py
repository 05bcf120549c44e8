"""From an entry of the testbed to an instrument that was proven to be the right one."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.errors import UsageError
from hil.instruments.families import FAMILIES, Family
from hil.instruments.roles import Observe, unobserved
from hil.instruments.scpi import Scpi
from hil.instruments.switching import (
    Permit,
    RelayButton,
    SwitchedCable,
    SwitchedOutlet,
    SwitchedSlot,
    SwitchedSupply,
    Switching,
    Timing,
    granted,
)
from hil.instruments.wake_on_lan import WakeOnLan
from hil.journal import Journal
from hil.testbed.model import Instrument

_SWITCHED: dict[str, Callable[..., Switching]] = {
    "outlet": SwitchedOutlet, "slot": SwitchedSlot, "cable": SwitchedCable, "button": RelayButton,
    "supply": SwitchedSupply, "usb_port": SwitchedOutlet, "out_of_band": SwitchedOutlet,
}  # fmt: skip


def family_named(name: str) -> Family:
    """Raises UsageError with the nearest name when there is no such family."""
    found = {family.name: family for family in FAMILIES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    raise UsageError(
        f"an instrument family named {name!r}", seen=f"perhaps {near[0]!r}" if near else "none like it",
        next_step="`hil instruments` lists the families",
    )  # fmt: skip


def open_instrument(
    name: str, spec: Instrument, journal: Journal,
    *, state_dir: Path | None = None, permit: Permit = granted, observe: Observe = unobserved,
) -> Any:  # fmt: skip
    """The role object for ``spec`` (see :mod:`hil.instruments.roles`), connected and identified.

    ``permit`` is asked before anything is moved, and what it raises passes through; ``observe`` for a witness of each
    set for which the caller brings none.
    Raises UsageError when the family does not exist or cannot play the role, BenchError when another instrument answers
    at the address, or none.
    """
    family = family_named(spec.family)
    if spec.role not in family.roles:
        raise UsageError(
            f"{name} as {spec.role}", seen=f"{family.name} can be {', '.join(family.roles)}",
            next_step="`hil instruments` lists families and roles",
        )  # fmt: skip
    opened = _build(name, spec, family, journal, state_dir, permit, observe)
    try:
        with journal.span("instrument", f"{name}: identify", family=family.name, resource=spec.resource) as outcome:
            outcome["identity"] = str(opened.identity)
    except BaseException:
        opened.close()
        raise
    return opened


def _build(
    name: str, spec: Instrument, family: Family, journal: Journal, state_dir: Path | None, permit: Permit,
    observe: Observe,
) -> Any:  # fmt: skip
    if spec.role == "meter":
        assert isinstance(family.dialect, Scpi)
        return family.dialect.power_meter(name, spec, journal)
    if isinstance(family.dialect, WakeOnLan):
        return family.dialect.waker(name, spec, journal, permit)
    contact = family.dialect.contact(name, spec, journal)
    timing = Timing(settle_s=max(spec.settle_s, family.settle_s), confirm_s=family.confirm_s, min_off_s=spec.min_off_s)
    key = f"{spec.resource} {spec.channel}"
    return _SWITCHED[spec.role](
        name, contact, journal, timing, key=key, state_dir=state_dir, permit=permit, observe=observe
    )
