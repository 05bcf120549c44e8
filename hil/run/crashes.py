"""Crashes of a run: from what the guard saw to what results and report say of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from hil.bench import Bench
from hil.errors import HilError
from hil.results.crash_store import Bucket, CrashStore, Known
from hil.results.model import Crash
from hil.results.store import RunFolder
from hil.windows import CollectedDump, Incident, IncidentKind
from hil.windows.bugchecks import bugcheck_name, meaning, rule
from hil.windows.crash import OF_THE_MACHINE
from hil.windows.debugger import Analysis, analyze

_WITHOUT_CODE = {
    IncidentKind.POWER_LOSS: "went down by itself", IncidentKind.HANG: "hung",
    IncidentKind.UNEXPLAINED: "booted without a trace", IncidentKind.LIVE_DUMP: "live dump that cannot be read",
}  # fmt: skip


class CrashBook:
    """Puts each crash into its bucket, asks the debugger, and tells what earlier runs knew of it."""

    def __init__(self, bench: Bench, folder: RunFolder) -> None:
        self._bench, self._folder = bench, folder
        self._store = CrashStore(folder.path.parent)

    def note(
        self, incidents: Sequence[Incident], dumps: Sequence[CollectedDump], *, test: str, expected: Collection[str]
    ) -> list[Crash]:
        """What counts as a crash, with its dumps. A power cut that the test made is none."""
        made = {IncidentKind.POWER_LOSS} & set(expected)
        found = [one for one in incidents if one.kind in OF_THE_MACHINE and one.kind not in made]
        if not found:
            return []
        driver, version = self._driver()
        return [self._crash(one, dumps, test, driver, version, one.kind in expected) for one in found]

    def _crash(
        self, incident: Incident, dumps: Sequence[CollectedDump], test: str, driver: str, version: str, expected: bool
    ) -> Crash:
        code, parameters = incident.code, incident.parameters
        own = [one for one in dumps if _belongs(one, incident)]
        analysis = self._analysis(own)
        if analysis and analysis.image and analysis.image.lower() != driver.lower():
            # the version is that of the driver under test
            driver, version = analysis.image, ""
        label = f"0x{code:X}" if code is not None else incident.kind.value
        bucket = Bucket(label, rule(code, parameters) if code is not None else "", driver, version)
        name = bugcheck_name(code) if code is not None else _WITHOUT_CODE.get(incident.kind, incident.kind.value)
        known = Known() if expected else self._known(bucket, name, test, incident, own)
        return Crash(
            kind=incident.kind.value, bucket=str(bucket), name=name,
            meaning=meaning(code, parameters) if code is not None else incident.what,
            parameters=tuple(f"0x{value:X}" for value in parameters),
            dumps=tuple(self._relative(one.local) for one in own),
            analysis=self._keep(analysis, own), guilty=analysis.symbol or analysis.image if analysis else "",
            expected=expected, seen_before=known.count, first_run=known.first_run,
        )  # fmt: skip

    def _known(
        self, bucket: Bucket, name: str, test: str, incident: Incident, dumps: Sequence[CollectedDump]
    ) -> Known:
        when = next((one.header.time for one in dumps if one.header and one.header.time), incident.at)
        occurrence = f"{self._bench.testbed.name} {when.isoformat()}"
        try:
            return self._store.note(bucket, name, run=self._folder.run, test=test, occurrence=occurrence)
        except (HilError, OSError) as error:
            self._bench.journal.event("error", f"the crashes of earlier runs: {error}")
            return Known()

    def _driver(self) -> tuple[str, str]:
        """File name and version of the driver under test: as bound, or else as the testbed has it."""
        from hil.package import Package

        try:
            bound = self._bench.adapter.driver()
            return str(bound.image_path or bound.inf).replace("/", "\\").rpartition("\\")[2].lower(), bound.version
        except HilError:
            packages = self._bench.testbed.packages
            if packages is None:
                return "unknown", ""
            package = Package.load(packages.current)
            with suppress(HilError):  # of a machine that was never asked nobody knows which model it is
                package = package.for_device(self._bench.hardware_ids)
            return package.driver.lower(), package.version

    def _analysis(self, dumps: Sequence[CollectedDump]) -> Analysis | None:
        """By the debugger of the testbed, of the largest dump that is whole; what goes wrong there is only noted."""
        debugger = self._bench.testbed.debugger
        whole = sorted((one for one in dumps if one.complete), key=lambda one: one.local.stat().st_size)
        if debugger is None or not whole:
            return None
        try:
            return analyze(debugger, whole[-1].local, self._bench.journal)
        except HilError as error:
            self._bench.journal.event("error", f"no analysis of {whole[-1].local.name}: {error}")
            return None

    def _keep(self, analysis: Analysis | None, dumps: Sequence[CollectedDump]) -> str:
        if analysis is None:
            return ""
        path = dumps[0].local.parent / f"{dumps[0].local.name}.analysis.txt"
        path.write_text(analysis.text, encoding="utf-8", errors="replace")
        return self._relative(path)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._folder.path))


def _belongs(dump: CollectedDump, incident: Incident) -> bool:
    """By path for a live dump, by what the header says for a bugcheck: it leaves a small dump and a large one."""
    if incident.kind is IncidentKind.LIVE_DUMP:
        return dump.source == incident.dump
    same_path = bool(incident.dump) and dump.source.lower() == str(incident.dump).lower()
    header = dump.header
    return same_path or (
        header is not None and (header.code, header.parameters) == (incident.code, incident.parameters)
    )
