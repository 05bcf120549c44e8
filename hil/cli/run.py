"""``hil run``: pytest on a bench."""

from __future__ import annotations

from pathlib import Path

import typer

from hil.errors import UsageError

DEFAULT_TESTBED = Path("testbeds/virtual.yaml")
DEFAULT_SUITES = Path("suites")
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""For typer: what it does not know is pytest's."""


def run(context: typer.Context) -> int:
    """Run suites on a bench: hil run [--testbed FILE] [any arguments of pytest].

    Without a testbed it is testbeds/virtual.yaml, without a path all of suites/. The options are those of the
    pytest plug-in: --fault, --package, --previous-package, --reports, --run-id, --no-provision, --test-timeout.
    """
    import pytest

    return int(pytest.main(arguments(context.args)))


def arguments(given: list[str]) -> list[str]:
    """The arguments for pytest: with a testbed and suites. Raises UsageError when there is no default for them here."""
    added = []
    if not any(argument.partition("=")[0] == "--testbed" for argument in given):
        added += ["--testbed", str(_default(DEFAULT_TESTBED, "--testbed FILE"))]
    if not any(_is_path(argument, before) for before, argument in zip(["", *given], given, strict=False)):
        added += [str(_default(DEFAULT_SUITES, "the path of a suite"))]
    return [*added, *given]


def _is_path(argument: str, before: str) -> bool:
    """Whether the argument names a test file or folder, and is not the value of an option before it."""
    value_of_option = before.startswith("-") and "=" not in before and not before.startswith("-v")
    return not argument.startswith("-") and not value_of_option and Path(argument.partition("::")[0]).exists()


def _default(path: Path, option: str) -> Path:
    if not path.exists():
        raise UsageError(option, seen=f"no {path} here", where=str(Path.cwd()))
    return path
