"""Errata: known failures with reason, scope and an end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil.results.errata import Builds, Erratum, load_errata

WOL = "NDISTest 6.5 - [2 Machine] - PM_WolMagicPacket"
GOOD = f"""\
errata:
  - hlk: {WOL}
    test: test_magic_packet
    reason: firmware of the first boards, see report 4711
    until: 2026-12-31
    os_builds: {{oldest: 26100}}
    hardware_id: PCI\\VEN_1D0F&DEV_7A10
"""
DEVICE = r"pci\ven_1d0f&dev_7a10&subsys_00011d0f&rev_01\4&2a8f1c3&0&00e4"


def written(folder: Path, text: str) -> Path:
    path = folder / "errata.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file(tmp_path: Path) -> None:
    """Everything that the file says arrives, with types."""
    (one,) = load_errata(written(tmp_path, GOOD))
    assert (one.hlk, one.until, one.os_builds) == (WOL, date(2026, 12, 31), Builds(oldest=26100))


def test_documented_file(tmp_path: Path) -> None:
    """The file that the documentation shows is one."""
    page = (Path(__file__).parents[2] / "docs" / "precheck.md").read_text(encoding="utf-8")
    (one,) = load_errata(written(tmp_path, page.partition("```yaml\n")[2].partition("```")[0]))
    assert one.reason and one.os_builds.holds(26100)


def test_no_file() -> None:
    """Without a file there are no errata."""
    assert load_errata(None) == ()


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("until: 2026-12-31", "until: soon", "line 5: errata.0.until"),
        ("    until: 2026-12-31\n", "", "errata.0.until: this key is missing"),
        ("reason:", "resaon:", "did you mean 'reason'"),
        ("oldest: 26100", 'oldest: "26100"', "line 6: errata.0.os_builds.oldest"),
        ("PM_WolMagicPacket", "PM_WolMagicPaket", f"did you mean '{WOL}'"),
        ("firmware of the first boards, see report 4711", "none", "errata.0.reason"),
        ("errata:", "known:", "known: unknown key (valid here: errata)"),
    ],
)
def test_mistakes(tmp_path: Path, wrong: str, right: str, told: str) -> None:
    """A mistake is refused with its line: an erratum that is silently not read makes a release red, or green."""
    assert wrong in GOOD
    with pytest.raises(UsageError) as error:
        load_errata(written(tmp_path, GOOD.replace(wrong, right)))
    assert told in str(error.value)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A path with a typing error is no empty list."""
    with pytest.raises(UsageError, match="no such file"):
        load_errata(tmp_path / "erata.yaml")


@pytest.mark.parametrize(
    ("hlk", "test", "build", "device", "covered"),
    [
        (WOL, "suites/test_wake.py::test_magic_packet[raw-unicast]", 26100, DEVICE, True),
        (WOL, "suites/test_wake.py::test_magic_packet", 27000, DEVICE, True),
        (WOL, "suites/test_wake.py::test_magic_packet_at_reduced_speed", 26100, DEVICE, False),
        (WOL, "suites/test_wake.py::test_magic_packet", 22631, DEVICE, False),
        (WOL, "suites/test_wake.py::test_magic_packet", None, DEVICE, False),
        (WOL, "suites/test_wake.py::test_magic_packet", 26100, r"PCI\VEN_8086&DEV_15F3\1", False),
        ("NDISTest 6.5 - [2 Machine] - PM_WolPattern", "suites/test_wake.py::test_magic_packet", 26100, DEVICE, False),
    ],
)
def test_scope(tmp_path: Path, hlk: str, test: str, build: int | None, device: str, covered: bool) -> None:
    """It excuses what it names and nothing beside it: that test, those builds, that device."""
    (one,) = load_errata(written(tmp_path, GOOD))
    assert one.covers(hlk, test, build, device) is covered


def test_without_scope() -> None:
    """What names no scope holds everywhere, also where the build is not known."""
    one = Erratum(hlk=WOL, reason="everywhere the same", until=date(2026, 12, 31))
    assert one.covers(WOL, "suites/test_wake.py::test_any", None, "")
