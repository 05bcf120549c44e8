"""docs/instruments.md: its worked example is executed, and its table of families is the one that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.instruments import family_named
from hil.instruments.families import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "instruments.md").read_text(encoding="utf-8")


def test_worked_example(lab, journal, tmp_path, monkeypatch):
    """A stranger who follows the page has a new family that works: a table and a test, no code."""
    table, test = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "ex8.py").write_text(table, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    exec(compile(test, "docs/instruments.md", "exec"), names)
    (claim,) = (names[name] for name in names if name.startswith("test_"))
    claim(lab, journal, tmp_path)


def test_table_of_families():
    """Who reads the page knows what each family was checked against, and no family is missing."""
    rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in PAGE.splitlines() if row[:3] == "| `"]
    for family in FAMILIES:
        row = (f"`{family.name}`", family.models, ", ".join(family.roles), ", ".join(family.transports), family.checked)
        assert row in rows


@pytest.mark.parametrize("path", ["no.such.module:X", *(f"hil.instruments.families:{name}" for name in ("NO", "_LAN"))])
def test_family_that_cannot_be_loaded(path):
    """A path to nothing, or to something else, is the person's to mend."""
    with pytest.raises(UsageError, match="an instrument family at"):
        family_named(path)
