r"""``setupapi.dev.log``: what Windows notes about each operation on drivers, for the reports of failures.

Sections begin with ``>>>  [title]`` and end with ``<<<  [Exit status: ...]`` (layout from public logs; the words inside
are for people only).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hil.remote import Command

if TYPE_CHECKING:
    from hil.windows.machine import Machine

FOLDER, NAME = r"C:\Windows\INF", "setupapi.dev.log"
PATH = rf"{FOLDER}\{NAME}"
_UTF_16 = b"\xff\xfe"


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
    about = [section for section in sections(_text(_data(machine))) if subject.lower() in section.lower()]
    return about[-1] if about else ""


def size(machine: Machine) -> int:
    """Bytes now, for :func:`since`; 0 when Windows has not begun the file yet."""
    found = machine.shell.run(Command("Get-ChildItem", Path=FOLDER, Filter=NAME, File=True))
    return int(found[0]["Length"]) if found else 0


def since(machine: Machine, begin: int) -> str:
    """What was written after the file had ``begin`` bytes; all of it when Windows began a new one. Raises as downloads
    do."""
    data = _data(machine)
    return _text(data if len(data) < begin else data[:2] * (data[:2] == _UTF_16) + data[begin:])


def _data(machine: Machine) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / NAME
        machine.download(PATH, local)
        return local.read_bytes()


def _text(data: bytes) -> str:
    return data.decode("utf-16" if data[:2] == _UTF_16 else "utf-8", "replace")
