from __future__ import annotations

import pytest

from hil.virtual.driver import SamplePackages, build


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SamplePackages:
    """The sample packages, built once; nobody changes them."""
    return build(tmp_path_factory.mktemp("samples"))
