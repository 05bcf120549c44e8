"""Making a Windows PC ready for tests, and putting it back: ``hil provision``, ``hil provision --undo``.

Idempotent: what stands as wanted is left alone. Each change is recorded with its previous state before it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hil.clock import utc_now
from hil.errors import BenchError, UsageError
from hil.provision.record import Change, ProvisionRecord
from hil.provision.step import Place, Step
from hil.provision.steps import step_named, steps
from hil.remote import Command
from hil.testbed.model import Testbed
from hil.windows import Adapter, Machine, tools, trust

__all__ = ["Provisioned", "provision", "unfit", "unprovision"]


@dataclass(frozen=True)
class Provisioned:
    """What was done, by the names of the steps."""

    changed: tuple[str, ...] = ()
    rebooted: bool = False

    def __str__(self) -> str:
        if not self.changed:
            return "nothing to do"
        return ", ".join(self.changed) + (" (and a restart)" if self.rebooted else "")


def provision(machine: Machine, testbed: Testbed, folder: Path, adapter: Adapter | None = None) -> Provisioned:
    """Bring the machine to the state that tests need; one restart at the most.

    ``folder`` keeps the record on the controller. Without an adapter (or a driver on it) the test address is left out:
    call again once the driver is bound. Raises UsageError for a machine that a person must mend first, BenchError when
    a change does not take.
    """
    if problems := unfit(machine, testbed):
        raise UsageError(
            "a machine fit for tests",
            seen="; ".join(problems),
            where=machine.where,
            next_step="see docs/preparing-a-machine.md",
        )
    record = ProvisionRecord(machine, folder)
    place = Place(machine, testbed, adapter)
    applied = [step for step in steps(place) if _apply(step, record)]
    restart = any(step.restart for step in applied)
    if restart:
        machine.reboot()
    for step in applied:
        if not step.done(state := step.read()):
            raise BenchError(f"{step.name} to take effect", seen=str(state), where=machine.where)
    return Provisioned(tuple(step.name for step in applied), restart)


def unprovision(machine: Machine, testbed: Testbed, folder: Path, adapter: Adapter | None = None) -> Provisioned:
    """Take every recorded change back, newest first; works in another process than the one that made them.

    A change that cannot be taken back stays recorded; the others are taken back, then BenchError lists what is left.
    """
    record = ProvisionRecord(machine, folder)
    place = Place(machine, testbed, adapter)
    undone: list[Step] = []
    failed: list[BenchError] = []
    for change in reversed(tuple(record.changes)):
        with machine.journal.span("undo", change.step):
            step = step_named(place, change.step)
            try:
                step.undo(change.previous)
            except BenchError as error:
                failed.append(error)
                continue
            record.remove(change)
            undone.append(step)
    restart = any(step.restart for step in undone)
    if restart:
        machine.reboot()
    if failed:
        left = "; ".join(map(str, failed))
        raise BenchError("every change taken back", seen=left, where=machine.where) from failed[0]
    machine.shell.run(Command("Remove-Item", Path=tools.ROOT, Recurse=True, Force=True, ErrorAction="SilentlyContinue"))
    record.path.unlink(missing_ok=True)
    return Provisioned(tuple(step.name for step in undone), restart)


def unfit(machine: Machine, testbed: Testbed) -> list[str]:
    """What keeps this machine from being a test machine and only a person can mend; empty when it is fit."""
    system, limits = machine.os(), machine.settings
    test_signed = bool(testbed.packages and testbed.packages.certificate)
    clock_s = abs(machine.clock_offset_s) - machine.clock_uncertainty_s
    checks = {
        f"Windows build {system.build}, at least {limits.min_build} wanted": system.build < limits.min_build,
        f"{limits.ssh.user} has no elevated token: make it a member of Administrators": not system.elevated,
        f"its clock is {machine.clock_offset_s:+.1f} s off, at most {limits.max_clock_offset_s:g} s allowed: set it":
            clock_s > limits.max_clock_offset_s,
        f"{system.free_disk_gb:.1f} GB free on C:, at least {limits.min_free_disk_gb:g} GB wanted":
            system.free_disk_gb < limits.min_free_disk_gb,
        "Secure Boot is on, which refuses the test-signed package: switch it off in the firmware":
            test_signed and system.elevated and trust.secure_boot(machine),
    }  # fmt: skip
    return [problem for problem, bad in checks.items() if bad]


def _apply(step: Step, record: ProvisionRecord) -> bool:
    state = step.read()
    if step.done(state):
        return False
    journal = step.machine.journal
    with journal.span("step", f"provision {step.name}", previous=state):
        record.add(Change(step.name, state, utc_now().isoformat(timespec="seconds")))
        step.apply(state)
    return True
