"""Checks a driver package: every rule, every INF of the folder, and which Windows takes the signature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hil.clock import utc_now
from hil.errors import UsageError
from hil.package.finding import Finding, Severity
from hil.package.inf import Inf
from hil.package.models import Target
from hil.package.policy import TARGETS, Kind, SigningTarget, Verdict, verdict
from hil.package.rules import RULES
from hil.package.subject import Folder, Subject

THIS_WINDOWS = Target()
_ORDER = tuple(Severity)


@dataclass(frozen=True)
class Report:
    """What was found in one INF and its files."""

    inf: str
    subject: Subject | None
    """None when the INF cannot be read at all."""
    findings: tuple[Finding, ...]
    """Worst first, then by place."""
    verdicts: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def check(
    folder: Path, *, target: Target = THIS_WINDOWS, previous: Path | None = None, trusted: Iterable[bytes] = (),
    distrusted: Iterable[bytes] = (), required: Iterable[SigningTarget] = (), today: date | None = None,
) -> tuple[Report, ...]:  # fmt: skip
    """A report for each INF in ``folder``.

    ``previous`` is the folder of the release before, ``trusted`` are roots (DER) that the machine trusts beside
    Microsoft's, ``distrusted`` are certificates (DER) that it refuses, ``required`` are those Windows that must take
    the signature. Raises UsageError without folder or INF.
    """
    if not folder.is_dir():
        raise UsageError("a folder with a driver package", seen="no such folder", where=str(folder))
    files = Folder.read(folder)
    infs = [file for file in files.files if "/" not in file.path and file.path.lower().endswith(".inf")]
    if not infs:
        raise UsageError("a folder with a driver package", seen="no INF", where=str(folder))
    roots, refused, windows = tuple(trusted), frozenset(distrusted), tuple(required)
    reports = []
    for file in infs:
        before = _inf_of(previous, file.path) if previous else None
        reports.append(check_inf(
            file.data, file.path, folder=files, target=target, previous=before, trusted=roots, distrusted=refused,
            required=windows, today=today,
        ))  # fmt: skip
    return tuple(reports)


def check_inf(
    data: bytes, name: str, *, folder: Folder | None = None, target: Target = THIS_WINDOWS, previous: Inf | None = None,
    trusted: tuple[bytes, ...] = (), distrusted: frozenset[bytes] = frozenset(),
    required: tuple[SigningTarget, ...] = (), today: date | None = None,
) -> Report:  # fmt: skip
    """The report for one INF; without ``folder`` for its text alone. Never raises for what the file holds."""
    day = today or utc_now().date()
    try:
        inf = Inf.parse(data, name)
    except UsageError as error:
        line = int(error.where.rpartition(":")[2]) if error.where.rpartition(":")[2].isdigit() else 0
        return Report(name, None, (Finding("unreadable", name, line, error.seen, wanted=error.wanted),))
    subject = Subject.read(inf, data, target, day, folder=folder, previous=previous, trusted=trusted)
    findings = [finding for rule in RULES for finding in rule.findings(subject)]
    verdicts: tuple[Verdict, ...] = ()
    if folder is not None:
        intact = not any(finding.rule == "not-in-catalog" for finding in findings)
        verdicts = tuple(verdict(subject.signature, where, intact) for where in dict.fromkeys((*TARGETS, *required)))
        findings += _refused(subject, verdicts, required)
        findings += _distrusted(subject, distrusted)
    findings.sort(key=lambda finding: (_ORDER.index(finding.severity), finding.file, finding.line))
    return Report(name, subject, tuple(findings), verdicts)


def _refused(subject: Subject, verdicts: tuple[Verdict, ...], required: tuple[SigningTarget, ...]) -> Iterator[Finding]:
    """A required Windows that does not take the package is an error; so is a package that none takes."""
    file = subject.catalog.name if subject.catalog else subject.inf.name
    for one in verdicts:
        if one.target in required and not one.accepted:
            text = f"{one.target.title} refuses it: {one.because}"
            yield Finding("signature-refused", file, 0, text, wanted="a signature that it takes")
    if subject.signature.kind is Kind.NONE and not required:
        yield Finding("signature-missing", file, 0, "no Windows takes it as it is", wanted="a signed catalog")


def _distrusted(subject: Subject, distrusted: frozenset[bytes]) -> Iterator[Finding]:
    """With a certificate that it came with, or that vouches for it, refused, the machine does not install it."""
    chain = subject.signature.signer.chain if subject.signature.signer else ()
    if subject.catalog and not distrusted.isdisjoint((*chain, *subject.catalog.certificates)):
        text = f"{subject.catalog.signer}, or who vouches for it, is distrusted"
        wanted, step = "a signer that no machine was told to refuse", "sign it with another certificate"
        yield Finding("signature-distrusted", subject.catalog.name, 0, text, wanted=wanted, next_step=step)


def _inf_of(folder: Path, name: str) -> Inf:
    """The INF of the same name, or the only one, in the previous package."""
    same = [path for path in sorted(folder.glob("*")) if path.name.lower() == name.lower()]
    infs = same or [path for path in sorted(folder.glob("*")) if path.suffix.lower() == ".inf"]
    if len(infs) != 1:
        raise UsageError(f"the previous release's {name}", seen=f"{len(infs)} INF files", where=str(folder))
    return Inf.read(infs[0])
