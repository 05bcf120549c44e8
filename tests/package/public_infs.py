"""What the rules say about public network INF files: names, counts, findings. The files themselves are not kept.

    python tests/package/public_infs.py FOLDER > tests/package/public_infs.json

FOLDER holds one folder for each source, named owner+repository; which ones, and which files, is in the JSON.
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

TODAY = date(2026, 4, 1)
"""The day of the check, so that its outcome does not change."""
_AMD64 = "amd64".encode("utf-16-le")


def reports(folder: Path) -> Iterator[tuple[str, Report]]:
    """Path below ``folder`` and report of each INF of a network class, and of each that cannot be read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".inf", ".inx") and path.is_file():
            data = path.read_bytes()
            for written in ("$ARCH$", "$arch$"):  # of sources, which stampinf turns into INFs
                data = data.replace(written.encode(), b"amd64").replace(written.encode("utf-16-le"), _AMD64)
            report = check_inf(data, path.name, today=TODAY)
            if report.subject is None or report.subject.inf.class_name.lower().startswith("net"):
                yield path.relative_to(folder).as_posix(), report


def fact(report: Report) -> dict[str, Any]:
    """The outcome for one file."""
    found: dict[str, Any] = {"findings": dict(sorted(Counter(finding.rule for finding in report.findings).items()))}
    if subject := report.subject:
        models = {model.number for variant in subject.variants for model in variant.models}
        settings = {keyword.name.lower() for variant in subject.with_settings for keyword in variant.keywords}
        found |= {
            "sections": len(subject.inf.sections), "variants": len(subject.variants), "models": len(models),
            "settings": len(settings),
        }  # fmt: skip
    return found


def main() -> None:
    facts = {path: fact(report) for path, report in reports(Path(sys.argv[1]))}
    lines = (f"{json.dumps(path)}: {json.dumps(found, separators=(',', ':'))}" for path, found in facts.items())
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
