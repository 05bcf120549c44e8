"""From an entry of the testbed to an instrument that was proven to be the right one."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.errors import UsageError
from hil.instruments.families import FAMILIES, Family
from hil.instruments.off_time import key_of
from hil.instruments.roles import Observe, unobserved
from hil.instruments.scpi import Scpi
from hil.instruments.session import Sessions
from hil.instruments.slot import SwitchedSlot
from hil.instruments.switching import (
    Contact,
    Permit,
    RelayButton,
    SwitchedCable,
    SwitchedOutlet,
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
    """One of hil's, or ``package.module:NAME`` from anywhere on the import path.

    Raises UsageError, with the nearest name, when there is no such family.
    """
    if ":" in name:
        return _loaded(name)
    found = {family.name: family for family in FAMILIES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    raise UsageError(
        f"an instrument family named {name!r}", seen=f"perhaps {near[0]!r}" if near else "none like it",
        next_step="`hil instruments` lists the families",
    )  # fmt: skip


def _loaded(path: str) -> Family:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"an instrument family at {path!r}", seen=str(error)) from error
    if not isinstance(found, Family):
        raise UsageError(f"an instrument family at {path!r}", seen=f"{type(found).__name__}, which is no Family")
    return found


def open_instrument(
    name: str, spec: Instrument, journal: Journal,
    *, state_dir: Path | None = None, permit: Permit = granted, observe: Observe = unobserved,
    sessions: Sessions | None = None,
) -> Any:  # fmt: skip
    """The role object for ``spec`` (see :mod:`hil.instruments.roles`), connected and identified.

    ``permit`` is asked before anything is moved, and what it raises passes through; ``observe`` for a witness of each
    set for which the caller brings none. With ``sessions``, the channels of one unit share a connection.
    Raises UsageError when the family does not exist or cannot play the role, BenchError when another instrument answers
    at the address, or none.
    """
    family = family_named(spec.family)
    if spec.role not in family.roles:
        raise UsageError(
            f"{name} as {spec.role}", seen=f"{family.name} can be {', '.join(family.roles)}",
            next_step="`hil instruments` lists families and roles",
        )  # fmt: skip
    dialect = family.dialect
    if isinstance(dialect, WakeOnLan):
        opened: Any = dialect.waker(name, spec, journal, permit)
    elif spec.role == "meter":
        assert isinstance(dialect, Scpi)
        opened = dialect.power_meter(name, spec, journal, sessions)
    else:
        if isinstance(dialect, Scpi):
            contact: Contact = dialect.contact(name, spec, journal, sessions)
        else:
            contact = dialect.contact(name, spec, journal)
        timing = Timing(
            settle_s=max(spec.settle_s, family.settle_s), confirm_s=family.confirm_s, min_off_s=spec.min_off_s
        )
        opened = _SWITCHED[spec.role](
            name, contact, journal, timing, key=key_of(spec), state_dir=state_dir, permit=permit,
            observe=observe,
        )  # fmt: skip
    try:
        with journal.span("instrument", f"{name}: identify", family=family.name, resource=spec.resource) as outcome:
            outcome["identity"] = str(opened.identity)
    except BaseException:
        opened.close()
        raise
    return opened
