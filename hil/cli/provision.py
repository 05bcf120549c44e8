"""``hil provision``: make a machine ready for tests, or put it back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.errors import DeviceMissing, ExitCode


def provision(
    testbed: Annotated[Path, typer.Argument(help="testbed file of a real bench")],
    undo: Annotated[bool, typer.Option("--undo", help="put the machine back as it was")] = False,
) -> int:
    """Make the machine of a bench ready: trust, test signing, tools, crash dumps. Can be run again and again."""
    from hil import provision as provisioning
    from hil.bench import Bench
    from hil.journal import Journal
    from hil.testbed.lease import lease
    from hil.testbed.load import load
    from hil.testbed.state import machine_folder

    described = load(testbed)
    act = provisioning.unprovision if undo else provisioning.provision
    with lease(described, run="hil provision") as held, Bench(described, Journal(), held.check) as bench:
        try:
            adapter = bench.adapter
        except DeviceMissing as error:
            # the machine itself can be made ready, or put back, without the NIC
            print(f"without the adapter: {error}")
            adapter = None
        print(act(bench.machine, described, machine_folder(described), adapter))
    return int(ExitCode.OK)
