"""The packages of a folder between a good and a bad one, oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from hil.errors import UsageError
from hil.package import Package


@dataclass(frozen=True)
class Candidate:
    """One package; ``trouble`` says why it cannot be tested, where that is known from the disk alone."""

    folder: Path
    released: date
    version: str
    trouble: str = ""

    @property
    def age(self) -> tuple[date, tuple[int, ...]]:
        """As Windows ranks drivers of one kind: by the date of DriverVer, then by its version."""
        return self.released, tuple(int(part) for part in self.version.split(".") if part.isdigit())

    def __str__(self) -> str:
        driver_version = f"{self.version} of {self.released}"
        return driver_version if self.folder.name == self.version else f"{self.folder.name} ({driver_version})"


@dataclass(frozen=True)
class Candidates:
    """The good one first, the bad one last; ``notes`` tell what is doubtful about their order."""

    packages: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()


def candidates(over: Path, good: Path, bad: Path) -> Candidates:
    """The packages in ``over`` (a folder each) between the two, which may lie elsewhere. Raises UsageError."""
    first, last = _read(good), _read(bad)
    if first.trouble or last.trouble:
        raise UsageError("two packages that can be installed", seen=first.trouble or last.trouble)
    if first.age >= last.age:
        raise UsageError(
            "a good package that is older than the bad one", seen=f"good {first}, bad {last}",
            next_step="exchange --good and --bad if they are the wrong way round",
        )  # fmt: skip
    named = {first.folder, last.folder}
    others = [one for one in map(_read, _folders(over)) if one.folder not in named and first.age <= one.age <= last.age]
    between = sorted(others, key=lambda one: (one.age, one.folder.name))
    return Candidates((first, *between, last), tuple(_notes([first, *between, last])))


def _folders(over: Path) -> list[Path]:
    found = sorted({path.parent.resolve() for path in over.glob("*/*") if path.suffix.lower() == ".inf"})
    if not found:
        raise UsageError("a folder of driver packages", seen="no folder with an INF in it", where=str(over))
    return found


def _read(folder: Path) -> Candidate:
    """Raises UsageError when not even its DriverVer can be read, since it has no place in the order then."""
    folder = folder.resolve()
    package = Package.load(folder)
    try:
        package.require_intact()
    except UsageError as error:
        return Candidate(folder, package.date, package.version, str(error))
    return Candidate(folder, package.date, package.version)


def _notes(ordered: Iterable[Candidate]) -> Iterable[str]:
    for one, after in pairwise(ordered):
        if one.age == after.age:
            yield f"{one} and {after} have the same DriverVer: they are taken in the order of their names"
        elif one.age[1] > after.age[1]:
            yield f"{one} has the higher version, and is older by its date than {after}: the date counts, as in Windows"
