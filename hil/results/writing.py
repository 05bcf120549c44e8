"""All that a run leaves for people and CI servers, from what it recorded; also of a run that was killed."""

from __future__ import annotations

from pathlib import Path

from hil.results.html import write_html
from hil.results.junit import write_junit
from hil.results.markdown import write_markdown
from hil.results.report import Report


def write_reports(folder: Path) -> Path:
    """junit.xml, summary.md, index.html with its pages; comes back with index.html. OSError passes through."""
    report = Report(folder)
    write_junit(report)
    write_markdown(report)
    return write_html(report)
