"""The house keeps its floors: imports go down, and the virtual bench stands apart (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    {"errors", "clock"},
    {"journal", "netns"},
    {"wait"},
    {"testbed"},
    {"remote", "instruments", "package"},
    {"windows", "traffic"},
    {"bench", "provision"},
    {"results"},
    {"history"},
    {"run"},
    {"bisect", "repro", "storm", "shell"},
    {"watch"},
    {"cli"},
)
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
VIRTUAL_MAY_USE = {"errors", "clock", "wait", "journal", "netns", "testbed", "package", "virtual"}
MAY_START_VIRTUAL = {"run", "cli", "virtual"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import of hil in a file, wherever it stands in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"hil.{alias.name}" for alias in node.names] if node.module == "hil" else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.startswith("hil."))


def subject(dotted: str) -> str:
    return dotted.split(".")[1]


FILES = sorted(path for path in (ROOT / "hil").rglob("*.py") if path != ROOT / "hil/__init__.py")


def test_there_is_something_to_check() -> None:
    """The rules below looked at the whole package: an empty list of files would pass them all."""
    assert {subject(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in FILES} >= set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    """No module reaches up or across: a reader can understand a floor from the ones below it alone."""
    own = subject(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for line, name in imports(path):
        other = subject(name)
        where = f"{path}:{line} imports {name}"
        if own == "virtual":
            assert other in VIRTUAL_MAY_USE, where
        elif other == "virtual":
            assert own in MAY_START_VIRTUAL, where
        elif other != own:
            assert FLOOR_OF[other] < FLOOR_OF[own], where


def test_import_is_light() -> None:
    """`import hil` and the plug-in load no heavy library: every pytest run in the environment pays for them."""
    heavy = "scapy", "plotly", "pyvisa", "paramiko", "asyncssh", "psrpcore", "pyroute2", "jinja2", "cryptography"
    heavy += "sqlalchemy", "alembic"
    code = f"import sys, hil, hil.run.plugin; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30).stdout == "[]\n"
