"""``hil shell``: a prompt on a bench, with the fixtures of the suites at hand."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer


def shell(
    testbed: Annotated[Path, typer.Argument(metavar="TESTBED", help="the bench")] = Path("testbeds/virtual.yaml"),
    fault: Annotated[list[str] | None, typer.Option(metavar="MODULE:CLASS", help="defect of the virtual bench")] = None,
    package: Annotated[Path | None, typer.Option(metavar="DIR", help="driver package under test")] = None,
    no_provision: Annotated[bool, typer.Option("--no-provision", help="take machine and driver as they are")] = False,
    reports: Annotated[Path, typer.Option(help="where the run is written")] = Path("reports"),
    run_id: Annotated[str | None, typer.Option(metavar="NAME", help="folder of the run below the reports")] = None,
) -> int:
    """Lease a bench and open a prompt on it, with machine, adapter, traffic, slot, undo ... bound by their names.

    IPython where it is installed (the extra shell), else Python's own prompt. At the end all is undone. Exit code as
    that of a run: 1 when the guard saw Windows crash meanwhile, 6 when the bench is unfit.
    """
    import pytest

    from hil.cli.run import PYTEST
    from hil.shell.visit import TEST

    given = {"testbed": testbed, "package": package, "reports": reports, "run-id": run_id}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    options += [f"--fault={one}" for one in fault or []] + ["--no-provision"] * no_provision
    quiet = ["--capture=no", "--disable-warnings", "--tb=short", "--no-header", "--no-sampling", "-q"]
    with TemporaryDirectory() as place:
        (Path(place) / "test_shell.py").write_text(TEST, encoding="utf-8")
        return int(pytest.main([*PYTEST, *quiet, "-p", "no:cacheprovider", *options, place]))
