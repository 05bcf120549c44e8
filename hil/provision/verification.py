"""The machine under Driver Verifier: set, restarted, read back as active, and taken off again.

It is recorded as provisioning is, before it is set, so that the next run or ``hil provision --undo`` takes off what a
killed run left.
"""

from __future__ import annotations

from pathlib import Path

from hil.clock import utc_now
from hil.errors import BenchError
from hil.provision.record import Change, ProvisionRecord
from hil.provision.step import Place, State, Step
from hil.testbed.model import Testbed
from hil.windows import IncidentKind, Machine, verifier
from hil.windows.verifier import Profile, VerifierState


class DriverVerifier(Step):
    """``argument`` is the profile and the file name of the driver: ``ndis hilnic.sys``."""

    kind = "driver-verifier"
    restart = True

    def __init__(self, place: Place, argument: str = "") -> None:
        super().__init__(place, argument)
        name, _, self.driver = argument.partition(" ")
        self.profile = verifier.profile(name)

    def read(self) -> State:
        stored = verifier.stored(self.machine)
        return {"flags": stored.flags, "drivers": list(stored.drivers)}

    def done(self, state: State) -> bool:  # noqa: ARG002 - what is stored says nothing of what is active
        return not verifier.read(self.machine).missing(self.profile, self.driver)

    def apply(self, state: State) -> None:  # noqa: ARG002 - it is the same from any state
        verifier.arm(self.machine, self.profile, self.driver)

    def undo(self, previous: State) -> None:
        verifier.restore(self.machine, previous["flags"], previous["drivers"])


class Verification:
    """Driver Verifier for one driver on one machine. ``profile`` is what was started last, None when it is off."""

    def __init__(self, machine: Machine, testbed: Testbed, folder: Path, driver: str) -> None:
        self._machine, self._place, self._folder, self.driver = machine, Place(machine, testbed), folder, driver
        self.profile: Profile | None = None

    def state(self) -> VerifierState:
        """What is active now, read from the machine."""
        return verifier.read(self._machine)

    @property
    def holds(self) -> bool:
        """Whether all that was started is active now."""
        return self.profile is not None and not self.state().missing(self.profile, self.driver)

    def start(self, name: str) -> VerifierState:
        """Put the driver under a profile: one restart, then what was read back as active.

        Raises UsageError for an unknown profile, Bugcheck when Windows crashed on its way up, BenchError when the
        profile is not active afterwards.
        """
        machine, step = self._machine, DriverVerifier(self._place, f"{name} {self.driver}")
        with machine.journal.span("step", f"Driver Verifier: {name} for {self.driver}") as outcome:
            mark = machine.crashes.mark()
            record, previous = ProvisionRecord(machine, self._folder), step.read()
            record.add(Change(step.name, previous, utc_now().isoformat(timespec="seconds")))
            step.apply(previous)
            self.profile = step.profile
            machine.reboot()
            state = self.state()
            outcome["active"] = str(state)
            if missing := state.missing(step.profile, self.driver):
                crashed = [one for one in machine.crashes.since(mark) if one.kind is IncidentKind.BUGCHECK]
                cause = crashed[0].error(machine.where) if crashed else None
                raise cause or BenchError(
                    f"Driver Verifier active as {name}", seen="; ".join(missing), where=machine.where,
                    tried="setting it, and a restart", next_step="run verifier /query on the machine",
                )  # fmt: skip
        return state

    def stop(self) -> None:
        """Take it off: one restart, then read back. Does nothing when it is neither recorded nor active.

        Raises BenchError when it stays.
        """
        self.profile = None
        end_verification(self._machine, self._place.testbed, self._folder)


def is_recorded(folder: Path) -> bool:
    """Whether this controller set Driver Verifier on the machine and has not taken it off; told without the machine."""
    record = folder / "provisioned.json"
    return record.is_file() and f'"{DriverVerifier.kind}:' in record.read_text(encoding="utf-8")


def reset_verification(machine: Machine, testbed: Testbed, folder: Path) -> None:
    """From the next boot on Windows is as a person had set it. Until then it stays as it is, and so does the record:
    the next run restarts the machine and makes sure (:func:`end_verification`)."""
    recorded = ProvisionRecord(machine, folder).changes
    ours = [change for change in recorded if change.step.partition(":")[0] == DriverVerifier.kind]
    for first in ours[:1]:
        DriverVerifier(Place(machine, testbed), first.step.partition(":")[2]).undo(first.previous)


def end_verification(machine: Machine, testbed: Testbed, folder: Path) -> bool:
    """Take off what this or a killed run left of Driver Verifier; whether there was any. Raises BenchError."""
    record = ProvisionRecord(machine, folder)
    ours = [change for change in record.changes if change.step.partition(":")[0] == DriverVerifier.kind]
    if not ours:
        return False
    with machine.journal.span("undo", "Driver Verifier off"):
        # the first one knows what a person had set; the others were set over our own
        first = ours[0]
        DriverVerifier(Place(machine, testbed), first.step.partition(":")[2]).undo(first.previous)
        machine.reboot()
        state = verifier.read(machine)
        before = {name.lower() for name in first.previous["drivers"]}
        if left := set(state.modules) - before:
            raise BenchError(
                "Driver Verifier off", seen=f"still active for {', '.join(sorted(left))}: {state}",
                where=machine.where, tried="verifier /reset, and a restart",
                next_step="run verifier /reset on the machine and restart it",
            )  # fmt: skip
        for change in ours:
            record.remove(change)
    return True

