"""``hil lab up``: a virtual bench to work with by hand, or from another program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hil.errors import UsageError

if TYPE_CHECKING:
    from hil.testbed.model import Testbed


def up(
    testbed: Annotated[Path, typer.Argument(help="testbed file with a section 'virtual'")],
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON instead of text")] = False,
    fault: Annotated[list[str] | None, typer.Option(metavar="MODULE:CLASS", help="a defect; repeatable")] = None,
) -> int:
    """Start a virtual bench, print its endpoints, and keep it until interrupted.

    The JSON's key testbed is an ordinary testbed file: save it, and hil run --testbed works on it.
    """
    return stay_up(testbed, as_json=as_json, faults=fault or [])


def stay_up(file: Path, *, as_json: bool, faults: list[str]) -> int:
    """Run the bench until SIGINT or SIGTERM. Raises UsageError for a real bench, BenchError when it does not start."""
    import threading

    from hil.errors import ExitCode
    from hil.journal import Journal
    from hil.run.interrupts import Interrupts
    from hil.testbed.load import load
    from hil.testbed.state import state_dir
    from hil.virtual.lab import Lab

    described = load(file)
    if described.virtual is None:
        raise UsageError("a testbed with a section 'virtual'", seen="a real bench", where=str(file))
    virtual = described.virtual.model_copy(update={"faults": (*described.virtual.faults, *faults)})
    described = described.model_copy(update={"virtual": virtual})
    journal = Journal()
    with Interrupts().installed():
        try:
            lab = Lab(described, state_dir(described), journal)
            with lab as bench:
                endpoints = {"testbed": bench.dump(), "missing": dict(lab.missing)}
                print(json.dumps(endpoints) if as_json else _text(bench, lab.missing), flush=True)
                threading.Event().wait()
        except KeyboardInterrupt:
            print("the bench is down", file=sys.stderr)
    return int(ExitCode.OK)


def _text(bench: Testbed, missing: Any) -> str:
    assert bench.machine is not None
    ssh = bench.machine.ssh
    lines = [
        f"machine     ssh -p {ssh.port} -i {ssh.key_file} {ssh.user}@{ssh.host}",
        f"host key    {ssh.host_key}",
        f"PowerShell  {bench.machine.shell}",
    ]
    partner = bench.partner
    if partner is not None and partner.kind == "local":
        lines.append(f"partner     {partner.interface} {partner.address}: nsenter --net={partner.netns} ip address")
    lines += [f"{one.role:<11} {one.resource} channel {one.channel}" for one in bench.instruments.values()]
    lines += [f"missing     {name}: {cause}" for name, cause in missing.items()]
    return "\n".join([*lines, "", "up until interrupted (Ctrl-C)"])


def packages(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="where to write them, a folder for each version")],
    count: Annotated[int, typer.Option(min=1, help="how many versions: 3.0.0.0, 3.1.0.0 ...")] = 8,
) -> int:
    """Write a family of sample packages for the virtual bench, to bisect over, and the certificate to trust.

    A defect from one of them on: --fault MODULE:CLASS@3.4.0.0 when the bench starts.
    """
    from hil.errors import ExitCode
    from hil.virtual.driver.family import build_family

    certificate = build_family(folder, [f"3.{number}.0.0" for number in range(count)])
    print(f"{folder}: {count} packages, 3.0.0.0 to 3.{count - 1}.0.0; --certificate {certificate}")
    return int(ExitCode.OK)
