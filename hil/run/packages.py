"""The driver packages of a run: the testbed's, and those of the command line in their place."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.testbed.model import Packages, Testbed


def of_command_line(config: pytest.Config) -> dict[str, Path]:
    """Folders and certificate by their names in ``packages:``. Raises UsageError for an unknown name or no folder."""
    options = {"current": "--package", "previous": "--previous-package", "certificate": "--certificate"}
    found = {name: path for name, option in options.items() if (path := config.getoption(option)) is not None}
    for text in config.getoption("--other-package"):
        name, sign, folder = text.partition("=")
        if not sign or name not in Packages.model_fields or name in options:
            others = [one for one in Packages.model_fields if one not in options]
            near = difflib.get_close_matches(name, others, n=1)
            raise UsageError(
                f"--other-package NAME=DIR with a NAME of {', '.join(others)}", seen=text,
                next_step=f"did you mean {near[0]}?" if near else "",
            )  # fmt: skip
        found[name] = Path(folder)
    for name, path in found.items():
        if not path.exists():
            raise UsageError(f"the {name} package of the command line", seen="no such folder or file", where=str(path))
    return {name: path.resolve() for name, path in found.items()}


def with_packages(testbed: Testbed, given: dict[str, Path]) -> Testbed:
    """The testbed with these packages beside its own, or in their place. Raises UsageError without a current one."""
    if not given:
        return testbed
    if testbed.packages is None and "current" not in given:
        raise UsageError(
            "a package under test", seen=f"only {', '.join(given)}", where=testbed.name, next_step="give --package DIR"
        )
    packages = testbed.packages.model_copy(update=given) if testbed.packages else Packages(**given)
    return testbed.model_copy(update={"packages": packages})


def must_be_whole(packages: Packages | None) -> None:
    """What will be installed can be read and fits its catalog. Raises UsageError."""
    from hil.package import Package

    for folder in (packages.current, packages.previous, packages.other, packages.restarting) if packages else ():
        if folder is not None:
            Package.load(folder).require_intact()
