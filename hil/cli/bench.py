"""``hil bench``: who holds a bench, whether it is in service, and the ways back; and the emergency off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from hil.journal import Record
    from hil.testbed.lease import Standing
    from hil.testbed.model import Testbed

File = Annotated[Path, typer.Argument(metavar="TESTBED", help="testbed file of a bench that stands")]


def status(testbed: File) -> int:
    """Say who holds the bench and whether it is in service; exit code 0 when a run could start now."""
    from hil.testbed.lease import standing
    from hil.testbed.out_of_service import out_of_service

    described = _load(testbed, must_exist=False)
    seen, note = standing(described), out_of_service(described)
    print(f"lease    {_told(seen)}")
    if seen.owner is not None and seen.owner.left:
        print(f"         not at rest: {seen.owner.left}")
    print(f"service  {note or 'in service'}")
    return int(ExitCode.BENCH if seen.held or note else ExitCode.OK)


def release(testbed: File) -> int:
    """Put a bench back into service that was quarantined or tripped; for a person who has seen to it."""
    from hil.testbed.out_of_service import put_back

    cleared = put_back(_load(testbed, must_exist=False))
    print(f"in service again; it was {cleared}" if cleared else "it was in service")
    return int(ExitCode.OK)


def recover(testbed: File) -> int:
    """Bring the bench to rest and the machine back, by the mildest means that works; ends a quarantine."""
    from hil.bench import Bench
    from hil.journal import Journal
    from hil.run.interrupts import Interrupts
    from hil.run.recover import recover_or_quarantine
    from hil.run.watchdog import Watchdog
    from hil.testbed.lease import lease
    from hil.testbed.out_of_service import Reason, put_back
    from hil.testbed.state import machine_folder

    described, journal = _load(testbed), Journal()
    journal.listen(_show)
    with (
        Interrupts().installed(),
        lease(described, run="hil bench recover", despite=Reason.QUARANTINED) as held,
        Watchdog(held, described, machine_folder(described)) as watchdog,
        Bench(described, journal, held.check) as bench,
    ):
        recover_or_quarantine(bench, blind=True)
        held.rested()
        put_back(described)
        watchdog.dismiss()
    print("at rest, and in service")
    return int(ExitCode.OK)


def off(testbed: File) -> int:
    """EMERGENCY: cut the power of everything on the bench, whoever holds it; no run starts until `release`."""
    from hil.journal import Journal
    from hil.run.emergency import emergency_off

    cuts = emergency_off(_load(testbed, must_exist=False), Journal())
    for cut in cuts:
        print(f"{cut.name:<28} {'NOT OFF: ' + cut.problem if cut.problem else f'ok, after {cut.after_s:.2f} s'}")
    return int(ExitCode.BENCH if any(cut.problem for cut in cuts) else ExitCode.OK)


def _load(file: Path, *, must_exist: bool = True) -> Testbed:
    """``must_exist``: packages, keys and tools, too; an emergency asks for none of them."""
    from hil.testbed.load import load

    described = load(file, must_exist=must_exist)
    if described.virtual is not None:
        raise UsageError(
            "the testbed of a bench that stands", seen="the description of a virtual one", where=str(file),
            next_step="hil lab up --json prints the testbed of the one that it starts",
        )  # fmt: skip
    return described


def _told(seen: Standing) -> str:
    if seen.owner is None:
        return "free, its last holder unknown" if not seen.held else "held by somebody who has not signed yet"
    if seen.held:
        return f"held by {seen.owner}, last seen {seen.silent_s:.0f} s ago"
    return f"free; last {seen.owner}, " + (f"given back at {seen.owner.ended}" if seen.owner.ended else "who died")


def _show(record: Record) -> None:
    """Each step when it is over."""
    if record["kind"] == "step" and record["phase"] == "end":
        print(f"{record['duration_s']:7.1f} s  {record['what']}{': ' + record['error'] if 'error' in record else ''}")
