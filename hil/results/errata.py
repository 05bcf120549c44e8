"""Errata: failures that are known and let pass, each with a reason, a scope and a day on which it counts again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field, model_validator

from hil.errors import UsageError
from hil.results.hlk import catalogue
from hil.testbed.document import read_document
from hil.testbed.model import Section


class Builds(Section):
    """Builds of Windows, both ends included."""

    oldest: int = Field(0, ge=0)
    newest: int = Field(10**6, ge=0)

    def holds(self, build: int | None) -> bool:
        """An unknown build is in no range but the full one."""
        if build is None:
            return self == Builds()
        return self.oldest <= build <= self.newest


class Erratum(Section):
    """One known failure."""

    hlk: str = Field(description="name of the HLK test that is predicted to fail")
    reason: str = Field(min_length=10, description="why it may fail, and who said so")
    until: date = Field(description="last day; the failure counts again from the day after")
    test: str = Field("", description="local test, as pytest names it without its file; default: all that predict it")
    os_builds: Builds = Builds()
    hardware_id: str = Field("", description=r"start of the device's instance id, e.g. PCI\VEN_8086&DEV_15F3")

    @model_validator(mode="after")
    def _known(self) -> Erratum:
        if self.hlk not in catalogue().tests:
            nearest = catalogue().nearest(self.hlk)
            raise ValueError(f"no HLK test named {self.hlk!r}" + (f"; did you mean {nearest!r}?" if nearest else ""))
        return self

    def covers(self, hlk: str, test: str, build: int | None, device: str) -> bool:
        """Whether a failure of this local test, there, is what the erratum is about (whatever the day)."""
        named = test.partition("::")[2]
        return (
            hlk == self.hlk
            and self.test in ("", named, named.partition("[")[0])
            and self.os_builds.holds(build)
            and device.lower().startswith(self.hardware_id.lower())
        )


class Errata(Section):
    """The whole file."""

    errata: tuple[Erratum, ...] = ()


def load_errata(path: Path | None) -> tuple[Erratum, ...]:
    """Raises UsageError with file, line, key and what was wanted, for all mistakes at once."""
    if path is None:
        return ()
    if not path.is_file():
        raise UsageError("a file of errata", seen="no such file", where=str(path))
    return read_document(path, Errata, "file of errata")[0].errata
