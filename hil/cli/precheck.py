"""``hil precheck``: what the Windows HLK would find, as far as the local tests can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.errors import ExitCode

if TYPE_CHECKING:
    from hil.results.errata import Erratum
    from hil.results.precheck import Precheck


def precheck(
    package: Annotated[Path | None, typer.Option(metavar="DIR", help="default: the one that was tested last")] = None,
    errata: Annotated[Path | None, typer.Option(metavar="FILE", help="known failures that are let pass")] = None,
    suites: Annotated[Path, typer.Option(help="folder of suites")] = Path("suites"),
    reports: Annotated[Path, typer.Option(help="runs that are read, and where the page is written")] = Path("reports"),
    strict: Annotated[bool, typer.Option("--strict", help="what has no verdict counts as a failure")] = False,
) -> int:
    """Say for every HLK test which local tests predict it and what they last said of this package.

    Exit code 0 when no failure counts and something passed, else 1.
    """
    from hil.clock import utc_now
    from hil.results.errata import load_errata
    from hil.results.hlk import catalogue
    from hil.results.precheck import evaluate, read_history
    from hil.results.precheck_page import write_precheck
    from hil.run.marks import collect_predictions

    let_pass = load_errata(errata)
    history = read_history(reports, _hash(package) if package else "")
    found = evaluate(history, collect_predictions(suites), catalogue(), let_pass, utc_now().date())
    page = write_precheck(found, reports)
    _tell(found, let_pass)
    print(f"\n{page}")
    return int(ExitCode.OK if found.good(strict=strict) else ExitCode.DEVICE)


def _hash(folder: Path) -> str:
    from hil.package import Package

    return Package.load(folder).content_sha256


def _tell(found: Precheck, errata: Sequence[Erratum]) -> None:
    from hil.results.precheck import Status

    print(f"{found.title}\ntested on {', '.join(found.places)}\n")
    for status in Status:
        print(f"{len(found.having(status)):5} {status}")
    for one in found.having(Status.FAILED):
        print(f"\nFAIL {one.test.name}")
        for result in one.results:
            if result.verdict == "failed" and result.erratum is None:
                over = f" (erratum over since {result.expired.until})" if result.expired else ""
                print(f"     {result.test}: {result.message}{over}")
    used = {result.erratum for one in found.predictions for result in one.results if result.erratum}
    for erratum in sorted(used, key=lambda one: one.until):
        print(f"\nERRATUM until {erratum.until}: {erratum.hlk}\n     {erratum.reason}")
    for erratum in errata:
        if erratum not in used:
            print(f"\nNOT USED, erratum until {erratum.until}: {erratum.hlk}")
