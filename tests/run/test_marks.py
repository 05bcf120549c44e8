"""``@pytest.mark.hlk``: names of the kit, checked when tests are collected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.results.hlk import catalogue
from hil.run.marks import collect_predictions

ROOT = Path(__file__).parents[2]
GOOD = '@pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket")\ndef test_a():\n    pass\n'


def test_wrong_name(run: Callable[..., object]) -> None:
    """A name that the kit does not have stops the run before its first test, with the name that was meant."""
    outcome = run(GOOD.replace("Packet", "Packets"))
    assert outcome.exit_code == 4
    assert "test_suite.py:3: no HLK test named 'NDISTest 6.5 - [2 Machine] - PM_WolMagicPackets'" in outcome.text
    assert "did you mean 'NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket'?" in outcome.text


def test_right_name(run: Callable[..., object]) -> None:
    """A right name changes nothing of a run."""
    assert run(GOOD).exit_code == 0


def collected(folder: Path, suite: str) -> dict[str, tuple[str, ...]]:
    # pytest keeps modules by their names
    (folder / f"test_in_{folder.name}.py").write_text(f"import pytest\n{suite}", encoding="utf-8")
    return {test.partition("::")[2]: names for test, names in collect_predictions(folder).items()}


def test_collected(tmp_path: Path) -> None:
    """Marks of module, function and parameter add up; a star names all variants."""
    suite = """
pytestmark = pytest.mark.hlk("NDISTest 6.5 - [2 Machine] - Stats")
@pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.hlk("DF - PNP Remove Device Test *"))])
def test_a(x): ...
"""
    found = collected(tmp_path, suite)
    assert found["test_a[1]"] == ("NDISTest 6.5 - [2 Machine] - Stats",)
    assert len(found["test_a[2]"]) == 3


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        (GOOD.replace("Packet", "Packets"), "did you mean"),
        ("def test_a(:\n", "SyntaxError"),
        ("", "collects nothing"),
    ],
)
def test_suites_that_do_not_load(tmp_path: Path, suite: str, told: str) -> None:
    """Suites that cannot be read are an error, never a page on which nothing is covered."""
    with pytest.raises(UsageError, match=told):
        collected(tmp_path, suite)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A path with a typing error is told."""
    with pytest.raises(UsageError, match="no such folder"):
        collect_predictions(tmp_path / "suits")


def test_own_suites() -> None:
    """The suites that come with hil load, and predict the tests that matter for a NIC's daily life."""
    predicted = {name for names in collect_predictions(ROOT / "suites").values() for name in names}
    assert predicted <= set(catalogue().tests)
    for name in ("PM_WolMagicPacket", "PM_WolPattern", "KeepAlive", "StandardizedKeywords", "E2EPerf"):
        assert any(test.endswith(name) for test in predicted), name
