"""A run under Driver Verifier: which profile was asked for, and what each test was really checked by."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from hil.bench import Bench
from hil.testbed.state import machine_folder

if TYPE_CHECKING:
    from hil.provision.verification import Verification
    from hil.windows.verifier import VerifierState


class UnderVerifier:
    """``wanted`` is the profile of the command line, empty for none. Suites may use :attr:`verification` anyway."""

    def __init__(self, bench: Bench, wanted: str) -> None:
        self._bench, self.wanted = bench, wanted
        self._before: VerifierState | None = None
        self.told = ""
        """The profile and what was read back of it, when it was last looked at."""
        self.faults_injected = 0
        """Of all tests that were proven to run under the profile."""

    @cached_property
    def verification(self) -> Verification:
        """Of the driver under test. Raises as the bench's machine and adapter do."""
        from hil.provision.verification import Verification

        bench = self._bench
        return Verification(bench.machine, bench.testbed, machine_folder(bench.testbed), driver_file(bench))

    def ensure(self) -> bool:
        """Before a test: the wanted profile is active, by one restart where it is not; whether it had to be started.

        A crash or a power cut ends it, which keeps a driver from a loop of crashing boots, and so do tests of their own
        profiles. Raises as :meth:`Verification.start` does.
        """
        if not self.wanted:
            return False
        verification = self.verification
        profile, state = verification.profile, verification.state()
        active = profile is not None and profile.name == self.wanted and not state.missing(profile, verification.driver)
        self._before = state if active else verification.start(self.wanted)
        self.told = f"{self.wanted}: {self._before}"
        return not active

    def proof(self) -> str:
        """After a test: by what it was checked from its beginning to its end; empty when that cannot be said."""
        before, self._before = self._before, None
        if not self.wanted or before is None:
            return ""
        verification = self.verification
        profile, state = verification.profile, verification.state()
        if profile is None or profile.name != self.wanted or state.missing(profile, verification.driver):
            return ""
        injected = _since(before, state)
        self.faults_injected += injected or 0
        told = f"{profile.name}: {state}"
        return f"{told}, {injected} faults injected" if profile.injects and injected else told

    def summary(self) -> str:
        """For the report's facts, at the end of the run."""
        from hil.windows.verifier import PROFILES

        if not self.told or not PROFILES[self.wanted].injects:
            return ""
        return f"{self.faults_injected} faults injected" if self.faults_injected else "none injected: not tested"

    def end(self) -> None:
        """Take off what this run put on. Raises BenchError when it stays."""
        if "verification" in self.__dict__:
            self.verification.stop()


def driver_file(bench: Bench) -> str:
    """File name of the driver under test: of its package, or else of what is bound."""
    from hil.package import Package

    if bench.testbed.packages is not None:
        return Package.load(bench.testbed.packages.current).for_device(bench.hardware_ids).driver.lower()
    return str(bench.adapter.driver().image_path).rpartition("\\")[2].lower()


def _since(before: VerifierState, after: VerifierState) -> int | None:
    """Faults injected between two readings; all that this boot counted, when there was a boot in between."""
    if before.faults_injected is None or after.faults_injected is None:
        return after.faults_injected
    grown = after.faults_injected - before.faults_injected
    return grown if grown >= 0 else after.faults_injected
