"""Emergency off: needs no lease, asks nobody, hits the outlets first, and verifies.

The bench is tripped: whoever holds it has lost it, and no run starts until a person clears it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from hil.bench import Bench
from hil.clock import now_s
from hil.errors import HilError
from hil.instruments import Switch
from hil.instruments.off_time import OffTime, key_of
from hil.journal import Journal
from hil.testbed.lease import seize
from hil.testbed.model import Testbed
from hil.testbed.out_of_service import Reason, take_out
from hil.testbed.state import state_dir

_OFF = {"outlet": "off", "out_of_band": "off", "supply": "off", "usb_port": "off", "slot": "pull"}
"""The method that takes power away, the most power first."""
_TRIP_S = 0.5
"""Power comes first: a state folder that hangs is not waited for any longer."""
_DEAD_BELOW_W, _DEAD_WITHIN_S = 1.0, 5.0
"""A power supply holds up for tens of milliseconds, its standby rail for seconds."""


@dataclass(frozen=True)
class Cut:
    """What became of one instrument; ``problem`` is empty for one that was proven to be off."""

    name: str
    after_s: float
    problem: str = ""


def emergency_off(testbed: Testbed, journal: Journal) -> list[Cut]:
    """Take power from everything that takes it from an instrument. All of it is tried, nothing is raised for it."""
    started_s = now_s()
    # nothing waits, nothing asks for the state folder, which may be full or gone
    in_haste = {"settle_s": 0.0, "min_off_s": 0.0}
    instruments = {name: one.model_copy(update=in_haste) for name, one in testbed.instruments.items()}
    units = _units(testbed)
    with (
        Bench(testbed.model_copy(update={"instruments": instruments}), journal, witnessed=False) as bench,
        ThreadPoolExecutor(len(units) + 1) as pool,
    ):
        tripping = pool.submit(_trip, testbed)
        wait([tripping], _TRIP_S)
        cuts = [cut for done in pool.map(lambda names: _cut(bench, names, started_s), units) for cut in done]
        tripped = Cut("the note that it is tripped", now_s() - started_s, tripping.result())
        _note_off_times(testbed)
        # who held the bench may have switched on at the very moment, but can do so no more
        verified, word = [_verified(bench, cut) for cut in cuts], _witness(bench, started_s)
        if word and not word[0].problem:
            verified = [_excused(bench, cut) for cut in verified]
        return [tripped, *verified, *word]


def _units(testbed: Testbed) -> list[list[str]]:
    """Names by the unit that they are channels of: many a unit serves one client at a time."""
    named = sorted((list(_OFF).index(one.role), name) for name, one in testbed.instruments.items() if one.role in _OFF)
    units: dict[str, list[str]] = {}
    for _, name in named:
        units.setdefault(testbed.instruments[name].resource, []).append(name)
    return list(units.values())


def _trip(testbed: Testbed) -> str:
    """Both are tried: a run that still holds the bench could switch on again. What failed, in words."""
    failed = list[str]()
    for act in (_take_out, _seize):
        try:
            act(testbed)
        except (HilError, OSError) as error:
            failed.append(str(error))
    return "; ".join(failed)


def _take_out(testbed: Testbed) -> None:
    take_out(testbed, Reason.TRIPPED, "emergency off")


def _seize(testbed: Testbed) -> None:
    seize(testbed, run="hil bench off").give_back(left="it was switched off in an emergency")


def _note_off_times(testbed: Testbed) -> None:
    """For whoever switches on again; after the cut, so that a folder that cannot be written stops nothing."""
    for one in testbed.instruments.values():
        if one.min_off_s > 0:
            with suppress(OSError):
                OffTime(key_of(one), one.min_off_s, state_dir(testbed)).note()


def _cut(bench: Bench, names: Sequence[str], started_s: float) -> list[Cut]:
    return [Cut(name, problem=_problem(bench, name), after_s=now_s() - started_s) for name in names]


def _problem(bench: Bench, name: str) -> str:
    try:
        getattr(bench.instrument(name), _OFF[bench.testbed.instruments[name].role])()
    except (HilError, OSError) as error:
        return str(error)
    return ""


def _verified(bench: Bench, cut: Cut) -> Cut:
    if cut.problem:
        return cut
    try:
        seen = bench.instrument(cut.name).state()
    except (HilError, OSError) as error:
        return Cut(cut.name, cut.after_s, str(error))
    return cut if seen is Switch.OFF else Cut(cut.name, cut.after_s, f"it was switched off, and now reads {seen.value}")


def _excused(bench: Bench, cut: Cut) -> Cut:
    """A controller inside the machine dies with its mains, and cannot say any more that it is off."""
    inside = cut.name in bench.testbed.instruments and bench.testbed.instruments[cut.name].role == "out_of_band"
    return Cut(cut.name, cut.after_s) if inside else cut


def _witness(bench: Bench, started_s: float) -> list[Cut]:
    """What the meter says, where there is one that sees the outlet's effect."""
    if not (bench.has("meter") and bench.has("outlet")):
        return []
    try:
        bench.meter.wait_below(_DEAD_BELOW_W, _DEAD_WITHIN_S)
    except (HilError, OSError) as error:
        return [Cut("the meter's word", now_s() - started_s, str(error))]
    return [Cut("the meter's word", now_s() - started_s)]
