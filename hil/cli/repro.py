"""``hil repro``: make the failure of a bundle happen again, and say how often it does."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from hil.repro.likeness import Origin

COUNT = 10
_FILE, _DIR = "FILE", "DIR"


def repro(
    bundle: Annotated[Path, typer.Argument(help="what a failed test left in bundles/ of its run")],
    testbed: Annotated[Path | None, typer.Option(metavar=_FILE, help="another bench than the bundle's")] = None,
    virtual: Annotated[bool, typer.Option("--virtual", help="on a virtual bench like the bundle's")] = False,
    count: Annotated[int | None, typer.Option(min=1, help=f"how often [default: {COUNT}]")] = None,
    until_fail: Annotated[bool, typer.Option("--until-fail", help="until it fails so, 200 times at most")] = False,
    with_order: Annotated[bool, typer.Option("--with-order", help="with the tests before it, in their order")] = False,
    package: Annotated[Path | None, typer.Option(metavar=_DIR, help="where the tested package is now")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="another seed than the bundle's")] = None,
    reports: Annotated[Path, typer.Option(help="where the run is written")] = Path("reports"),
    run_id: Annotated[str | None, typer.Option(metavar="NAME", help="folder of the run below the reports")] = None,
) -> int:
    """Install the package of a bundle on a like bench, run its test again and again, and count.

    Exit code 1: it failed the same way at least once; 0: it did not. Ctrl-C ends it with the figures so far.
    """
    from hil.repro.counting import Counting
    from hil.repro.likeness import Origin
    from hil.repro.reading import Bundle

    if virtual and testbed is not None:
        raise UsageError("--testbed or --virtual", seen="both")
    read = Bundle(bundle)
    counting = Counting(read.manifest, until_fail=until_fail, with_order=with_order)
    with tempfile.TemporaryDirectory(prefix="hil-repro-") as folder:
        origin = Origin(read, read.unpack(Path(folder)))
        options = _options(origin, origin.choose(testbed, virtual=virtual), package, with_order=with_order)
        given = {"reports": reports, "run-id": run_id, "seed": read.manifest.seed if seed is None else seed}
        options += [f"--{name}={value}" for name, value in given.items() if value is not None]
        code = _run([*options, *_rounds(count, until_fail)], counting)
    print(f"\n{read.manifest.test}: {read.manifest.headline}")
    print("\n".join(f"  {line}" for line in [*str(counting.tally).splitlines(), *counting.notes]))
    if counting.tally.same:
        return int(ExitCode.DEVICE)
    return int(ExitCode.OK) if counting.tally.runs and code in (ExitCode.OK, ExitCode.DEVICE) else code


def _options(origin: Origin, path: Path, package: Path | None, *, with_order: bool) -> list[str]:
    """The command line of the run; differences to the bundle are told here, before anything is started."""
    from hil.repro.likeness import suite_of
    from hil.testbed.load import load

    manifest, suite, testbed = origin.manifest, suite_of(origin.manifest), load(path)
    files = [Path(test.partition("::")[0]) for test in manifest.order] if with_order else []
    options = [f"--testbed={path}", f"--test-timeout={manifest.options.test_timeout_s:g}", "--history=off"]
    options += origin.package_options(testbed, package)
    options += [f"--verifier={manifest.options.verifier}"] if manifest.options.verifier else []
    options += ["--no-provision"] if manifest.options.no_provision else []
    options += [f"--fault={fault}" for fault in manifest.options.faults if testbed.virtual]
    if manifest.settings is not None:
        settings = origin.folder / "settings.json"
        settings.write_text(json.dumps(manifest.settings), encoding="utf-8")
        options.append(f"--adapter-settings={settings}")
    print(f"bundle of run {manifest.run}, testbed {manifest.testbed}; now {testbed.name}")
    for difference in origin.differences(testbed, suite):
        print(f"  other than then: {difference}")
    return [*options, *map(str, dict.fromkeys([*(file for file in files if file.is_file()), suite]))]


def _rounds(count: int | None, until_fail: bool) -> list[str]:
    from hil.run.repetition import MOST_ROUNDS

    return [f"--count={count or (MOST_ROUNDS if until_fail else COUNT)}"]


def _run(arguments: list[str], counting: object) -> int:
    import pytest

    from hil.cli.run import PYTEST

    # the first failure is in the bundle; those that come are in the report
    return int(pytest.main([*PYTEST, "--tb=no", *arguments], plugins=[counting]))
