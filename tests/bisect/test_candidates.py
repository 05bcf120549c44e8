"""Which packages lie between the good and the bad one, and in which order."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from hil.bisect.candidates import Candidate, candidates
from hil.errors import UsageError
from hil.package import Package
from hil.virtual.driver.family import build_family


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    build_family(folder, [f"3.{number}.0.0" for number in range(10, 14)])
    return folder


def test_a_family_is_of_sound_packages(family: Path) -> None:
    """Each is signed, has its own version and date and an image of its own; the certificate is one file."""
    found = [Package.load(family / f"3.{number}.0.0") for number in range(10, 14)]
    for package in found:
        package.require_intact()
    assert [package.version for package in found] == ["3.10.0.0", "3.11.0.0", "3.12.0.0", "3.13.0.0"]
    assert [package.date for package in found] == sorted(package.date for package in found)
    assert len({package.driver_sha256 for package in found}) == 4


def test_between_good_and_bad(family: Path, tmp_path: Path) -> None:
    """What is older than the good one or younger than the bad one is left out; the two may lie elsewhere."""
    good = shutil.copytree(family / "3.11.0.0", tmp_path / "mine")
    found = candidates(family, good, family / "3.13.0.0")
    assert [one.folder.name for one in found.packages] == ["mine", "3.11.0.0", "3.12.0.0", "3.13.0.0"]
    assert found.notes == ("mine (3.11.0.0 of 2025-10-08) and 3.11.0.0 of 2025-10-08 have the same DriverVer: "
                           "they are taken in the order of their names",)  # fmt: skip


def test_what_cannot_be_bisected(family: Path, tmp_path: Path) -> None:
    """The wrong way round, and a folder without packages, are told before a bench is touched."""
    with pytest.raises(UsageError, match="a good package that is older"):
        candidates(family, family / "3.13.0.0", family / "3.10.0.0")
    with pytest.raises(UsageError, match="no folder with an INF"):
        candidates(tmp_path, family / "3.10.0.0", family / "3.13.0.0")


def test_a_damaged_package_is_not_tested(family: Path, tmp_path: Path) -> None:
    """One whose files do not fit its catalog keeps its place in the order, with the reason."""
    over = shutil.copytree(family, tmp_path / "family")
    with (over / "3.11.0.0/hilnic.sys").open("ab") as file:
        file.write(b"x")
    _, damaged, *_ = candidates(over, over / "3.10.0.0", over / "3.13.0.0").packages
    assert damaged.version == "3.11.0.0"
    assert "fit its catalog" in damaged.trouble


def test_age_is_that_of_windows() -> None:
    """The date counts before the version, and numbers as numbers: 3.9 is older than 3.10."""
    old, new = Candidate(Path("a"), date(2025, 1, 1), "3.9.0.0"), Candidate(Path("b"), date(2025, 1, 1), "3.10.0.0")
    later = Candidate(Path("c"), date(2025, 1, 2), "1.0.0.0")
    assert sorted([later, new, old], key=lambda one: one.age) == [old, new, later]
