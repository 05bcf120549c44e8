"""``hil storm``: random sequences of operations on a bench, and the shortest one that fails."""

from __future__ import annotations

import secrets
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hil.storm.searching import Storm

_CALM = '''
def test_before_the_storm(driver, adapter):
    """The adapter is up before anything is done to it."""
    adapter.wait_up()
'''


def storm(
    testbed: Annotated[Path, typer.Argument(metavar="TESTBED", help="the bench")] = Path("testbeds/virtual.yaml"),
    seed: Annotated[int | None, typer.Option(metavar="N", help="of all choices; default: drawn and told")] = None,
    steps: Annotated[int, typer.Option(min=1, help="operations in all")] = 100,
    length: Annotated[int, typer.Option(min=1, help="operations of one sequence, after which all is undone")] = 10,
    minutes: Annotated[float, typer.Option(help="begin no further sequence after this time")] = float("inf"),
    shrink_minutes: Annotated[float, typer.Option(help="for the shortest sequence that still fails")] = 10.0,
    replays: Annotated[int, typer.Option(min=1, help="of a failing sequence, to see how often it fails")] = 3,
    fault: Annotated[list[str] | None, typer.Option(metavar="MODULE:CLASS", help="defect of the virtual bench")] = None,
    package: Annotated[Path | None, typer.Option(metavar="DIR", help="driver package under test")] = None,
    reports: Annotated[Path, typer.Option(help="where the run is written")] = Path("reports"),
    run_id: Annotated[str | None, typer.Option(metavar="NAME", help="folder of the run below the reports")] = None,
) -> int:
    """Do random things to the adapter until something breaks, and leave the shortest such sequence as a test file.

    Traffic, disable, restart, sleep, removal, cable, settings; rate, settings and counters are checked after each step.
    Exit code 0: all held; 1: a sequence failed; 6: the bench is unfit.
    """
    from hil.errors import ExitCode
    from hil.storm.searching import Limits, Storm

    seed = secrets.randbelow(10_000) if seed is None else seed
    print(f"seed {seed}")
    found = Storm(seed, Limits(steps, length, minutes, shrink_minutes, replays), print)
    given = {"testbed": testbed, "package": package, "reports": reports, "run-id": run_id, "seed": seed}
    given["count"] = -(-steps // length)
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    code = _run([*options, *(f"--fault={one}" for one in fault or [])], found)
    if found.folder is not None:
        _show(found)
    if found.problem is not None:
        return int(found.problem.exit_code)
    if found.found is not None:
        return ExitCode.DEVICE
    # families of attempts that were made again are in the run's code
    return ExitCode.OK if code in (ExitCode.DEVICE, ExitCode.BENCH) else code


def _run(options: list[str], found: Storm) -> int:
    import pytest

    from hil.cli.run import PYTEST

    quiet = ["--tb=no", "--no-header", "--no-summary", "--no-sampling", "-q", "-p", "no:cacheprovider"]
    with TemporaryDirectory() as place:
        # pytest wants a test to begin with, and the bench is started for it
        (Path(place) / "test_before_the_storm.py").write_text(_CALM, encoding="utf-8")
        return int(pytest.main([*PYTEST, *quiet, *options, place], plugins=[found]))


def _show(storm: Storm) -> None:
    """What ran, and what came of it."""
    print("\nsequence  steps  seconds  outcome")
    for number, one in enumerate(storm.tried, 1):
        told = "held" if one.failure is None else f"step {one.done}, {one.steps[one.done - 1]}: {one.failure.message}"
        print(f"{number:8}  {one.done:5}  {one.seconds:7.1f}  {told}")
    print(f"\n{storm.outcome}")
    found = storm.found
    if found is not None:
        cut = "" if found.finished else ", cut short by --shrink-minutes"
        effort = f"{found.attempts} attempts, {found.seconds:.0f} s"
        print(f"{len(found.original)} steps shrunk to {len(found.steps)} in {effort}{cut}")
        print(f"again: hil run --testbed TESTBED {found.file}")

