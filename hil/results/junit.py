"""junit.xml for CI servers: failures apart from errors apart from skips, measurements as properties."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from hil.results.model import TestResult
from hil.results.report import Report

# XML 1.0, section 2.2: what may not stand in a document even as a reference
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(report: Report) -> Path:
    """Write junit.xml into the folder of the run. OSError passes through."""
    counts = Counter(_tag(test) for test in report.tests)
    suite = ET.Element(
        "testsuite",
        name=_text(report.info.testbed or report.folder.name),
        timestamp=report.info.started,
        tests=str(len(report.tests)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{report.duration_s:.3f}",
    )
    _properties(suite, {"hil": report.info.hil, "seed": str(report.info.seed), **report.info.facts})
    for test in report.tests:
        _case(suite, test)
    root = ET.Element("testsuites")
    root.append(suite)
    path = report.folder / "junit.xml"
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _tag(test: TestResult) -> str:
    return {"failed": "failure", "error": "error", "interrupted": "error", "skipped": "skipped"}.get(test.verdict, "")


def _case(suite: ET.Element, test: TestResult) -> None:
    file, _, name = test.test.partition("::")
    classname = file.removesuffix(".py").replace("/", ".")
    case = ET.SubElement(suite, "testcase", classname=classname, name=_text(name), time=f"{test.duration_s:.3f}")
    _properties(case, {f"{one.name} [{one.unit}]": f"{one.value:g}" for one in test.measurements} | _proven(test))
    tag = _tag(test)
    if tag == "skipped" and test.skip is not None:
        ET.SubElement(case, tag, message=_text(test.skip.text), type=",".join(test.skip.missing) or "skip")
    elif tag:
        first = test.troubles[0] if test.troubles else None
        trouble = ET.SubElement(case, tag, message=_text(first.message if first else test.verdict))
        trouble.set("type", first.error if first else test.verdict)
        trouble.text = _text("\n\n".join(one.trace or one.message for one in test.troubles))
    if test.output:
        ET.SubElement(case, "system-out").text = _text(test.output)


def _proven(test: TestResult) -> dict[str, str]:
    """What Driver Verifier checked, and which crash was seen."""
    crashes = ", ".join(crash.bucket for crash in test.crashes)
    return {name: text for name, text in (("Driver Verifier", test.verifier), ("crash", crashes)) if text}


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    if values:
        holder = ET.SubElement(parent, "properties")
        for name, value in values.items():
            ET.SubElement(holder, "property", name=_text(name), value=_text(value))


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
