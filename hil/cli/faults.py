"""``hil faults``: the defects that the virtual bench can be given, and the proof that the suites catch them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.errors import ExitCode, UsageError
from hil.history.confidence import interval

if TYPE_CHECKING:
    from hil.results.model import TestResult

GOLDEN = "golden"


@dataclass(frozen=True)
class Known:
    """A fault: its dotted path, what it stands for, and the suites that must turn red."""

    path: str
    bug: str
    caught_by: tuple[str, ...]
    repeated: str = ""
    """The test to repeat, for a defect that shows only by chance."""
    testbed: str = ""
    """The bench that can have it, where the matrix' own cannot."""

    @property
    def name(self) -> str:
        return self.path.partition(":")[2]


@dataclass
class Row:
    """What became of one bench in the matrix: red tests by suite, and whether that is as it must be."""

    fault: str
    path: str
    bug: str
    caught_by: tuple[str, ...]
    exit_code: int
    repeated: str = ""
    testbed: str = ""
    red: dict[str, list[str]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    """Tests by suite that were not skipped."""
    report: str = ""

    @property
    def good(self) -> bool:
        """A golden bench is all green and asks something in each suite; a fault turns each of its suites red."""
        if self.is_golden:
            return self.exit_code == ExitCode.OK and bool(self.asked) and all(self.asked.values())
        return bool(self.caught_by) and all(self.red.get(suite) for suite in self.caught_by)

    @property
    def is_golden(self) -> bool:
        return self.fault.startswith(GOLDEN)

    def beyond(self, golden: Row) -> Row:
        """Without the tests that are red on a golden bench too: those prove nothing."""
        anyway = {test for tests in golden.red.values() for test in tests}
        red = {suite: [test for test in tests if test not in anyway] for suite, tests in self.red.items()}
        return replace(self, red={suite: tests for suite, tests in red.items() if tests})


def faults(
    matrix: Annotated[bool, typer.Option("--matrix", help="run them all and say which test caught which")] = False,
    full: Annotated[bool, typer.Option("--full", help="against all suites, not only those named")] = False,
    only: Annotated[str, typer.Option("--only", metavar="TEXT", help="faults whose name contains this")] = "",
    testbed: Annotated[Path, typer.Option(help="virtual testbed")] = Path("testbeds/virtual.yaml"),
    suites: Annotated[Path, typer.Option(help="folder of suites")] = Path("suites"),
    reports: Annotated[Path, typer.Option(help="where the matrix is written")] = Path("reports"),
    jobs: Annotated[int, typer.Option(min=1, help="benches at a time")] = 2,
) -> int:
    """List the known faults, or prove with --matrix that the suites catch each, and nothing on a golden bench."""
    found = [one for one in known() if only.lower() in one.name.lower()]
    if not matrix:
        for one in found:
            where = f" on {one.testbed}" if one.testbed else ""
            print(f"{one.path}\n    {one.bug}\n    caught by: {', '.join(one.caught_by)}{where}")
        return int(ExitCode.OK)
    return _matrix(found, _suites(suites), full=full, testbed=testbed, reports=reports, jobs=jobs)


def known() -> list[Known]:
    """The faults that come with hil; others load by their dotted path."""
    import importlib
    import inspect
    import pkgutil

    import hil.virtual.faults as package

    found = []
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, fault in vars(module).items():
            own = inspect.isclass(fault) and fault.__module__ == info.name and issubclass(fault, package.Fault)
            if own and fault.caught_by:
                bug = (inspect.getdoc(fault) or "").partition("\n")[0]
                repeated = getattr(fault, "repeated", "")
                found.append(Known(f"{info.name}:{name}", bug, fault.caught_by, repeated, fault.testbed))
    return found


def _suites(folder: Path) -> dict[str, Path]:
    suites = {path.stem.removeprefix("test_"): path for path in sorted(folder.glob("test_*.py"))}
    if not suites:
        raise UsageError("a folder of suites", seen="no test_*.py in it", where=str(folder))
    return suites


def _matrix(
    found: Sequence[Known], suites: dict[str, Path], *, full: bool, testbed: Path, reports: Path, jobs: int
) -> int:
    from hil.results.store import RunFolder
    from hil.run.interrupts import Interrupts

    unknown = {suite for one in found for suite in one.caught_by} - set(suites)
    if unknown:
        raise UsageError("caught_by that names suites", seen=", ".join(sorted(unknown)), where=", ".join(suites))
    folder = RunFolder(reports, "matrix").path
    runner = _Runner(testbed, folder)

    def with_fault(one: Known) -> Row:
        if one.repeated:
            row = runner.run(one, [next(iter(suites.values())).parent / one.repeated], "--until-fail")
        else:
            row = runner.run(one, list(suites.values()) if full else [suites[suite] for suite in one.caught_by])
        return row.beyond(golden[one.testbed])

    def every() -> Iterator[Row]:
        # golden ones alone, since their rates are judged; what shares the processors could make them red
        for one, asked in _golden(found, suites, full=full):
            golden[one.testbed] = runner.run(one, asked)
            yield golden[one.testbed]
        yield from pool.map(with_fault, found)

    rows, golden = list[Row](), dict[str, Row]()
    with Interrupts().installed(), ThreadPoolExecutor(jobs) as pool, runner:
        for row in every():
            rows.append(row)
            print(_line(row), flush=True)
            table = [{**asdict(row), "good": row.good} for row in rows]
            (folder / "matrix.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    bad = [row for row in rows if not row.good]
    print(f"\n{len(rows) - len(bad)} of {len(rows)} as they must be; {folder / 'matrix.json'}")
    return int(ExitCode.DEVICE if bad else ExitCode.OK)


def _golden(found: Sequence[Known], suites: dict[str, Path], *, full: bool) -> Iterator[tuple[Known, list[Path]]]:
    """Benches without a defect: the matrix' own, and each other one with the suites that its faults concern."""
    yield Known(f":{GOLDEN}", "a bench without a defect", ()), list(suites.values())
    for testbed in sorted({one.testbed for one in found if one.testbed}):
        named = {suite for one in found if one.testbed == testbed for suite in one.caught_by}
        asked = [path for suite, path in suites.items() if full or suite in named]
        yield Known(f":{GOLDEN}-{testbed}", "a bench without a defect", (), testbed=testbed), asked


class _Runner:
    """Starts runs; when the block ends by an exception (Ctrl-C, SIGTERM), the runs that go on are told to end."""

    def __init__(self, testbed: Path, folder: Path) -> None:
        self._testbed, self._folder = testbed, folder
        self._processes: set[subprocess.Popen[bytes]] = set()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        left = tuple(self._processes)
        for process in left:
            process.terminate()
        for process in left:
            process.wait()

    def run(self, one: Known, suites: Sequence[Path], *repetition: str) -> Row:
        """One run in a process of its own, read back from its results."""
        testbed = self._testbed.with_stem(one.testbed) if one.testbed else self._testbed
        options = [f"--testbed={testbed}", f"--reports={self._folder}", f"--run-id={one.name}", "--history=off"]
        fault = [f"--fault={one.path}"] if one.caught_by else []
        command = [sys.executable, "-m", "hil.cli", "run", *options, *fault, *repetition, *map(str, suites)]
        log = self._folder / f"{one.name}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as process,
        ):
            self._processes.add(process)
            code = process.wait()
            self._processes.discard(process)
        report = f"{one.name}/index.html"
        row = Row(one.name, one.path, one.bug, one.caught_by, code, one.repeated, one.testbed, report=report)
        for test in _results(self._folder / one.name):
            suite = Path(test.test.partition("::")[0]).stem.removeprefix("test_")
            row.asked[suite] = row.asked.get(suite, 0) + (test.verdict != "skipped")
            if _is_red(test):
                row.red.setdefault(suite, []).append(test.test.partition("::")[2])
        return row


def _results(run: Path) -> list[TestResult]:
    from hil.results.store import Results

    path = run / "results.jsonl"
    return Results(path).tests if path.exists() else []


def _is_red(test: TestResult) -> bool:
    """Red for a cause that the test saw.

    A bench that could not be prepared says nothing of the fault; a mistake in a test or in hil catches nothing.
    """
    return any(one.family == "device" or (one.family == "bench" and one.phase == "call") for one in test.troubles)


def _line(row: Row) -> str:
    word = "ok  " if row.good else "BAD "
    if row.is_golden:
        asked = ", ".join(f"{suite} {count}" for suite, count in row.asked.items())
        red = "; ".join(f"{suite}: {', '.join(tests)}" for suite, tests in row.red.items())
        seen = f"{asked or 'nothing was asked'}{'; red: ' + red if red else ''}"
        return f"{word} {row.fault}: {seen} (exit {row.exit_code})"
    lines = [f"{word} {row.fault}{f' on {row.testbed}' if row.testbed else ''}: {row.bug}"]
    for suite in dict.fromkeys([*row.caught_by, *row.red]):
        tests = row.red.get(suite, [])
        lines.append(f"       {suite:<12} {', '.join(tests) if tests else 'NOT CAUGHT'}")
    if row.repeated:
        runs, failed = sum(row.asked.values()), sum(map(len, row.red.values()))
        low, high = interval(failed, runs)
        lines.append(f"       {failed} of {runs} runs failed; 95 % interval of the rate: {low:.1%} to {high:.1%}")
    return "\n".join(lines)
