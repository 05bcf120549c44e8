"""``hil bisect``: which driver package is the first that fails a test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.errors import BenchError, ExitCode

Folder = Annotated[Path, typer.Option(metavar="DIR")]


def bisect(
    test: Annotated[str, typer.Argument(metavar="TEST", help="one test: suites/test_pnp.py::test_idle_removal")],
    good: Annotated[Path, typer.Option(metavar="PKG", help="a package on which TEST passes")],
    bad: Annotated[Path, typer.Option(metavar="PKG", help="a younger one on which it fails, if only now and then")],
    over: Annotated[Path, typer.Option(metavar="DIR", help="the packages between them, a folder each")],
    testbed: Annotated[Path, typer.Option(help="the bench")] = Path("testbeds/virtual.yaml"),
    confidence: Annotated[float, typer.Option(help="that the answer is right, 0.5 to 1")] = 0.95,
    max_runs: Annotated[int, typer.Option(help="of TEST, on all packages together")] = 200,
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="to trust, if they are test-signed")] = None,
    fault: Annotated[list[str] | None, typer.Option(metavar="MODULE:CLASS", help="defect of the virtual bench")] = None,
    reports: Annotated[Path, typer.Option(help="where the run is written")] = Path("reports"),
    run_id: Annotated[str | None, typer.Option(metavar="NAME", help="folder of the run below the reports")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="of what happens by chance on a virtual bench")] = None,
) -> int:
    """Install the packages of a folder in turn, run a test on them, and name the first bad one.

    A test that fails only now and then is run until the answer has the stated confidence. Exit code 0: found; 4: it
    cannot be found like this, with the reason; 6: the bench is unfit.
    """
    from hil.bisect.candidates import candidates
    from hil.bisect.probing import Probing
    from hil.bisect.search import Search
    from hil.bisect.table import line, table, write

    found = candidates(over, good, bad)
    search = Search(len(found.packages), confidence=confidence, max_runs=max_runs)
    probing = Probing(found, search, tell=lambda package: print(line(probing, package)))
    given = {"certificate": certificate, "run-id": run_id, "seed": seed}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    options += [f"--testbed={testbed}", f"--package={bad}", f"--reports={reports}", f"--count={max_runs}"]
    options += ["--history=off"]
    code = _run([*options, *(f"--fault={one}" for one in fault or []), test], probing)
    if probing.folder is None:
        return code
    done = table(probing, test)
    page = write(done, probing.folder)
    print(f"\n{done.console()}\n{page}")
    if probing.problem is not None:
        return int(probing.problem.exit_code)
    return int(ExitCode.OK if probing.answer else code or BenchError.exit_code)


def _run(options: list[str], probing: object) -> int:
    import pytest

    from hil.cli.run import PYTEST

    # a failure is what is looked for: its text is in the report
    quiet = ["--tb=no", "--no-header", "--no-summary", "--no-sampling", "-q"]
    return int(pytest.main([*PYTEST, *quiet, *options], plugins=[probing]))
