"""A debugger on another computer: a dump is sent there, ``kd`` reads it, and its words are kept.

Options: Microsoft, "KD command-line options" (-z dump, -y symbols, -c first command). The labels that are read here are
not translated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hil.errors import BenchError
from hil.journal import Journal
from hil.remote import SshSession, upload
from hil.testbed import model

COMMANDS = "!analyze -v; q"
_LABEL = re.compile(r"^(IMAGE_NAME|MODULE_NAME|FAILURE_BUCKET_ID|SYMBOL_NAME):\s+(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Analysis:
    """What the debugger makes of a dump; empty where it does not say."""

    text: str
    image: str
    """File name of the guilty module."""
    bucket: str
    symbol: str


def analyze(debugger: model.Debugger, dump: Path, journal: Journal) -> Analysis:
    """Send ``dump`` to the debugger's computer and run it there. Raises BenchError when that cannot be done."""
    remote = f"{debugger.folder.rstrip(chr(92))}\\{dump.parent.name}-{dump.name}"
    symbols = ["-y", debugger.symbols] if debugger.symbols else []
    with journal.span("step", f"debugger on {dump.name}", host=debugger.ssh.host) as outcome:
        with SshSession(debugger.ssh, journal) as session:
            upload(session, dump, remote, timeout_s=debugger.timeout_s)
            done = session.run([debugger.kd, "-z", remote, *symbols, "-c", COMMANDS], timeout_s=debugger.timeout_s)
        analysis = parse(done.stdout.decode("utf-8", "replace"))
        outcome["bucket"] = analysis.bucket
    if not (analysis.image or analysis.bucket):
        raise BenchError(
            f"an analysis of {dump.name}", seen=f"exit code {done.exit_code}: {analysis.text[-500:].strip()}",
            where=f"{debugger.kd} on {debugger.ssh.host}", next_step="run it there by hand; are the symbols reached?",
        )  # fmt: skip
    return analysis


def parse(text: str) -> Analysis:
    """Read the output of ``!analyze -v``."""
    labels = dict(_LABEL.findall(text))
    image = labels.get("IMAGE_NAME") or labels.get("MODULE_NAME", "")
    return Analysis(text, image, labels.get("FAILURE_BUCKET_ID", ""), labels.get("SYMBOL_NAME", ""))
