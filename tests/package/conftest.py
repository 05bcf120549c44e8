from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hil.package import Inf
from hil.virtual.driver import SamplePackages, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> SamplePackages:
    """The sample packages, built once; nobody changes them."""
    return build(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def folder(built: SamplePackages, tmp_path: Path) -> Path:
    """A copy of the current package that a test may spoil."""
    return Path(shutil.copytree(built.current, tmp_path / "package"))


@pytest.fixture
def inf():
    """``inf(text)`` reads an INF that has a [Version] and what the test writes after it."""

    def parse(text: str, encoding: str = "ascii", **options: int) -> Inf:
        head = '[Version]\nSignature="$Windows NT$"\nProvider=%Us%\nDriverVer=09/15/2025,2.1.0.0\n'
        return Inf.parse((head + text).encode(encoding), "test.inf", **options)

    return parse
