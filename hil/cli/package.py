"""``hil package``: what is wrong with a driver package, said without a Windows machine."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hil.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from hil.package.check import Report
    from hil.package.policy import SigningTarget

_SHOWN = 5
"""Places shown of one rule, unless all are asked for."""
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    folder: Annotated[Path, typer.Argument(help="folder with the INF and its files")],
    previous: Annotated[Path | None, typer.Option(help="package of the release before, to rank against")] = None,
    windows: Annotated[int, typer.Option(help="build of Windows that the package is read for")] = 26100,
    target: Annotated[
        list[str] | None, typer.Option(help="Windows that must take the signature; see the table of verdicts")
    ] = None,
    trust: Annotated[list[Path] | None, typer.Option(help="certificate that the machine trusts as root")] = None,
    distrust: Annotated[list[Path] | None, typer.Option(help="certificate that the machine refuses")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    everything: Annotated[bool, typer.Option("--all", help="show every place of a finding")] = False,
) -> int:
    """Check INF, images, catalog and signatures of a driver package."""
    from hil.package.anchors import read_certificate
    from hil.package.check import check as examine
    from hil.package.models import Target

    roots = [read_certificate(path) for path in trust or ()]
    required = [_target(name) for name in target or ()]
    refused = [read_certificate(path) for path in distrust or ()]
    reports = examine(
        folder, target=Target(build=windows), previous=previous, trusted=roots, distrusted=refused, required=required
    )
    if as_json:
        import json

        json.dump([_plain(report) for report in reports], sys.stdout, indent=2)
        print()
    else:
        for report in reports:
            _show(report, everything)
    return int(ExitCode.DEVICE if any(report.failed for report in reports) else ExitCode.OK)


def rules() -> None:
    """List the rules, with the source of each."""
    from rich.console import Console
    from rich.table import Table

    from hil.package.rules import RULES

    table = Table("rule", "severity", "claim", "source", title=f"{len(RULES)} rules")
    for rule in RULES:
        table.add_row(rule.id, rule.severity, rule.summary, rule.source)
    Console().print(table)


def _target(name: str) -> SigningTarget:
    from hil.package.policy import TARGETS

    found = next((target for target in TARGETS if target.name == name), None)
    if found is None:
        raise UsageError(
            "a Windows for --target", seen=name, next_step="one of " + ", ".join(target.name for target in TARGETS)
        )
    return found


def _show(report: Report, everything: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False)
    counts = Counter(str(finding.severity) for finding in report.findings)
    console.print(Text(f"{report.inf}: {_identity(report)}", style="bold"))
    if report.findings:
        table = Table("severity", "where", "rule", "seen", "wanted, and what to do", pad_edge=False)
        shown: Counter[str] = Counter()
        for finding in report.findings:
            shown[finding.rule] += 1
            if everything or shown[finding.rule] <= _SHOWN:
                advice = "; ".join(filter(None, (finding.wanted, finding.next_step)))
                table.add_row(
                    Text(finding.severity, style=_COLOURS[finding.severity]), Text(finding.where), finding.rule,
                    Text(finding.message), Text(advice),
                )  # fmt: skip
        console.print(table)
        for rule, count in shown.items():
            if count > _SHOWN and not everything:
                console.print(Text(f"{rule}: {count - _SHOWN} more, shown with --all"))
    _show_signature(console, report)
    console.print(", ".join(f"{counts[severity]} {severity}s" for severity in _COLOURS))


def _show_signature(console: Console, report: Report) -> None:
    from rich.table import Table
    from rich.text import Text

    if report.subject is None or not report.verdicts:
        return
    signature = report.subject.signature
    text = f"signature: {signature.kind.value}, {signature.text}"
    if signature.signer and signature.signer.signed_at:
        text += f", stamped {signature.signer.signed_at:%Y-%m-%d} ({signature.signer.stamped_by})"
    console.print(Text(text))
    table = Table("--target", "Windows", "loads it", "because", pad_edge=False)
    for verdict in report.verdicts:
        table.add_row(verdict.target.name, verdict.target.title, "yes" if verdict.accepted else "no", verdict.because)
    console.print(table)


def _identity(report: Report) -> str:
    if report.subject is None:
        return "cannot be read"
    inf = report.subject.inf
    try:
        released, version = inf.driver_version
        number = f"{version} of {released:%Y-%m-%d}"
    except UsageError:
        number = "no version"
    ids = {model.hardware_id.upper() for variant in report.subject.variants for model in variant.models}
    architectures = ", ".join(report.subject.architectures) or "no Windows"
    return f"{inf.provider or 'no provider'}, {number}, {len(ids)} hardware ids, {architectures}"


def _plain(report: Report) -> dict[str, Any]:
    """What ``--json`` prints: findings, signature, verdicts, and facts of each image."""
    subject = report.subject
    found: dict[str, Any] = {
        "inf": report.inf, "failed": report.failed,
        "findings": [
            {
                "rule": finding.rule, "severity": finding.severity, "file": finding.file, "line": finding.line,
                "seen": finding.message, "wanted": finding.wanted, "do": finding.next_step,
            }
            for finding in report.findings
        ],
    }  # fmt: skip
    if subject:
        signer = subject.signature.signer
        found["signature"] = {
            "kind": subject.signature.kind.name.lower(), "text": subject.signature.text,
            "usages": sorted(signer.usages) if signer else [],
            "stamped": signer.signed_at.isoformat() if signer and signer.signed_at else None,
        }  # fmt: skip
        found["verdicts"] = {one.target.name: {"loads": one.accepted, "because": one.because}
                             for one in report.verdicts}  # fmt: skip
        found["images"] = {file.path: _image(file.path, file.data) for file in subject.images}
    return found


def _image(path: str, data: bytes) -> dict[str, Any]:
    from hil.package.linkage import Linkage
    from hil.package.pe import Pe

    try:
        image = Pe.parse(data, path)
        linkage = Linkage.read(image, data, path)
    except UsageError as error:
        return {"damaged": error.seen}
    pdb = linkage.pdb
    return {
        "machine": image.machine.name, "subsystem": image.subsystem.name, "version": image.file_version,
        "checksum": image.checksum, "sections": list(image.sections),
        "imports": {library: list(functions) for library, functions in linkage.imports},
        "security_cookie": linkage.security_cookie, "control_flow_guard": linkage.control_flow_guard,
        "pdb": {"path": pdb.path, "key": pdb.key} if pdb else None,
    }  # fmt: skip
