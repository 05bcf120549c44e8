"""A visit to the bench: one test of a run, whose body is the prompt.

So it has lease, watchdog, journal, undo, guard and rest state as every test has, and the report shows what was done.
"""

from __future__ import annotations

import pytest

from hil.run.running import Running
from hil.run.session import SESSION
from hil.shell.names import OF_THE_DRIVER, Namespace, openers
from hil.shell.prompt import prompt

TEST = '''
import pytest

from hil.shell.visit import visit


@pytest.mark.timeout(0)
def test_shell(bench, pytestconfig):
    """A person at the prompt."""
    visit(pytestconfig)
'''
"""The file that pytest collects; without a limit of time."""


def visit(config: pytest.Config) -> None:
    """Stay until the person leaves; the run does the rest. Raises KeyboardInterrupt for SIGTERM."""
    running = config.stash[SESSION].the_run()
    names = _names(running)
    prompt(names, _banner(names, running))
    print("undoing what was registered, and putting the bench to rest ...", flush=True)


def _names(running: Running) -> Namespace:
    from hil.remote import Command

    bench = running.tenancy().bench
    return Namespace(
        openers(running), bench=bench, journal=running.journal, limits=bench.testbed.limits, undo=running.undo,
        record=running.recorder.measure, expect=running.recorder.expect, Command=Command,
    )  # fmt: skip


def _banner(names: Namespace, running: Running) -> str:
    lazy = [name for name in names.keys() if name not in names]  # noqa: SIM118 - keys() has those that are not open
    direct = [name for name in names if not name.startswith("_")]
    driver = ", ".join(name for name in OF_THE_DRIVER if name in lazy)
    return f"""
bench {running.testbed.name}, run {running.folder.path}
bound:     {", ".join(direct)}
           opened when first used: {", ".join(lazy)}
           {driver}: these make the machine ready first (trust, tools, package, address)
a cmdlet:  machine.shell.run(Command("Get-NetAdapter", Name=adapter.name))
a tool:    machine.tool("pnputil", "/enum-drivers")
a change:  slot.pull(); undo(slot.plug)
At the end (exit, Ctrl-D, SIGTERM) all that was given to undo is undone, and the bench goes to its rest state.
"""
