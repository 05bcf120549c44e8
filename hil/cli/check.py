"""``hil check``: is this testbed file right, and does everything on the bench answer?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.errors import ExitCode, HilError, UsageError

if TYPE_CHECKING:
    from hil.bench import Bench
    from hil.testbed.model import Ssh, Testbed


def check(
    testbed: Annotated[Path | None, typer.Argument(help="testbed file")] = None,
    live: Annotated[bool, typer.Option("--live", help="reach everything on the bench")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON Schema of testbed files")] = False,
    trust_host_key: Annotated[
        bool, typer.Option("--trust-host-key", help="take the host keys that are offered now, and write them down")
    ] = False,
) -> int:
    """Validate a testbed file; with --live, reach everything on it."""
    if schema:
        return _print_schema()
    if testbed is None:
        raise UsageError("a testbed file", seen="none", next_step="hil check testbeds/virtual.yaml")
    return _check(testbed, live=live, trust=trust_host_key)


def _print_schema() -> int:
    import json

    from hil.testbed.load import schema

    print(json.dumps(schema(), indent=2))
    return int(ExitCode.OK)


def _check(file: Path, *, live: bool, trust: bool) -> int:
    from hil.testbed.load import load

    if trust:
        _trust_host_keys(file)
    testbed = load(file)
    print(f"{file}: a valid testbed, {', '.join(sorted(testbed.capabilities())) or 'nothing but a machine'}")
    if not live:
        return int(ExitCode.OK)
    with _bench(testbed) as bench:
        codes = [_try(name, ask) for name, ask in _questions(bench)]
    return int(max(codes, key=[ExitCode.OK, ExitCode.DEVICE, ExitCode.BENCH, ExitCode.USAGE, ExitCode.INTERNAL].index))


@contextmanager
def _bench(testbed: Testbed) -> Iterator[Bench]:
    from hil.bench import Bench
    from hil.journal import Journal
    from hil.testbed.lease import lease
    from hil.testbed.out_of_service import Reason
    from hil.testbed.state import state_dir

    journal = Journal()
    with ExitStack() as stack:
        if testbed.virtual is not None:
            from hil.virtual.lab import Lab

            testbed = stack.enter_context(Lab(testbed, state_dir(testbed), journal))
        held = stack.enter_context(lease(testbed, run="hil check", despite=Reason.QUARANTINED))
        yield stack.enter_context(Bench(testbed, journal, held.check))


def _questions(bench: Bench) -> Iterator[tuple[str, Callable[[], str]]]:
    def machine() -> str:
        os = bench.machine.os()
        return f"{os.caption}, build {os.build}, {'elevated' if os.elevated else 'NOT elevated'}"

    def adapter() -> str:
        from hil.windows.device import NO_DRIVER

        # as good as a fresh PC: the run installs the package
        if bench.adapter.problem() == NO_DRIVER:
            return f"{bench.adapter.instance_id}, without a driver so far"
        info = bench.adapter.info()
        return f"{info.name}, {info.description}, {info.mac}, {info.status}, {info.link_mbps:g} Mbit/s"

    def partner() -> str:
        return f"{bench.partner.interface}, {bench.partner.address}, {bench.partner.mac}"

    def instrument(name: str) -> Callable[[], str]:
        return lambda: f"{bench.instrument(name).identity}"

    yield "machine", machine
    yield "adapter", adapter
    if bench.testbed.partner is not None:
        yield "partner", partner
    for name, described in bench.testbed.instruments.items():
        yield f"{name} ({described.role})", instrument(name)


def _try(name: str, ask: Callable[[], str]) -> ExitCode:
    try:
        print(f"  {name:<20} ok     {ask()}")
    except HilError as error:
        print(f"  {name:<20} FAILED {error}")
        return error.exit_code
    return ExitCode.OK


def _trust_host_keys(file: Path) -> None:
    """Write the host keys that the servers offer now into the testbed file, and show what to compare them with."""
    from ruamel.yaml import YAML

    from hil.remote import host_key_offered
    from hil.testbed.load import load

    testbed = load(file, must_exist=False)
    sections: list[tuple[str, Ssh]] = [("machine", testbed.machine.ssh)] if testbed.machine else []
    if testbed.partner is not None and testbed.partner.kind == "ssh":
        sections.append(("partner", testbed.partner.ssh))
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    tree = yaml.load(file.read_text(encoding="utf-8"))
    for name, ssh in sections:
        key = host_key_offered(ssh.host, ssh.port)
        print(f"{name} {ssh.host}: {key}\n  {_fingerprint(key)}, compare it with: ssh-keygen -lf (on that computer)")
        tree[name]["ssh"]["host_key"] = key
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(tree, stream)


def _fingerprint(key: str) -> str:
    """As ``ssh-keygen -l`` prints it."""
    import base64
    import hashlib

    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
