r"""``setupapi.dev.log``: what Windows notes about each operation on drivers, for the reports of failures.

Sections begin with ``>>>  [title]`` and end with ``<<<  [Exit status: ...]`` (layout from public logs; the words inside
are for people only).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.windows.machine import Machine

PATH = r"C:\Windows\INF\setupapi.dev.log"


def sections(text: str) -> list[str]:
    """Whole sections, oldest first."""
    found: list[str] = []
    current: list[str] | None = None
    for line in text.splitlines():
        if line.startswith(">>>  [") and "Section start" not in line:
            current = []
        if current is not None:
            current.append(line)
            if line.startswith("<<<  [Exit status"):
                found.append("\n".join(current))
                current = None
    return found


def errors(section: str) -> list[str]:
    """The lines that Windows marked as errors."""
    return [line.removeprefix("!!!").strip() for line in section.splitlines() if line.startswith("!!!")]


def last_section(machine: Machine, subject: str) -> str:
    """The newest section that names ``subject`` (an INF's path or published name); empty when none does.

    Raises as downloads do.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "setupapi.dev.log"
        machine.download(PATH, local)
        data = local.read_bytes()
    text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8", "replace")
    about = [section for section in sections(text) if subject.lower() in section.lower()]
    return about[-1] if about else ""
