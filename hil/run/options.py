"""What the command line of a run says, checked before anything is started."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hil.errors import UsageError
from hil.history.place import is_off, place
from hil.run.packages import of_command_line, with_packages
from hil.run.repetition import rounds
from hil.testbed.load import load

if TYPE_CHECKING:
    from hil.testbed.model import Testbed

_SEEDS = 1 << 32


def understood(config: pytest.Config) -> tuple[Testbed, int]:
    """The testbed and the seed of the run. Raises UsageError or pytest.UsageError for what a person must mend."""
    _one_process(config)
    _suites_by_default(config)
    _must_be_a_profile(config)
    _must_be_a_history(config)
    _must_be_settings(config)
    rounds(config)
    seed = _seed(config)
    return _testbed(config, seed), seed


def _one_process(config: pytest.Config) -> None:
    """A bench belongs to one process: xdist may not spread the tests of one bench."""
    workers = config.getoption("numprocesses", None)
    if workers and workers != 1:
        step = "leave out -n, or start one run for each bench"
        raise UsageError("one process per bench", seen=f"-n {workers} and 1 bench", next_step=step)
    if workers:
        config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []


def _must_be_a_profile(config: pytest.Config) -> None:
    """A slip in --verifier is told before the bench is touched."""
    if config.getoption("--verifier"):
        from hil.windows.verifier import profile

        profile(config.getoption("--verifier"))


def _must_be_settings(config: pytest.Config) -> None:
    if config.getoption("--adapter-settings"):
        from hil.run import adapter_settings

        adapter_settings.read(config.getoption("--adapter-settings"))


def _must_be_a_history(config: pytest.Config) -> None:
    """A slip in --history is told before the bench is touched; one that does not answer costs nothing."""
    given = config.getoption("--history")
    if not is_off(given, os.environ):
        place(given, os.environ, config.getoption("--reports"))


def _suites_by_default(config: pytest.Config) -> None:
    """A run on a bench without a path means suites/, where there are any, not the tests of hil itself."""
    suites = config.invocation_params.dir / "suites"
    if config.args_source is not pytest.Config.ArgsSource.ARGS and suites.is_dir():
        config.args[:] = [str(suites)]


def _seed(config: pytest.Config) -> int:
    """Of everything that this run chooses by chance."""
    given: int | None = config.getoption("--seed")
    return secrets.randbelow(_SEEDS) if given is None else given


def _testbed(config: pytest.Config, seed: int) -> Testbed:
    """The testbed as the command line has it: with packages, seed and faults, and its files checked."""
    path: Path = config.getoption("--testbed")
    testbed = load(path, must_exist=not config.option.collectonly)
    given = of_command_line(config)
    if testbed.virtual is None:  # a virtual one makes its own first, when it starts
        testbed = with_packages(testbed, given)
    if testbed.virtual is not None:
        testbed = testbed.model_copy(update={"virtual": testbed.virtual.model_copy(update={"seed": seed})})
    faults: list[str] = config.getoption("--fault")
    if not faults:
        return testbed
    if testbed.virtual is None:
        raise UsageError("--fault with a virtual bench", seen=f"{testbed.name} is a real one", where=str(path))
    from hil.virtual.faults import load as load_fault

    for fault in faults:
        load_fault(fault)
    virtual = testbed.virtual.model_copy(update={"faults": (*testbed.virtual.faults, *faults)})
    return testbed.model_copy(update={"virtual": virtual})
