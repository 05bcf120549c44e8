"""``hil run``: pytest on a bench."""

from __future__ import annotations

from pathlib import Path

import typer

from hil.errors import UsageError

DEFAULT_TESTBED = Path("testbeds/virtual.yaml")
PYTEST = ("-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:hypothesispytest")
"""For every run: pytest would rewrite the assertions of a plug-in, where ours has none that a test sees, and is loaded
already; hypothesis takes a quarter of a second to load, and works in a suite without its plug-in too."""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""For typer: what it does not know is pytest's."""


def run(context: typer.Context) -> int:
    """Run suites on a bench: hil run [--testbed FILE] [any arguments of pytest].

    Without a testbed it is testbeds/virtual.yaml, without a path all of suites/. The options are those of the
    pytest plug-in: --fault, --package, --previous-package, --other-package, --reports, --run-id, --history,
    --no-provision, --verifier, --test-timeout.
    """
    import pytest

    return int(pytest.main([*PYTEST, *arguments(context.args)]))


def arguments(given: list[str]) -> list[str]:
    """The arguments for pytest: with a testbed. Raises UsageError when there is no default for it here."""
    if any(argument.partition("=")[0] == "--testbed" for argument in given):
        return given
    if not DEFAULT_TESTBED.exists():
        raise UsageError("--testbed FILE", seen=f"no {DEFAULT_TESTBED} here", where=str(Path.cwd()))
    # with "=": pytest takes a value that stands alone for a test path when it looks for the root folder
    return [f"--testbed={DEFAULT_TESTBED}", *given]
