"""An error of ours on the terminal: what, where, why, what to do, and the line of the test that met it.

The traceback through hil itself helps whoever mends hil; the report keeps it, and ``--tb`` shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hil
from hil.errors import HilError

_OURS = Path(hil.__file__).parent
_SENTENCES = {"seen": "seen", "where": "where", "tried": "tried", "next_step": "do"}


def in_short(found: pytest.ExceptionInfo[BaseException], root: Path) -> str:
    """Of a :class:`HilError`: lines of tests and fixtures outside hil, then its sentences, one a line."""
    assert isinstance(found.value, HilError)
    return "\n".join([*_lines_of_tests(found, root), sentences(found.value)])


def sentences(error: HilError) -> str:
    """One a line, with what was noted on the error later."""
    lines = [f"{type(error).__name__}: {error.wanted}"]
    for name, label in _SENTENCES.items():
        text = getattr(error, name)
        lines += [f"  {label + ':':<7}{text}"] if text else []
    return "\n".join([*lines, *(f"  {note}" for note in getattr(error, "__notes__", ()))])


def _lines_of_tests(found: pytest.ExceptionInfo[BaseException], root: Path) -> Iterator[str]:
    for entry in found.traceback:
        path = Path(entry.path)
        if path.is_relative_to(root) and not path.is_relative_to(_OURS) and "site-packages" not in path.parts:
            yield f"{path.relative_to(root)}:{entry.lineno + 1}: {str(entry.statement).strip()}"
