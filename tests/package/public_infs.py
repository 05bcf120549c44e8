"""What the rules say about public INF files: names, counts, findings. The files themselves are not kept.

    python tests/package/public_infs.py FOLDER > tests/package/public_infs.json

FOLDER holds one folder for each source, named owner+repository; which ones, and how many files each, is in the JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from hil.package.check import Report, check_inf

TODAY = date(2026, 1, 1)
"""The day of the check, so that its outcome does not change."""


def reports(folder: Path) -> Iterator[tuple[str, Report]]:
    """Path below ``folder`` and report of each INF."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".inf", ".inx") and path.is_file():
            yield path.relative_to(folder).as_posix(), check_inf(path.read_bytes(), path.name, today=TODAY)


def fact(report: Report) -> dict[str, Any]:
    """The outcome for one file."""
    subject = report.subject
    found: dict[str, Any] = {"findings": dict(sorted(Counter(finding.rule for finding in report.findings).items()))}
    if subject:
        found |= {
            "class": subject.inf.class_name, "sections": len(subject.inf.sections), "variants": len(subject.variants),
            "models": sum(len(variant.models) for variant in subject.variants),
            "settings": len({keyword.name.lower() for variant in subject.adapters for keyword in variant.keywords}),
        }  # fmt: skip
    return found


def main() -> None:
    facts = {path: fact(report) for path, report in reports(Path(sys.argv[1]))}
    lines = ",\n".join(f"{json.dumps(path)}: {json.dumps(found, ensure_ascii=True)}" for path, found in facts.items())
    print("{\n" + lines + "\n}")


if __name__ == "__main__":
    main()
